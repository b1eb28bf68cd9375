//! Who listens on a port, for an error message. A guess made of `/proc`: never to be acted upon.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};

/// The listening sockets of a machine, processes and descriptors that are looked at, at most: some tenths of a second on a slow machine.
const MOST_SOCKETS: usize = 10_000;
const MOST_PROCESSES: usize = 10_000;
const MOST_DESCRIPTORS: usize = 200_000;

/// Pid of a process that listens on this TCP port, at any address. Only processes are found that we may look into: those of the
/// same user, and for root all. Of several that share the socket the one with the lowest pid, usually the parent, which may be this one.
#[must_use]
pub fn owner_of_port(port: u16) -> Option<u32> {
    let mut sockets = BTreeSet::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        // There is no second one without IPv6.
        if let Ok(table) = File::open(table) {
            sockets.extend(listeners(table, port));
        }
    }
    if sockets.is_empty() {
        return None;
    }
    let mut pids: Vec<u32> = fs::read_dir("/proc")
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .take(MOST_PROCESSES)
        .collect();
    pids.sort_unstable();
    let mut left = MOST_DESCRIPTORS;
    pids.into_iter().find(|&pid| holds(pid, &sockets, &mut left).unwrap_or(false))
}

/// Numbers of the sockets in one of the kernel's tables that listen on this port.
fn listeners(table: impl Read, port: u16) -> Vec<u64> {
    BufReader::new(table)
        .lines()
        .skip(1)
        .take(MOST_SOCKETS)
        .map_while(Result::ok)
        // Those that listen come first: the many connections after them are not read.
        .map_while(|line| listener(&line))
        .filter(|&(found, _)| found == port)
        .map(|(_, socket)| socket)
        .collect()
}

/// Port and number of the socket in one line of the table, if it listens.
fn listener(line: &str) -> Option<(u16, u64)> {
    let mut fields = line.split_ascii_whitespace();
    let (_, port) = fields.nth(1)?.rsplit_once(':')?;
    let state = fields.nth(1)?;
    let socket = fields.nth(5)?.parse().ok()?;
    (state == "0A").then_some((u16::from_str_radix(port, 16).ok()?, socket))
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
        assert_eq!(listeners(table.as_bytes(), 3000), [111, 333]);
        assert_eq!(listeners(table.as_bytes(), 3001), [222]);
        assert_eq!(listeners("head\ngarbage : :\n".as_bytes(), 0), []);
    }
}
