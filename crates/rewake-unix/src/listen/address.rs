//! Addresses as Node writes them, and sockets bound to them. Never resolves a name.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::libc;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::sockopt::{AcceptConn, Ipv6V6Only, ReuseAddr};
use nix::sys::socket::{
    AddressFamily, Shutdown, SockFlag, SockType, SockaddrStorage, bind, getsockname, getsockopt, setsockopt, shutdown,
    socket,
};

use crate::sys::check;

/// The address that a bound socket has. An IPv4 one of a dual-stack socket is `::`.
///
/// # Errors
/// `EAFNOSUPPORT` when it is no TCP or UDP socket.
pub fn local_address(fd: impl AsFd) -> io::Result<SocketAddr> {
    let found: SockaddrStorage = getsockname(fd.as_fd().as_raw_fd())?;
    match (found.as_sockaddr_in(), found.as_sockaddr_in6()) {
        (Some(v4), _) => Ok(SocketAddr::new(IpAddr::V4(v4.ip()), v4.port())),
        (_, Some(v6)) => Ok(SocketAddrV6::new(v6.ip(), v6.port(), 0, v6.scope_id()).into()),
        (None, None) => Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT)),
    }
}

/// The port that a bound socket has: the one that the kernel chose where 0 was asked for.
///
/// # Errors
/// As [`local_address`].
pub fn local_port(fd: impl AsFd) -> io::Result<u16> {
    Ok(local_address(fd)?.port())
}

/// Whether a socket accepts connections. It no longer does once any copy of it was shut down.
///
/// # Errors
/// `ENOTSOCK`.
pub fn is_listening(fd: impl AsFd) -> io::Result<bool> {
    Ok(getsockopt(&fd.as_fd(), AcceptConn)?)
}

/// Lets a socket accept no more, and refuses who waits to be accepted, whoever else has a copy of it. For good: its address is
/// free only when all copies are closed.
///
/// # Errors
/// `ENOTCONN` when it does not listen.
pub fn stop_listening(fd: impl AsFd) -> io::Result<()> {
    Ok(shutdown(fd.as_fd().as_raw_fd(), Shutdown::Both)?)
}

/// An IP literal, with or without a scope (`fe80::1%eth0`). A scope that names no interface counts as none, as in libuv: what
/// that means is for `bind` to say.
pub(super) fn parse(host: &str, port: u16) -> io::Result<SocketAddr> {
    let invalid = |_| io::Error::from_raw_os_error(libc::EINVAL);
    if let Some((ip, scope)) = host.split_once('%') {
        let ip: Ipv6Addr = ip.parse().map_err(invalid)?;
        let scope = if_nametoindex(scope).ok().or_else(|| scope.parse().ok()).unwrap_or(0);
        return Ok(SocketAddrV6::new(ip, port, 0, scope).into());
    }
    Ok(SocketAddr::new(host.parse().map_err(invalid)?, port))
}

/// Tries what `make` makes of the address; without a host of both stacks, then of IPv4 alone.
pub(super) fn first_of<T>(host: Option<&str>, port: u16, make: impl Fn(SocketAddr) -> io::Result<T>) -> io::Result<T> {
    if let Some(host) = host {
        return make(parse(host, port)?);
    }
    match make(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)) {
        // These two say something of the port, not of IPv6. Everything else is Node's reason, too, to do without.
        Err(error) if !matches!(error.raw_os_error(), Some(libc::EADDRINUSE | libc::EACCES)) => {
            make(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port))
        }
        done => done,
    }
}

/// A new socket for this address, not yet bound.
pub(super) fn open(address: SocketAddr, kind: SockType) -> io::Result<OwnedFd> {
    let family = if address.is_ipv6() { AddressFamily::Inet6 } else { AddressFamily::Inet };
    Ok(socket(family, kind, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)?)
}

/// A TCP socket with the options that libuv gives it before `bind`.
pub(super) fn open_tcp(address: SocketAddr, ipv6_only: bool) -> io::Result<OwnedFd> {
    let fd = open(address, SockType::Stream)?;
    // Connections of an earlier owner that linger in TIME_WAIT do not hold the address.
    setsockopt(&fd, ReuseAddr, &true)?;
    if address.is_ipv6() {
        setsockopt(&fd, Ipv6V6Only, &ipv6_only)?;
    }
    Ok(fd)
}

pub(super) fn bind_to(fd: &OwnedFd, address: SocketAddr) -> io::Result<()> {
    Ok(bind(fd.as_raw_fd(), &SockaddrStorage::from(address))?)
}

/// `listen(2)`. The kernel cuts the backlog to `net.core.somaxconn`.
pub(super) fn start(fd: BorrowedFd<'_>, backlog: u32) -> io::Result<()> {
    let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
    // SAFETY: listen takes two numbers and touches no memory of ours.
    check(unsafe { libc::listen(fd.as_raw_fd(), backlog) })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_read_with_and_without_a_scope_and_names_are_not() {
        assert_eq!(parse("127.0.0.1", 80).unwrap().to_string(), "127.0.0.1:80");
        assert_eq!(parse("::1", 80).unwrap().to_string(), "[::1]:80");
        let loopback = if_nametoindex("lo").unwrap();
        let expected = SocketAddrV6::new("fe80::1".parse().unwrap(), 80, 0, loopback);
        assert_eq!(parse("fe80::1%lo", 80).unwrap(), expected.into());
        assert_eq!(parse(&format!("fe80::1%{loopback}"), 80).unwrap(), expected.into());
        assert_eq!(parse("fe80::1%nowhere", 80).unwrap().to_string(), "[fe80::1]:80");
        for bad in ["", "localhost", "127.0.0.1%lo", "127.1", "[::1]", "::1 "] {
            assert_eq!(parse(bad, 80).unwrap_err().raw_os_error(), Some(libc::EINVAL), "{bad}");
        }
    }

    #[test]
    fn without_a_host_only_a_port_in_use_or_refused_is_final() {
        let tried = std::cell::RefCell::new(Vec::new());
        let outcome = |error: i32| {
            tried.borrow_mut().clear();
            let made = first_of(None, 7, |address| {
                tried.borrow_mut().push(address.to_string());
                if address.is_ipv6() { Err(io::Error::from_raw_os_error(error)) } else { Ok(()) }
            });
            (made.map_err(|error| error.raw_os_error()), tried.borrow().len())
        };
        for error in [libc::EAFNOSUPPORT, libc::EADDRNOTAVAIL, libc::EINVAL] {
            assert_eq!(outcome(error), (Ok(()), 2));
        }
        for error in [libc::EADDRINUSE, libc::EACCES] {
            assert_eq!(outcome(error), (Err(Some(error)), 1));
        }
        assert_eq!(outcome(libc::EINVAL).1, 2);
        assert_eq!(*tried.borrow(), ["[::]:7", "0.0.0.0:7"]);
    }
}
