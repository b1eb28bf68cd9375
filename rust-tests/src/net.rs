//! Connections that look as if they came from many clients. Loopback only.

use std::io;
use std::net::TcpStream;
use std::os::fd::AsRawFd;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, socket};

/// A connection to a port of this machine from one of its own addresses, `127.x.y.z`.
///
/// # Errors
/// As of `bind` and `connect`.
pub fn connect_from([a, b, c, d]: [u8; 4], port: u16) -> io::Result<TcpStream> {
    let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    bind(socket.as_raw_fd(), &SockaddrIn::new(a, b, c, d, 0))?;
    connect(socket.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, port))?;
    Ok(socket.into())
}
