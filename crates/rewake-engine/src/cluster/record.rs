//! What the next daemon must know of clusters: written before a worker is sent what it is about. Never on disk.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use rewake_nodeipc::cluster::{Listen, SavedGroup, WorkerId};
use rewake_wire::snapshot::{SavedAddress, SavedCluster, SavedHolder, SavedListen};

use super::bind::{Way, bind};
use super::{Address, App, AppKey, Clusters, Sockets, seat_name, socket_name};
use crate::engine::Engine;

impl Clusters {
    /// Whether [`record`](Self::record) would say something new. Said once.
    pub(crate) fn take_unrecorded(&mut self) -> bool {
        std::mem::take(&mut self.unrecorded)
    }

    /// All that is to be told to the next daemon.
    pub(crate) fn record(&self) -> Vec<SavedCluster> {
        let of = |((name, namespace), app): (&AppKey, &App)| SavedCluster {
            name: name.clone(),
            namespace: namespace.clone(),
            balance: app.balance,
            addresses: app.record(),
        };
        self.apps.iter().map(of).collect()
    }

    /// Brings back what an earlier daemon had, with the sockets that the keeper has held. To be called before workers are adopted.
    pub(crate) fn restore(&mut self, saved: Vec<SavedCluster>) {
        for cluster in saved {
            let key = (cluster.name, cluster.namespace);
            let mut app = App::new(cluster.balance);
            for address in cluster.addresses {
                self.restore_address(&key, &mut app, address);
            }
            self.apps.insert(key, app);
        }
    }

    fn restore_address(&mut self, key: &AppKey, app: &mut App, saved: SavedAddress) {
        let name = socket_name(key, &saved.key);
        let listen = listen(saved.listen);
        let left = self.take_inherited(&name);
        if left.is_empty() {
            // It was recorded, and then could not be given to the keeper.
            return;
        }
        let way = Way::of(&listen, app.balance, || self.kernel_chooses());
        let mut made = match bind(&listen, 0, way, left) {
            Ok(made) => made,
            Err(errno) => return tracing::error!(app = %key.0, errno, "a socket of the last daemon cannot be used"),
        };
        if let Sockets::Seats(seats) = &mut made.sockets {
            seats.restore(&saved.seats);
        }
        let holders = saved.holders.into_iter();
        let holders = holders
            .map(|holder| rewake_nodeipc::cluster::SavedHolder { worker: WorkerId(holder.run), seq: holder.seq });
        let saved = SavedGroup { key: saved.key, listen, data: saved.data, holders: holders.collect() };
        let group = app.primary.restore(saved, &made.bound);
        let watch = self.watch(key, group);
        app.addresses.insert(group, Address::new(name, watch, made));
    }

    /// What an earlier daemon has left of one address: its socket, or its seats in their order.
    pub(super) fn take_inherited(&mut self, name: &str) -> Vec<OwnedFd> {
        let seats = (0..=u16::MAX).map_while(|index| self.inherited.remove(&seat_name(name, index)));
        let seats: Vec<OwnedFd> = seats.collect();
        if seats.is_empty() { self.inherited.remove(name).into_iter().collect() } else { seats }
    }
}

impl Engine {
    /// Every run that lives has been adopted: what is left of others is forgotten, and connections go to those that are up.
    pub(crate) fn settle_clusters(&mut self) {
        let runs: BTreeMap<AppKey, Vec<_>> = self
            .clusters
            .apps
            .keys()
            .map(|key| (key.clone(), self.slots_of(key).flat_map(rewake_core::Slot::runs).collect()))
            .collect();
        for (key, runs) in runs {
            let Some(app) = self.clusters.apps.get_mut(&key) else { continue };
            app.primary.forget_strangers();
            for address in app.addresses.values_mut() {
                if let Sockets::Seats(seats) = &mut address.sockets {
                    seats.retain(|run| runs.contains(&run));
                }
            }
            app.check_soon();
            self.steer(&key);
        }
        self.clusters.unrecorded = true;
    }
}

impl App {
    fn record(&self) -> Vec<SavedAddress> {
        let saved = self.primary.saved().filter_map(|(group, saved)| Some((self.addresses.get(&group)?, saved)));
        saved
            .map(|(address, saved)| SavedAddress {
                key: saved.key,
                listen: saved_listen(saved.listen),
                data: saved.data,
                holders: saved
                    .holders
                    .iter()
                    .map(|holder| SavedHolder { run: holder.worker.0, seq: holder.seq })
                    .collect(),
                seats: match &address.sockets {
                    Sockets::Shared(_) | Sockets::GivenOut(_) => Vec::new(),
                    Sockets::Seats(seats) => seats.saved(),
                },
            })
            .collect()
    }
}

fn saved_listen(listen: Listen) -> SavedListen {
    match listen {
        Listen::Tcp { host, port, ipv6_only } => SavedListen::Tcp { host, port, ipv6_only },
        Listen::Unix { path, readable_all, writable_all } => SavedListen::Unix { path, readable_all, writable_all },
        Listen::Udp { host, port, ipv6, ipv6_only, reuse_address } => {
            SavedListen::Udp { host, port, ipv6, ipv6_only, reuse_address }
        }
    }
}

fn listen(saved: SavedListen) -> Listen {
    match saved {
        SavedListen::Tcp { host, port, ipv6_only } => Listen::Tcp { host, port, ipv6_only },
        SavedListen::Unix { path, readable_all, writable_all } => Listen::Unix { path, readable_all, writable_all },
        SavedListen::Udp { host, port, ipv6, ipv6_only, reuse_address } => {
            Listen::Udp { host, port, ipv6, ipv6_only, reuse_address }
        }
    }
}
