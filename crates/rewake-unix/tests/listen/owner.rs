//! Whose port it is.

use rewake_unix::listen::{Transport, local_port, owner_of_port, owners_of_port, tcp, udp};

#[test]
fn this_process_is_found_by_its_port() {
    for host in [Some("127.0.0.1"), None] {
        let listener = tcp(host, 0, false, 8).unwrap();
        let port = local_port(&listener).unwrap();
        assert_eq!(owner_of_port(port), Some(std::process::id()));
    }
    // No socket listens on port 0.
    assert_eq!(owner_of_port(0), None);
}

#[test]
fn of_udp_only_sockets_without_a_peer_count() {
    let socket = udp(Some("127.0.0.1"), 0, false, false, false).unwrap();
    let port = local_port(&socket).unwrap();
    assert_eq!(owners_of_port(Transport::Udp, port), [std::process::id()]);
    let connected = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    connected.connect(("127.0.0.1", port)).unwrap();
    let port = connected.local_addr().unwrap().port();
    assert_eq!(owners_of_port(Transport::Udp, port), Vec::<u32>::new());
}
