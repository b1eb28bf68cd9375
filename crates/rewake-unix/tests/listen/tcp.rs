//! One listening socket for an address.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::libc;
use rewake_unix::fd;
use rewake_unix::listen::{accept_nonblocking, is_listening, local_address, local_port, stop_listening, tcp};

use crate::group::stranger;
use crate::{has_ipv6, number, wait};

fn served(listener: &OwnedFd, host: &str) -> io::Result<()> {
    let port = local_port(listener)?;
    let mut client = TcpStream::connect((host, port))?;
    client.write_all(b"x")?;
    wait(listener);
    let accepted = accept_nonblocking(listener.as_fd())?;
    let flags = OFlag::from_bits_retain(fcntl(&accepted, FcntlArg::F_GETFL)?);
    assert!(flags.contains(OFlag::O_NONBLOCK));
    drop(TcpStream::from(accepted));
    // The end of the connection, or its reset: what came in was never read.
    let _ = client.read(&mut [0]);
    Ok(())
}

#[test]
fn without_a_host_both_stacks_are_served() {
    let listener = tcp(None, 0, false, 8).unwrap();
    assert!(is_listening(&listener).unwrap());
    served(&listener, "127.0.0.1").unwrap();
    if has_ipv6() {
        assert!(local_address(&listener).unwrap().is_ipv6());
        served(&listener, "::1").unwrap();
    }
}

#[test]
fn ipv6_only_keeps_ipv4_out() {
    if !has_ipv6() {
        assert!(tcp(Some("::1"), 0, true, 8).is_err());
        return;
    }
    let listener = tcp(Some("::"), 0, true, 8).unwrap();
    served(&listener, "::1").unwrap();
    assert_eq!(served(&listener, "127.0.0.1").unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    // The IPv4 half of the port is free for another. (The address is one that no other test uses.)
    let port = local_port(&listener).unwrap();
    served(&tcp(Some("127.77.0.1"), port, false, 8).unwrap(), "127.77.0.1").unwrap();
}

#[test]
fn what_has_stopped_listening_refuses_whoever_has_a_copy_and_is_no_obstacle() {
    let listener = tcp(Some("127.77.0.2"), 0, false, 8).unwrap();
    let (copy, port) = (listener.try_clone().unwrap(), local_port(&listener).unwrap());
    let mut waiting = TcpStream::connect(("127.77.0.2", port)).unwrap();
    stop_listening(&listener).unwrap();
    assert!(!is_listening(&copy).unwrap());
    assert_eq!(waiting.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    let refused = TcpStream::connect(("127.77.0.2", port)).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    served(&tcp(Some("127.77.0.2"), port, false, 8).unwrap(), "127.77.0.2").unwrap();
    drop(copy);
}

#[test]
fn whether_a_socket_waits_can_be_changed_for_all_copies() {
    let listener = tcp(Some("127.0.0.1"), 0, false, 8).unwrap();
    let copy = listener.try_clone().unwrap();
    let nonblocking = || OFlag::from_bits_retain(fcntl(&copy, FcntlArg::F_GETFL).unwrap()).contains(OFlag::O_NONBLOCK);
    fd::set_blocking(&listener).unwrap();
    assert!(!nonblocking());
    fd::set_nonblocking(&listener).unwrap();
    assert!(nonblocking());
}

#[test]
fn a_socket_neither_blocks_nor_leaks() {
    let listener = tcp(Some("127.0.0.1"), 0, false, 8).unwrap();
    assert_eq!(accept_nonblocking(listener.as_fd()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    let flags = FdFlag::from_bits_retain(fcntl(&listener, FcntlArg::F_GETFD).unwrap());
    assert!(flags.contains(FdFlag::FD_CLOEXEC));
}

#[test]
fn an_address_in_use_is_refused_and_free_again_when_closed() {
    // Nobody else takes a port of this address when it is free.
    let listener = tcp(Some("127.77.0.2"), 0, false, 8).unwrap();
    let port = local_port(&listener).unwrap();
    let number = |host| tcp(host, port, false, 8).map(drop).map_err(|error| error.raw_os_error());
    assert_eq!(number(Some("127.77.0.2")), Err(Some(libc::EADDRINUSE)));
    assert_eq!(number(Some("0.0.0.0")), Err(Some(libc::EADDRINUSE)));
    assert_eq!(number(None), Err(Some(libc::EADDRINUSE)));
    assert_eq!(number(Some("127.77.0.3")), Ok(()));
    // A connection of the old socket lingers in TIME_WAIT on this side.
    let client = TcpStream::connect(("127.77.0.2", port)).unwrap();
    wait(&listener);
    drop(accept_nonblocking(listener.as_fd()).unwrap());
    drop(client);
    drop(listener);
    assert_eq!(number(Some("127.77.0.2")), Ok(()));
}

#[test]
fn a_stranger_that_would_share_is_still_a_stranger() {
    let stranger = stranger();
    let port = local_port(&stranger).unwrap();
    assert_eq!(number(tcp(Some("127.0.0.1"), port, false, 8)), Some(libc::EADDRINUSE));
}

#[test]
fn errors_carry_their_number() {
    // 192.0.2.0/24 is for documentation: no machine has it.
    let number = |host, port| tcp(Some(host), port, false, 8).unwrap_err().raw_os_error();
    assert_eq!(number("192.0.2.1", 0), Some(libc::EADDRNOTAVAIL));
    assert_eq!(number("localhost", 0), Some(libc::EINVAL));
    let lowest = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    // Root, and whoever is allowed every port, cannot be refused one.
    if rewake_unix::user::effective() != 0 && lowest.trim().parse::<u16>().unwrap() > 1 {
        assert_eq!(number("127.0.0.1", 1), Some(libc::EACCES));
    }
}

#[test]
fn a_huge_backlog_and_none_are_taken() {
    for backlog in [0, u32::MAX] {
        let listener = tcp(Some("127.0.0.1"), 0, false, backlog).unwrap();
        assert!(is_listening(&listener).unwrap());
    }
}
