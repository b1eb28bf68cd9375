//! One bound UDP socket, as libuv makes it. Never reads a datagram.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use nix::libc;
use nix::sys::socket::sockopt::{Ipv6V6Only, ReuseAddr};
use nix::sys::socket::{SockType, setsockopt};

use super::address::{bind_to, open, parse};

/// A socket bound to an IP literal of the family that `ipv6` names, or without one to every address of it. `reuse_address` shares
/// the address with others who ask for the same; the kernel then gives each datagram to the last of them (multicast: to all).
///
/// # Errors
/// With the error number of the kernel; `EINVAL` when the host is no IP of this family.
pub fn udp(host: Option<&str>, port: u16, ipv6: bool, ipv6_only: bool, reuse_address: bool) -> io::Result<OwnedFd> {
    let address = match host {
        Some(host) => parse(host, port)?,
        None if ipv6 => SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port),
        None => SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port),
    };
    if address.is_ipv6() != ipv6 {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let fd = open(address, SockType::Datagram)?;
    if reuse_address {
        setsockopt(&fd, ReuseAddr, &true)?;
    }
    // Not set to false otherwise: unlike for TCP, libuv leaves it to the system's own default.
    if ipv6 && ipv6_only {
        setsockopt(&fd, Ipv6V6Only, &true)?;
    }
    bind_to(&fd, address)?;
    Ok(fd)
}
