//! What the kernel tells of a queue.

use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::Instant;

use nix::libc;
use rewake_unix::listen::{Queue, accept_nonblocking, local_port, queue, tcp, unix};

use crate::LONG;

#[test]
fn the_queue_tells_who_waits_and_how_many_may() {
    let listener = tcp(Some("127.0.0.1"), 0, false, 5).unwrap();
    let port = local_port(&listener).unwrap();
    assert_eq!(queue(listener.as_fd()).unwrap(), Queue { waiting: 0, limit: 5 });
    let clients: Vec<_> = (0..3).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    // The client is connected one packet before the listener counts it.
    let until = Instant::now() + LONG;
    while queue(listener.as_fd()).unwrap().waiting < 3 {
        assert!(Instant::now() < until, "three connections are never seen");
        std::thread::yield_now();
    }
    drop(accept_nonblocking(listener.as_fd()).unwrap());
    assert_eq!(queue(listener.as_fd()).unwrap(), Queue { waiting: 2, limit: 5 });
    let connected = clients[0].as_fd();
    assert_eq!(queue(connected).unwrap_err().raw_os_error(), Some(libc::EINVAL));
    let scratch = tempfile::tempdir().unwrap();
    let other = unix(&scratch.path().join("s"), false, false, 5).unwrap();
    assert!(queue(other.socket.as_fd()).is_err());
}
