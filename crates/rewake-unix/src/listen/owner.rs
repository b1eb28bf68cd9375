//! Who listens on a port or at a path, for an error message. A guess made of `/proc`: never to be acted upon.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::path::Path;

use crate::socket::{connect_now, peer};

/// The listening sockets of a machine, processes and descriptors that are looked at, at most: some tenths of a second on a slow machine.
const MOST_SOCKETS: usize = 10_000;
const MOST_PROCESSES: usize = 10_000;
const MOST_DESCRIPTORS: usize = 200_000;

/// What a port is a port of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Tcp,
    Udp,
}

impl Transport {
    /// The kernel's tables, of which there is only the first without IPv6.
    fn tables(self) -> [&'static str; 2] {
        match self {
            Self::Tcp => ["/proc/net/tcp", "/proc/net/tcp6"],
            Self::Udp => ["/proc/net/udp", "/proc/net/udp6"],
        }
    }

    /// The state of a socket that waits for anybody: `LISTEN`, and what the kernel says of a UDP socket without a peer.
    fn open_state(self) -> &'static str {
        match self {
            Self::Tcp => "0A",
            Self::Udp => "07",
        }
    }
}

/// Pid of a process that listens on this TCP port, at any address. Only processes are found that we may look into: those of the
/// same user, and for root all. Of several that share the socket the one with the lowest pid, usually the parent, which may be this one.
#[must_use]
pub fn owner_of_port(port: u16) -> Option<u32> {
    owners(Transport::Tcp, port).next()
}

/// All such processes, in the order of their pids.
#[must_use]
pub fn owners_of_port(transport: Transport, port: u16) -> Vec<u32> {
    owners(transport, port).collect()
}

/// Pid of the process that made the socket at this path listen, if it still does. Asked by connecting.
#[must_use]
pub fn owner_of_path(path: &Path) -> Option<u32> {
    let connection = connect_now(path).ok()?;
    Some(peer(connection.as_fd()).ok()?.pid)
}

fn owners(transport: Transport, port: u16) -> impl Iterator<Item = u32> {
    let mut sockets = BTreeSet::new();
    for table in transport.tables() {
        if let Ok(table) = File::open(table) {
            sockets.extend(listeners(table, transport, port));
        }
    }
    let mut pids = if sockets.is_empty() { Vec::new() } else { processes().unwrap_or_default() };
    pids.sort_unstable();
    let mut left = MOST_DESCRIPTORS;
    pids.into_iter().filter(move |&pid| holds(pid, &sockets, &mut left).unwrap_or(false))
}

fn processes() -> io::Result<Vec<u32>> {
    let number = |entry: io::Result<fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
    Ok(fs::read_dir("/proc")?.filter_map(number).take(MOST_PROCESSES).collect())
}

/// Numbers of the sockets in one of the kernel's tables that listen on this port.
fn listeners(table: impl Read, transport: Transport, port: u16) -> Vec<u64> {
    BufReader::new(table)
        .lines()
        .skip(1)
        .take(MOST_SOCKETS)
        .map_while(Result::ok)
        .map_while(|line| entry(&line))
        // Those that listen come first: the many TCP connections after them are not read.
        .take_while(|(_, _, state)| transport == Transport::Udp || state == transport.open_state())
        .filter(|(found, _, state)| *found == port && state == transport.open_state())
        .map(|(_, socket, _)| socket)
        .collect()
}

/// Port, number and state of the socket in one line of the table.
fn entry(line: &str) -> Option<(u16, u64, String)> {
    let mut fields = line.split_ascii_whitespace();
    let (_, port) = fields.nth(1)?.rsplit_once(':')?;
    let state = fields.nth(1)?;
    let socket = fields.nth(5)?.parse().ok()?;
    Some((u16::from_str_radix(port, 16).ok()?, socket, state.to_owned()))
}

fn holds(pid: u32, sockets: &BTreeSet<u64>, left: &mut usize) -> io::Result<bool> {
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))? {
        let Some(fewer) = left.checked_sub(1) else { return Ok(false) };
        *left = fewer;
        // It may be closed between the listing and the look.
        let Ok(target) = fs::read_link(entry?.path()) else { continue };
        let number = target.to_str().and_then(|text| text.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
        if number.is_some_and(|number| sockets.contains(&number)) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_up_to_the_first_connection() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0 100 0 0 10 0
   1: 00000000000000000000000000000000:0BB9 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 222 1 0 100 0 0 10 0
   2: 00000000:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1 0 100 0 0 10 0
   3: 0100007F:0BB8 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 444 1 0 100 0 0 10 0
   4: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 555 1 0 100 0 0 10 0
";
        assert_eq!(listeners(table.as_bytes(), Transport::Tcp, 3000), [111, 333]);
        assert_eq!(listeners(table.as_bytes(), Transport::Tcp, 3001), [222]);
        assert_eq!(listeners("head\ngarbage : :\n".as_bytes(), Transport::Tcp, 0), []);
    }
}
