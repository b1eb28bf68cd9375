//! Makes the sockets that workers ask for, and takes their files away again. What fails is told to the worker as Node would.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::rc::Rc;

use rewake_nodeipc::cluster::{Bound, Listen};
use rewake_unix::listen::group::Group;
use rewake_unix::listen::{self, FileId};
use rewake_wire::{ClusterBalance, SocketAddress};

use super::seats::Seats;
use super::{Address, Sockets};

const EACCES: i32 = 13;

/// The errno for a failure that has none.
const EINVAL: i64 = 22;

/// The sockets of one address.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) sockets: Sockets,
    pub(super) path: Option<(PathBuf, FileId)>,
    pub(super) bound: Bound,
    pub(super) is_datagram: bool,
}

/// How connections of an address find their worker: what the app asks for, where it can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Shared,
    GivenOut,
    Seats,
}

impl Way {
    /// `kernel_chooses` is asked only where it matters.
    pub(super) fn of(listen: &Listen, balance: ClusterBalance, kernel_chooses: impl Fn() -> bool) -> Self {
        let is_tcp = matches!(listen, Listen::Tcp { .. });
        match balance {
            ClusterBalance::Kernel | ClusterBalance::ClientIp if is_tcp && kernel_chooses() => Self::Seats,
            ClusterBalance::RoundRobin if !matches!(listen, Listen::Udp { .. }) => Self::GivenOut,
            ClusterBalance::Kernel | ClusterBalance::ClientIp | ClusterBalance::RoundRobin | ClusterBalance::Shared => {
                Self::Shared
            }
        }
    }
}

/// The sockets of an address: those that an earlier daemon has left, or new ones. The negative errno that the worker shows its
/// user when they cannot be had.
pub(super) fn bind(listen: &Listen, backlog: u32, way: Way, left: Vec<OwnedFd>) -> Result<Made, i64> {
    let made = if left.is_empty() { made(listen, backlog, way) } else { inherited(listen, backlog, way, left) };
    let is_datagram = matches!(listen, Listen::Udp { .. });
    made.map(|made| Made { is_datagram, ..made }).map_err(|error| -error.raw_os_error().map_or(EINVAL, i64::from))
}

/// The address for a message.
pub(super) fn socket_address(listen: &Listen) -> SocketAddress {
    match listen {
        Listen::Tcp { host, port, .. } => SocketAddress::Tcp { host: host.clone(), port: *port },
        Listen::Udp { host, port, .. } => SocketAddress::Udp { host: host.clone(), port: *port },
        Listen::Unix { path, .. } => SocketAddress::Unix { path: path.clone(), mode: 0 },
    }
}

/// Removes the socket file of an address that is over.
pub(super) fn remove_file(address: &Address) {
    if let Some((path, ours)) = &address.path
        && let Err(error) = listen::remove(path, *ours)
    {
        tracing::warn!(path = %path.display(), "socket file cannot be removed: {error}");
    }
}

fn inherited(listen: &Listen, backlog: u32, way: Way, mut left: Vec<OwnedFd>) -> io::Result<Made> {
    if way == Way::Seats {
        let copies = left.iter().map(OwnedFd::try_clone).collect::<io::Result<_>>()?;
        match Group::restore(copies, backlog) {
            Ok(group) => return Ok(seats(group)),
            // One of them was shut down, or it is a shared one of a time when the app asked for that: better one socket than none.
            Err(error) => tracing::warn!("sockets of the last daemon are no group any more ({error})"),
        }
    }
    let socket = left.swap_remove(0);
    match listen {
        Listen::Tcp { .. } | Listen::Udp { .. } => one(socket, way),
        Listen::Unix { path, .. } => {
            let path = PathBuf::from(path);
            let file = listen::file_id(&path)?;
            Ok(of_path(socket, way, path, file))
        }
    }
}

fn made(listen: &Listen, backlog: u32, way: Way) -> io::Result<Made> {
    match listen {
        Listen::Tcp { host, port, ipv6_only } if way == Way::Seats => {
            Ok(seats(Group::first(host.as_deref(), *port, *ipv6_only, backlog)?))
        }
        Listen::Tcp { host, port, ipv6_only } => one(listen::tcp(host.as_deref(), *port, *ipv6_only, backlog)?, way),
        Listen::Udp { host, port, ipv6, ipv6_only, reuse_address } => {
            one(listen::udp(host.as_deref(), *port, *ipv6, *ipv6_only, *reuse_address)?, way)
        }
        Listen::Unix { path, readable_all, writable_all } => {
            let path = PathBuf::from(path);
            let made = listen::unix(&path, *readable_all, *writable_all, backlog).map_err(as_node_says)?;
            Ok(of_path(made.socket, way, path, made.file))
        }
    }
}

/// A missing folder is EACCES in Node.
fn as_node_says(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::NotFound { io::Error::from_raw_os_error(EACCES) } else { error }
}

fn seats(group: Group) -> Made {
    let bound = at(group.address());
    Made { sockets: Sockets::Seats(Seats::new(group)), path: None, bound, is_datagram: false }
}

fn one(socket: OwnedFd, way: Way) -> io::Result<Made> {
    let bound = at(listen::local_address(socket.as_fd())?);
    Ok(Made { sockets: single(socket, way), path: None, bound, is_datagram: false })
}

fn of_path(socket: OwnedFd, way: Way, path: PathBuf, file: FileId) -> Made {
    Made { sockets: single(socket, way), path: Some((path, file)), bound: Bound { address: None }, is_datagram: false }
}

fn single(socket: OwnedFd, way: Way) -> Sockets {
    match way {
        Way::GivenOut => Sockets::GivenOut(Rc::new(socket)),
        Way::Shared | Way::Seats => Sockets::Shared(Rc::new(socket)),
    }
}

fn at(address: SocketAddr) -> Bound {
    Bound { address: Some((address.ip(), address.port())) }
}
