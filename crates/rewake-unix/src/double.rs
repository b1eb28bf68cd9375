//! Bytes that outlive their writer, whole, whenever it is killed: two memfds in turn, each with a header that is written last, and
//! additions that count when they are whole. Whoever holds copies of both finds the newest record.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use nix::sys::memfd::{MFdFlags, memfd_create};

/// Generation, length and checksum of what follows, then the mark.
const HEADER_BYTES: u64 = 32;
const MARK_AT: u64 = 24;
/// Length and checksum of one addition.
const ADDITION_HEADER_BYTES: u64 = 12;
/// A record beyond this is not ours.
const MAX_BYTES: u64 = 1 << 30;

/// The two, for their one writer.
#[derive(Debug)]
pub struct Double {
    halves: [File; 2],
    generation: u64,
    /// Where the next addition goes.
    end: u64,
}

/// A record as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What was written whole.
    pub base: Vec<u8>,
    /// What was added to it, in order.
    pub additions: Vec<Vec<u8>>,
    /// The last number that was marked.
    pub mark: u64,
    generation: u64,
}

impl Double {
    /// Two empty ones. The name shows in `/proc` only.
    ///
    /// # Errors
    /// `EMFILE`, or out of memory.
    pub fn new(name: &str) -> io::Result<Self> {
        let half = || memfd_create(name, MFdFlags::MFD_CLOEXEC).map(File::from);
        Ok(Self { halves: [half()?, half()?], generation: 0, end: HEADER_BYTES })
    }

    /// Goes on with two that an earlier writer has left, in their order. What they hold stays until something whole is written.
    #[must_use]
    pub fn follow(halves: [OwnedFd; 2], found: Option<&Found>) -> Self {
        let generation = found.map_or(0, |found| found.generation);
        Self { halves: halves.map(File::from), generation, end: HEADER_BYTES }
    }

    /// Both, to be held by somebody else.
    #[must_use]
    pub fn halves(&self) -> [BorrowedFd<'_>; 2] {
        [self.halves[0].as_fd(), self.halves[1].as_fd()]
    }

    /// Writes a whole record, with its mark, in place of the one before the last.
    ///
    /// # Errors
    /// Out of memory. The last record is still whole.
    pub fn write(&mut self, bytes: &[u8], mark: u64) -> io::Result<()> {
        let generation = self.generation + 1;
        let half = self.half(generation);
        half.write_all_at(&[0; HEADER_BYTES as usize], 0)?;
        half.set_len(HEADER_BYTES)?;
        half.write_all_at(bytes, HEADER_BYTES)?;
        half.write_all_at(&mark.to_le_bytes(), MARK_AT)?;
        let mut header = [0; MARK_AT as usize];
        header[..8].copy_from_slice(&generation.to_le_bytes());
        header[8..16].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
        header[16..].copy_from_slice(&checksum(generation, bytes).to_le_bytes());
        half.write_all_at(&header, 0)?;
        self.generation = generation;
        self.end = HEADER_BYTES + bytes.len() as u64;
        Ok(())
    }

    /// Adds to the record that was written last. There must be one.
    ///
    /// # Errors
    /// Out of memory. What was there is still whole.
    pub fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut addition = Vec::with_capacity(bytes.len() + ADDITION_HEADER_BYTES as usize);
        addition.extend_from_slice(&u32::try_from(bytes.len()).map_err(io::Error::other)?.to_le_bytes());
        addition.extend_from_slice(&checksum(self.generation ^ self.end, bytes).to_le_bytes());
        addition.extend_from_slice(bytes);
        self.half(self.generation).write_all_at(&addition, self.end)?;
        self.end += addition.len() as u64;
        Ok(())
    }

    /// How much the record and its additions take.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.end
    }

    /// Notes a number beside the record that was written last: cheap, and all or nothing.
    ///
    /// # Errors
    /// Out of memory.
    pub fn mark(&mut self, mark: u64) -> io::Result<()> {
        self.half(self.generation).write_all_at(&mark.to_le_bytes(), MARK_AT)
    }

    fn half(&self, generation: u64) -> &File {
        &self.halves[usize::from(generation.is_multiple_of(2))]
    }
}

/// The newest whole record of two halves that somebody has held; `None` when there is none.
#[must_use]
pub fn newest(halves: &[OwnedFd]) -> Option<Found> {
    halves.iter().filter_map(|half| read(half).ok().flatten()).max_by_key(|found| found.generation)
}

fn read(half: &OwnedFd) -> io::Result<Option<Found>> {
    let file = File::from(half.try_clone()?);
    let length = file.metadata()?.len();
    if !(HEADER_BYTES..=MAX_BYTES).contains(&length) {
        return Ok(None);
    }
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(parse(&bytes))
}

