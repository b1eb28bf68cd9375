//! Real listening sockets, on loopback and in the file system. Started apart from the tests that start processes, whose children
//! would hold copies of these sockets for a moment.

mod group;
mod owner;
mod queue;
mod tcp;
mod udp;
mod unix;

use std::fmt::Debug;
use std::io;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::time::Duration;

use rewake_unix::poll::{self, Interest};

/// Far more than loopback needs on a busy machine; only a hang reaches it.
const LONG: Duration = Duration::from_secs(60);

/// Without IPv6 on this machine other things are true.
fn has_ipv6() -> bool {
    TcpListener::bind("[::1]:0").is_ok()
}

fn number<T: Debug>(result: io::Result<T>) -> Option<i32> {
    result.unwrap_err().raw_os_error()
}

/// Waits for something to accept or to read.
fn wait(fd: &impl AsFd) {
    assert_eq!(poll::wait(&[(fd.as_fd(), Interest::Read)], Some(LONG)).unwrap(), [true], "nothing comes in");
}
