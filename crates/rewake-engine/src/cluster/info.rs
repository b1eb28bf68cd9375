//! What people are shown of a worker's part in its cluster. Looks only when asked.

use std::net::IpAddr;

use rewake_core::{RunId, SlotId};
use rewake_nodeipc::cluster::{GroupId, WorkerId};
use rewake_unix::listen;
use rewake_wire::{ClusterBalance, ClusterInfo, ListenInfo, SocketAddress};

use super::{Address, App, AppKey, Clusters, Sockets};
use crate::engine::Engine;

impl Engine {
    /// Where a run listens, and what it has to do there.
    pub(crate) fn cluster_info(&self, slot: SlotId, run: RunId, pid: u32) -> Option<ClusterInfo> {
        let app = self.clusters.apps.get(&self.cluster_of(slot)?)?;
        let worker = WorkerId(run.0);
        let listens = |group: &GroupId| app.primary.is_listening(*group, worker);
        let addresses: Vec<&Address> =
            app.addresses.iter().filter(|(group, _)| listens(group)).map(|(_, address)| address).collect();
        let ports: Vec<u16> = addresses.iter().filter_map(|address| address.port()).collect();
        let open = (!ports.is_empty()).then(|| listen::open_connections(pid, &ports)).flatten();
        Some(ClusterInfo {
            listens: addresses.iter().map(|address| app.listen_info(address)).collect(),
            open_connections: open.and_then(|open| u32::try_from(open).ok()),
            given_connections: app.primary.taken(worker),
        })
    }
}

impl Clusters {
    /// The app that listens there, or where it is in the way.
    pub(crate) fn app_on(&self, address: &SocketAddress) -> Option<&AppKey> {
        let on = |app: &App| match address {
            SocketAddress::Tcp { port, .. } => app.addresses.values().any(|address| address.is_tcp(*port)),
            SocketAddress::Udp { port, .. } => app.addresses.values().any(|address| address.is_udp(*port)),
            SocketAddress::Unix { path, .. } => app.addresses.values().any(|address| address.text() == *path),
        };
        self.apps.iter().find(|(_, app)| on(app)).map(|(key, _)| key)
    }
}

impl App {
    fn listen_info(&self, address: &Address) -> ListenInfo {
        let balance = match &address.sockets {
            Sockets::Shared(_) => ClusterBalance::Shared,
            Sockets::GivenOut(_) => ClusterBalance::RoundRobin,
            Sockets::Seats(_) => self.balance,
        };
        ListenInfo { address: address.text(), balance }
    }
}

impl Address {
    pub(super) fn port(&self) -> Option<u16> {
        self.bound.address.map(|(_, port)| port)
    }

    fn is_tcp(&self, port: u16) -> bool {
        !self.is_datagram && self.port() == Some(port)
    }

    fn is_udp(&self, port: u16) -> bool {
        self.is_datagram && self.port() == Some(port)
    }

    pub(super) fn text(&self) -> String {
        match (&self.bound.address, &self.path) {
            (Some((IpAddr::V4(ip), port)), _) => format!("{ip}:{port}"),
            (Some((IpAddr::V6(ip), port)), _) => format!("[{ip}]:{port}"),
            (None, Some((path, _))) => path.display().to_string(),
            (None, None) => String::new(),
        }
    }
}