fn parse(bytes: &[u8]) -> Option<Found> {
    let number = |at: usize| bytes[at..].first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes));
    let (generation, sum, mark) = (number(0)?, number(16)?, number(MARK_AT as usize)?);
    let end = HEADER_BYTES.checked_add(number(8)?)?;
    let base = bytes.get(HEADER_BYTES as usize..usize::try_from(end).ok()?)?;
    if generation == 0 || checksum(generation, base) != sum {
        return None;
    }
    let mut found = Found { base: base.to_vec(), additions: Vec::new(), mark, generation };
    let mut at = end as usize;
    while let Some(addition) = addition(bytes, at, generation) {
        at += addition.len() + ADDITION_HEADER_BYTES as usize;
        found.additions.push(addition.to_vec());
    }
    Some(found)
}

/// The whole addition at this place, if there is one.
fn addition(bytes: &[u8], at: usize, generation: u64) -> Option<&[u8]> {
    let (length, rest) = bytes.get(at..)?.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<8>()?;
    let body = rest.get(..u32::from_le_bytes(*length) as usize)?;
    (checksum(generation ^ at as u64, body) == u64::from_le_bytes(*sum)).then_some(body)
}

/// FNV-1a: against halves that were cut, not against people.
fn checksum(generation: u64, bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    generation.to_le_bytes().iter().chain(bytes).fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copies(double: &Double) -> Vec<OwnedFd> {
        double.halves().iter().map(|half| half.try_clone_to_owned().unwrap()).collect()
    }

    fn base(held: &[OwnedFd]) -> Vec<u8> {
        newest(held).unwrap().base
    }

    #[test]
    fn the_newest_record_is_found_and_shorter_ones_replace_longer() {
        let mut double = Double::new("test").unwrap();
        let held = copies(&double);
        assert_eq!(newest(&held), None);
        for (mark, text) in ["a long first record", "two", "", "four"].into_iter().enumerate() {
            double.write(text.as_bytes(), mark as u64).unwrap();
            assert_eq!((base(&held), newest(&held).unwrap().mark), (text.into(), mark as u64));
        }
    }

    #[test]
    fn additions_and_marks_are_found_and_go_with_their_record() {
        let mut double = Double::new("test").unwrap();
        let held = copies(&double);
        for round in 0..5 {
            double.write(b"base", 0).unwrap();
            for addition in [&b"one"[..], b"", b"three"] {
                double.add(addition).unwrap();
            }
            double.mark(round + 7).unwrap();
            let found = newest(&held).unwrap();
            assert_eq!(found.additions, [&b"one"[..], b"", b"three"]);
            assert_eq!(found.mark, round + 7);
        }
        double.write(b"whole", 1).unwrap();
        assert_eq!(newest(&held).unwrap().additions.len(), 0);
    }

    #[test]
    fn a_follower_goes_on_where_the_last_writer_was_cut() {
        let mut double = Double::new("test").unwrap();
        double.write(b"base", 3).unwrap();
        double.add(b"whole").unwrap();
        double.add(b"to be cut").unwrap();
        let held = copies(&double);
        File::from(held[0].try_clone().unwrap()).set_len(double.length() - 1).unwrap();
        let found = newest(&held).unwrap();
        assert_eq!((found.additions.clone(), found.mark), (vec![b"whole".to_vec()], 3));
        let halves = [held[0].try_clone().unwrap(), held[1].try_clone().unwrap()];
        let mut double = Double::follow(halves, Some(&found));
        assert_eq!(newest(&held), Some(found));
        double.write(b"next", 0).unwrap();
        assert_eq!(base(&held), b"next");
    }

    #[test]
    fn a_writer_that_was_cut_anywhere_leaves_the_record_before() {
        for cut in 0..3 {
            let mut double = Double::new("test").unwrap();
            double.write(b"whole", 0).unwrap();
            let held = copies(&double);
            let half = File::from(held[1].try_clone().unwrap());
            match cut {
                0 => half.write_all_at(&[0; 32], 0).unwrap(),
                1 => half.write_all_at(b"\x02\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0half-way and more", 0).unwrap(),
                _ => half.write_all_at(&[0xFF; 100], 0).unwrap(),
            }
            assert_eq!(base(&held), b"whole", "{cut}");
        }
    }

    #[test]
    fn what_is_no_record_is_none() {
        let double = Double::new("test").unwrap();
        let held = copies(&double);
        for length in [1, 8, 31, 32, 33, 100] {
            File::from(held[0].try_clone().unwrap()).write_all_at(&vec![0xAB; length], 0).unwrap();
            assert_eq!(newest(&held), None, "{length}");
        }
    }
}
