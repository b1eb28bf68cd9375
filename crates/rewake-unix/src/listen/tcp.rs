//! One listening TCP socket, as Node's own primary makes it. Never shares an address with somebody else.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::address::{bind_to, first_of, open_tcp, start};

/// A socket that listens on an IP literal, or without one on `::` for IPv6 and IPv4, and where there is no IPv6 on `0.0.0.0`.
/// Port 0 lets the kernel choose: see [`local_port`](super::local_port). `ipv6_only` keeps IPv4 out of an IPv6 socket;
/// as in Node, it does not keep from `0.0.0.0`.
///
/// # Errors
/// With the error number of the kernel: `EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`, `EMFILE`, …; `EINVAL` for a host that is no IP.
pub fn tcp(host: Option<&str>, port: u16, ipv6_only: bool, backlog: u32) -> io::Result<OwnedFd> {
    first_of(host, port, |address| {
        let fd = open_tcp(address, ipv6_only)?;
        bind_to(&fd, address)?;
        start(fd.as_fd(), backlog)?;
        Ok(fd)
    })
}
