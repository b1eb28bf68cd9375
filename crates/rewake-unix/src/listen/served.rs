//! How many connections of its own ports a process has open, for people to see. Made of `/proc`: never to be acted upon, and never looked up
//! unless somebody asks.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};

/// Connections of a machine and descriptors of a process that are looked at, at most: some tenths of a second on a slow machine.
const MOST_CONNECTIONS: usize = 200_000;
const MOST_DESCRIPTORS: usize = 200_000;
/// `TCP_ESTABLISHED` in the kernel's table.
const ESTABLISHED: &str = "01";

/// How many established connections to one of these local ports a process holds. `None` when it cannot be looked into.
#[must_use]
pub fn open_connections(pid: u32, ports: &[u16]) -> Option<usize> {
    let mut established = BTreeSet::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        // There is no second one without IPv6.
        if let Ok(table) = File::open(table) {
            established.extend(connections(table, ports));
        }
    }
    let held = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.take(MOST_DESCRIPTORS).filter_map(|entry| {
        let target = fs::read_link(entry.ok()?.path()).ok()?;
        target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    });
    Some(held.filter(|socket: &u64| established.contains(socket)).count())
}

/// Numbers of the sockets in one of the kernel's tables that are connected to one of these local ports.
fn connections(table: impl Read, ports: &[u16]) -> Vec<u64> {
    let lines = BufReader::new(table).lines().skip(1).take(MOST_CONNECTIONS).map_while(Result::ok);
    lines.filter_map(|line| connection(&line, ports)).collect()
}

fn connection(line: &str, ports: &[u16]) -> Option<u64> {
    let mut fields = line.split_ascii_whitespace();
    let (_, port) = fields.nth(1)?.rsplit_once(':')?;
    let state = fields.nth(1)?;
    if state != ESTABLISHED || !ports.contains(&u16::from_str_radix(port, 16).ok()?) {
        return None;
    }
    fields.nth(5)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn accepted_connections_of_the_port_are_counted_and_no_others() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let me = std::process::id();
        assert_eq!(open_connections(me, &[port]), Some(0));
        let clients: Vec<_> = (0..3).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
        let mut servers: Vec<_> = clients.iter().map(|_| listener.accept().unwrap().0).collect();
        assert_eq!(open_connections(me, &[port, 1]), Some(3));
        assert_eq!(open_connections(me, &[1]), Some(0));
        servers.truncate(1);
        assert_eq!(open_connections(me, &[port]), Some(1));
    }

    #[test]
    fn a_process_that_is_not_there_has_none_to_tell_and_garbage_is_no_connection() {
        assert_eq!(open_connections(u32::MAX, &[80]), None);
        assert_eq!(connections("head\ngarbage : :\n\u{1}\n".as_bytes(), &[0]), []);
    }
}
