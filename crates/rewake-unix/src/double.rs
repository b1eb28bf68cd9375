//! Bytes that outlive their writer, whole, whenever it is killed: two memfds in turn, each with a header that is written last. Whoever
//! holds copies of both finds the newest whole record.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use nix::sys::memfd::{MFdFlags, memfd_create};

/// Generation, length and checksum of what follows.
const HEADER_BYTES: u64 = 24;
/// A record beyond this is not ours.
const MAX_BYTES: u64 = 64 << 20;

/// The two, for their one writer.
#[derive(Debug)]
pub struct Double {
    halves: [File; 2],
    generation: u64,
}

impl Double {
    /// Two empty ones. The name shows in `/proc` only. `after` is the generation of the record that they follow, 0 for none.
    ///
    /// # Errors
    /// `EMFILE`, or out of memory.
    pub fn new(name: &str, after: u64) -> io::Result<Self> {
        let half = || memfd_create(name, MFdFlags::MFD_CLOEXEC).map(File::from);
        Ok(Self { halves: [half()?, half()?], generation: after })
    }

    /// Both, to be held by somebody else.
    #[must_use]
    pub fn halves(&self) -> [BorrowedFd<'_>; 2] {
        [self.halves[0].as_fd(), self.halves[1].as_fd()]
    }

    /// Writes a record in place of the one before the last.
    ///
    /// # Errors
    /// Out of memory. The last record is still whole.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let half = &self.halves[usize::from(self.generation % 2 == 1)];
        half.write_all_at(&[0; HEADER_BYTES as usize], 0)?;
        half.write_all_at(bytes, HEADER_BYTES)?;
        let generation = self.generation + 1;
        let mut header = [0; HEADER_BYTES as usize];
        header[..8].copy_from_slice(&generation.to_le_bytes());
        header[8..16].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
        header[16..].copy_from_slice(&checksum(generation, bytes).to_le_bytes());
        half.write_all_at(&header, 0)?;
        self.generation = generation;
        Ok(())
    }
}

/// The newest whole record of two halves that somebody has held, with its generation; `None` when there is none.
#[must_use]
pub fn newest(halves: &[OwnedFd]) -> Option<(u64, Vec<u8>)> {
    halves.iter().filter_map(|half| read(half).ok().flatten()).max_by_key(|(generation, _)| *generation)
}

fn read(half: &OwnedFd) -> io::Result<Option<(u64, Vec<u8>)>> {
    let file = File::from(half.try_clone()?);
    let mut header = [0; HEADER_BYTES as usize];
    file.read_exact_at(&mut header, 0)?;
    let number = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&header[at..at + 8]);
        u64::from_le_bytes(bytes)
    };
    let (generation, length) = (number(0), number(8));
    if generation == 0 || length > MAX_BYTES || length > file.metadata()?.len() {
        return Ok(None);
    }
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, HEADER_BYTES)?;
    Ok((checksum(generation, &bytes) == number(16)).then_some((generation, bytes)))
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

    #[test]
    fn the_newest_record_is_found_and_shorter_ones_replace_longer() {
        let mut double = Double::new("test", 0).unwrap();
        let held = copies(&double);
        assert_eq!(newest(&held), None);
        for text in ["a long first record", "two", "", "four"] {
            double.write(text.as_bytes()).unwrap();
            assert_eq!(newest(&held).unwrap().1, text.as_bytes());
        }
    }

    #[test]
    fn a_writer_that_was_cut_anywhere_leaves_the_record_before() {
        for cut in 0..3 {
            let mut double = Double::new("test", 0).unwrap();
            double.write(b"whole").unwrap();
            let held = copies(&double);
            let half = File::from(held[1].try_clone().unwrap());
            match cut {
                0 => half.write_all_at(&[0; 24], 0).unwrap(),
                1 => half.write_all_at(b"\x02\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0half-way", 0).unwrap(),
                _ => half.write_all_at(&[0xFF; 100], 0).unwrap(),
            }
            assert_eq!(newest(&held).unwrap().1, b"whole", "{cut}");
        }
    }
}
