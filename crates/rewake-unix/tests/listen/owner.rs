//! Whose port it is.

use rewake_unix::listen::{local_port, owner_of_port, tcp};

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
