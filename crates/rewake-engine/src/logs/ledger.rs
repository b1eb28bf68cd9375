//! How far each stream has come, in a file in memory that the keeper holds: what a killed daemon's successor goes on from.
//! Never on a disk; one record is written at once or not at all.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use rewake_unix::memfd;
use rewake_wire::Stream;

/// Room for a record. A page holds a whole number of them, so that a write is never cut in two by a signal.
const RECORD_BYTES: usize = 256;
const WORDS: usize = RECORD_BYTES / 8;
/// Files that one stream is written to at most: its own and the combined one.
pub(crate) const MOST_TARGETS: usize = 2;

/// Which stream of which run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) run: u64,
    /// Stderr.
    pub(crate) err: bool,
}

impl Key {
    pub(crate) fn stream(self) -> Stream {
        if self.err { Stream::Err } else { Stream::Out }
    }
}

/// How far a stream has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) key: Key,
    /// All bytes of the spool before this one are in the log.
    pub(crate) cursor: u64,
    /// The last byte in the log was not the end of a line.
    pub(crate) mid_line: bool,
    /// What had to be thrown away: from, to.
    pub(crate) gap: Option<(u64, u64)>,
    pub(crate) pending: Option<Intent>,
}

/// What is being written to the log, and where it begins there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Intent {
    pub(crate) what: What,
    /// The time that its lines tell, ms since the epoch.
    pub(crate) time_ms: u64,
    pub(crate) spots: [Option<Spot>; MOST_TARGETS],
}

/// What is being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// So many bytes from the cursor on.
    Bytes(u64),
    /// The line that says how many bytes are missing; behind it the stream goes on at `to`.
    Note { count: u64, to: u64 },
}

/// A place in a log file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) offset: u64,
}

/// All records.
#[derive(Debug)]
pub(crate) struct Ledger {
    file: File,
    free: Vec<u64>,
    slots: u64,
}

/// Where a stream's record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place(u64);

impl Ledger {
    /// An empty ledger.
    pub(crate) fn new() -> io::Result<Self> {
        let file = File::from(memfd::from_bytes("rewake-ledger", &[])?);
        Ok(Self { file, free: Vec::new(), slots: 0 })
    }

    /// The ledger that an earlier daemon has left, and what it holds.
    pub(crate) fn inherited(fd: OwnedFd) -> io::Result<(Self, Vec<(Place, Record)>)> {
        let file = File::from(fd);
        let mut bytes = vec![0; usize::try_from(file.metadata()?.len()).unwrap_or(0)];
        file.read_exact_at(&mut bytes, 0)?;
        let slots = bytes.len().div_ceil(RECORD_BYTES) as u64;
        let mut ledger = Self { file, free: Vec::new(), slots };
        let mut records = Vec::new();
        for (slot, bytes) in (0..).zip(bytes.chunks(RECORD_BYTES)) {
            match decode(bytes) {
                Some(record) => records.push((Place(slot), record)),
                None => ledger.free.push(slot),
            }
        }
        Ok((ledger, records))
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// A place for a new stream.
    pub(crate) fn place(&mut self) -> Place {
        Place(self.free.pop().unwrap_or_else(|| {
            self.slots += 1;
            self.slots - 1
        }))
    }

    /// Writes a stream's record. It can fail only for want of memory; then a killed daemon's successor would repeat some lines.
    pub(crate) fn write(&self, place: Place, record: &Record) {
        self.put(place, &encode(record));
    }

    /// A stream is over.
    pub(crate) fn forget(&mut self, place: Place) {
        self.put(place, &[0; RECORD_BYTES]);
        self.free.push(place.0);
    }

    fn put(&self, Place(slot): Place, bytes: &[u8]) {
        if let Err(error) = self.file.write_all_at(bytes, slot * RECORD_BYTES as u64) {
            tracing::error!("the position of an output cannot be noted: {error}");
        }
    }
}

fn encode(record: &Record) -> [u8; RECORD_BYTES] {
    let mut words = [0u64; WORDS];
    let (from, to) = record.gap.unwrap_or_default();
    words[0] = 1 + u64::from(record.key.err);
    words[1] = record.key.run;
    words[2] = record.cursor;
    words[3] = u64::from(record.mid_line);
    (words[4], words[5]) = (from, to);
    if let Some(intent) = &record.pending {
        (words[6], words[7], words[8]) = match intent.what {
            What::Bytes(length) => (1, length, 0),
            What::Note { count, to } => (2, count, to),
        };
        words[9] = intent.time_ms;
        for (spot, words) in intent.spots.iter().zip(words[10..].chunks_mut(4)) {
            if let (Some(spot), [used, device, inode, offset]) = (spot, words) {
                (*used, *device, *inode, *offset) = (1, spot.device, spot.inode, spot.offset);
            }
        }
    }
    let mut bytes = [0; RECORD_BYTES];
    for (word, place) in words.iter().zip(bytes.chunks_mut(8)) {
        place.copy_from_slice(&word.to_ne_bytes());
    }
    bytes
}

fn decode(bytes: &[u8]) -> Option<Record> {
    let mut words = [0u64; WORDS];
    for (word, bytes) in words.iter_mut().zip(bytes.chunks(8)) {
        *word = u64::from_ne_bytes(bytes.try_into().ok()?);
    }
    let err = match words[0] {
        1 => false,
        2 => true,
        _ => return None,
    };
    let what = match words[6] {
        1 => Some(What::Bytes(words[7])),
        2 => Some(What::Note { count: words[7], to: words[8] }),
        _ => None,
    };
    let mut spots = [None; MOST_TARGETS];
    for (spot, words) in spots.iter_mut().zip(words[10..].chunks(4)) {
        if let [1, device, inode, offset] = *words {
            *spot = Some(Spot { device, inode, offset });
        }
    }
    Some(Record {
        key: Key { run: words[1], err },
        cursor: words[2],
        mid_line: words[3] != 0,
        gap: (words[5] > words[4]).then_some((words[4], words[5])),
        pending: what.map(|what| Intent { what, time_ms: words[9], spots }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_daemon_finds_what_the_last_one_has_written() {
        let mut ledger = Ledger::new().unwrap();
        let spot = Spot { device: 1, inode: 2, offset: 3 };
        let pending = Intent { what: What::Note { count: 9, to: 20 }, time_ms: 4, spots: [None, Some(spot)] };
        let one = Record {
            key: Key { run: 7, err: true },
            cursor: 5,
            mid_line: true,
            gap: Some((6, 8)),
            pending: Some(pending),
        };
        let two = Record { key: Key { run: 8, err: false }, cursor: 0, mid_line: false, gap: None, pending: None };
        let (first, second, third) = (ledger.place(), ledger.place(), ledger.place());
        ledger.write(first, &two);
        ledger.write(second, &one);
        ledger.write(third, &two);
        ledger.forget(first);
        let fd = ledger.as_fd().try_clone_to_owned().unwrap();
        drop(ledger);
        let (mut ledger, found) = Ledger::inherited(fd).unwrap();
        assert_eq!(found, [(second, one), (third, two)]);
        assert_eq!(ledger.place(), first, "what was free is used again");
        assert_eq!(ledger.place(), Place(3));
    }
}
