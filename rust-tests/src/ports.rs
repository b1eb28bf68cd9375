//! Ports that no other test uses: below those that the system gives to clients, and locked while the test runs.

use std::fs::File;
use std::io::ErrorKind;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::sync::Mutex;

/// Below the ports that Linux gives out by itself (32768 and above), above those that services like.
const FIRST: u16 = 10_000;
const COUNT: u16 = 22_000;

static LOCKS: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// A port that is free for TCP and UDP, and stays this test's own until it ends.
///
/// # Panics
/// When none is free.
#[must_use]
pub fn free_port() -> u16 {
    free_ports(1)
}

/// As [`free_port`], the first of so many in a row.
///
/// # Panics
/// When there are not so many.
#[must_use]
pub fn free_ports(count: u16) -> u16 {
    let user = std::fs::metadata("/proc/self").unwrap().uid();
    let folder = std::env::temp_dir().join(format!("rewake-test-ports-{user}"));
    std::fs::create_dir_all(&folder).unwrap();
    // Each test begins elsewhere; the locks decide.
    let start = u16::try_from(std::process::id().wrapping_mul(7919) % u32::from(COUNT)).unwrap();
    let mut row = Vec::new();
    for port in (FIRST..FIRST + COUNT).cycle().skip(usize::from(start)).take(usize::from(COUNT)) {
        if port == FIRST {
            row.clear();
        }
        let lock = File::create(folder.join(port.to_string())).unwrap();
        if lock.try_lock().is_ok() && is_free(port) {
            row.push(lock);
        } else {
            row.clear();
        }
        if row.len() == usize::from(count) {
            LOCKS.lock().unwrap().append(&mut row);
            return port + 1 - count;
        }
    }
    panic!("no {count} ports in a row are free");
}

fn is_free(port: u16) -> bool {
    // On a machine without IPv6 only the first two say something.
    let v6 = match TcpListener::bind(("::", port)) {
        Ok(_) => true,
        Err(error) => error.kind() != ErrorKind::AddrInUse,
    };
    v6 && TcpListener::bind(("0.0.0.0", port)).is_ok() && UdpSocket::bind(("0.0.0.0", port)).is_ok()
}

/// Whether this machine has IPv6.
#[must_use]
pub fn has_ipv6() -> bool {
    TcpListener::bind(("::1", 0)).is_ok()
}
