//! Bound UDP sockets.

use std::io;
use std::net::UdpSocket;

use nix::libc;
use rewake_unix::listen::{local_address, local_port, udp};

use crate::{LONG, has_ipv6, number, wait};

#[test]
fn a_datagram_comes_in_and_its_answer_goes_back() {
    let fd = udp(Some("127.0.0.1"), 0, false, false, false).unwrap();
    let port = local_port(&fd).unwrap();
    let server = UdpSocket::from(fd);
    assert_eq!(server.recv(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(LONG)).unwrap();
    client.send_to(b"ping", ("127.0.0.1", port)).unwrap();
    wait(&server);
    let mut buffer = [0; 16];
    let (length, from) = server.recv_from(&mut buffer).unwrap();
    server.send_to(&buffer[..length], from).unwrap();
    assert_eq!(client.recv(&mut buffer).unwrap(), 4);
    assert_eq!(&buffer[..4], b"ping");
}

#[test]
fn an_address_is_shared_only_when_all_say_so() {
    let number =
        |port, reuse| udp(Some("127.0.0.1"), port, false, false, reuse).map(drop).map_err(|error| error.raw_os_error());
    let alone = udp(Some("127.0.0.1"), 0, false, false, false).unwrap();
    let port = local_port(&alone).unwrap();
    assert_eq!(number(port, false), Err(Some(libc::EADDRINUSE)));
    assert_eq!(number(port, true), Err(Some(libc::EADDRINUSE)));
    drop(alone);
    let shared = udp(Some("127.0.0.1"), 0, false, false, true).unwrap();
    let port = local_port(&shared).unwrap();
    assert_eq!(number(port, false), Err(Some(libc::EADDRINUSE)));
    assert_eq!(number(port, true), Ok(()));
}

#[test]
fn the_family_is_as_asked_for() {
    let any = udp(None, 0, false, false, false).unwrap();
    assert_eq!(local_address(&any).unwrap().ip().to_string(), "0.0.0.0");
    for (host, ipv6) in [("127.0.0.1", true), ("::1", false), ("localhost", false)] {
        assert_eq!(number(udp(Some(host), 0, ipv6, false, false)), Some(libc::EINVAL), "{host}");
    }
    if has_ipv6() {
        let six = udp(None, 0, true, true, false).unwrap();
        let port = local_port(&six).unwrap();
        assert!(udp(Some("127.77.0.1"), port, false, false, false).is_ok(), "IPv6 only leaves IPv4 free");
    }
}
