//! Makes the sockets that workers ask for, and takes their files away again. What fails is told to the worker as Node would.

use std::io;
use std::net::{IpAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;

use rewake_nodeipc::cluster::{Bound, Listen};
use rewake_unix::listen::{self, FileId};

use super::Sockets;

const EACCES: i32 = 13;

/// The errno for a failure that has none.
const EINVAL: i64 = 22;

/// The socket of an address: the one that an earlier daemon has left, or a new one. The negative errno that the worker shows its
/// user when it cannot be had.
pub(super) fn bind(
    address: &Listen,
    backlog: u32,
    name: String,
    left: Option<OwnedFd>,
) -> Result<(Sockets, Bound), i64> {
    let made = match left {
        Some(socket) => inherited(address, socket),
        None => made(address, backlog),
    };
    let errno = |error: io::Error| -error.raw_os_error().map_or(EINVAL, i64::from);
    let Made { socket, path, address } = made.map_err(errno)?;
    Ok((Sockets { name, shared: Rc::new(socket), path }, Bound { address }))
}

struct Made {
    socket: OwnedFd,
    path: Option<(PathBuf, FileId)>,
    address: Option<(IpAddr, u16)>,
}

fn inherited(address: &Listen, socket: OwnedFd) -> io::Result<Made> {
    match address {
        Listen::Tcp { .. } => tcp(socket),
        Listen::Udp { .. } => udp(socket),
        Listen::Unix { path, .. } => {
            let path = PathBuf::from(path);
            let file = listen::file_id(&path)?;
            Ok(Made { socket, path: Some((path, file)), address: None })
        }
    }
}

fn made(address: &Listen, backlog: u32) -> io::Result<Made> {
    match address {
        Listen::Tcp { host, port, ipv6_only } => tcp(listen::tcp(host.as_deref(), *port, *ipv6_only, backlog)?),
        Listen::Udp { host, port, ipv6, ipv6_only, reuse_address } => {
            udp(listen::udp(host.as_deref(), *port, *ipv6, *ipv6_only, *reuse_address)?)
        }
        Listen::Unix { path, readable_all, writable_all } => {
            let path = PathBuf::from(path);
            let made = listen::unix(&path, *readable_all, *writable_all, backlog).map_err(as_node_says)?;
            Ok(Made { socket: made.socket, path: Some((path, made.file)), address: None })
        }
    }
}

/// A missing folder is EACCES in Node.
fn as_node_says(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::NotFound { io::Error::from_raw_os_error(EACCES) } else { error }
}

fn tcp(socket: OwnedFd) -> io::Result<Made> {
    let socket = TcpListener::from(socket);
    let address = socket.local_addr()?;
    Ok(Made { socket: socket.into(), path: None, address: Some((address.ip(), address.port())) })
}

fn udp(socket: OwnedFd) -> io::Result<Made> {
    let socket = UdpSocket::from(socket);
    let address = socket.local_addr()?;
    Ok(Made { socket: socket.into(), path: None, address: Some((address.ip(), address.port())) })
}
