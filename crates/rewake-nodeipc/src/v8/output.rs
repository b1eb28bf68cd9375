//! The text that decoding writes. Never grows over its limit, and keeps the text of each object in one piece, so that a
//! later reference can repeat it.
//!
//! What JSON leaves out (what a `Map` or a `Set` holds, properties of arrays, the cause of an error) is written all the
//! same, since later parts may refer to it: to hidden arenas, one per level of hiddenness.

use std::ops::ControlFlow;

use super::{decode::Fault, read::Chars};
use crate::json::{escape_bytes, escape_units, push_number};

/// The text and what is hidden behind it.
#[derive(Debug)]
pub(super) struct Output {
    /// The text first.
    arenas: Vec<Vec<u8>>,
    /// The arena that is written to now.
    level: usize,
    /// Bytes that all arenas together may still grow.
    left: usize,
    /// Where the text of each object is, by its number in V8's counting.
    objects: Vec<Place>,
    cycles: u32,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    level: u16,
    start: u32,
    /// [`UNFINISHED`] while the object is being written.
    end: u32,
}

const UNFINISHED: u32 = u32::MAX;

/// Number of an object.
pub(super) type Id = usize;

impl Output {
    pub(super) fn new(limit: usize) -> Self {
        // Places are kept as 32 bits.
        let left = limit.min(UNFINISHED as usize - 1);
        Self { arenas: vec![Vec::new()], level: 0, left, objects: Vec::new(), cycles: 0 }
    }

    /// The text, and how many references in it became `null`.
    pub(super) fn finished(mut self) -> Result<(String, u32), Fault> {
        let text = String::from_utf8(std::mem::take(&mut self.arenas[0])).map_err(|_| Fault::Malformed)?;
        Ok((text, self.cycles))
    }

    /// An object begins here.
    pub(super) fn begin(&mut self) -> Result<Id, Fault> {
        let level = u16::try_from(self.level).map_err(|_| Fault::Malformed)?;
        let start = u32::try_from(self.length()).map_err(|_| Fault::TooLarge)?;
        self.objects.push(Place { level, start, end: UNFINISHED });
        Ok(self.objects.len() - 1)
    }

    /// The object ends here, on the level where it began.
    pub(super) fn finish(&mut self, id: Id) {
        // Fits: all arenas together are below the limit.
        self.objects[id].end = self.length() as u32;
    }

    /// Repeats an object; `null` for one that is not finished, which therefore contains this place.
    pub(super) fn repeat(&mut self, id: Id) -> Result<(), Fault> {
        let &Place { level, start, end } = self.objects.get(id).ok_or(Fault::Malformed)?;
        if end == UNFINISHED {
            self.cycles = self.cycles.saturating_add(1);
            return self.put(b"null");
        }
        let (level, range) = (usize::from(level), start as usize..end as usize);
        self.left = self.left.checked_sub(range.len()).ok_or(Fault::TooLarge)?;
        if level == self.level {
            self.arenas[level].extend_from_within(range);
        } else {
            let from = std::mem::take(&mut self.arenas[level]);
            self.arenas[self.level].extend_from_slice(&from[range]);
            self.arenas[level] = from;
        }
        Ok(())
    }

    /// What is written from here on is not shown, until as many `reveal`.
    pub(super) fn hide(&mut self) {
        self.level += 1;
        if self.level == self.arenas.len() {
            self.arenas.push(Vec::new());
        }
    }

    pub(super) fn reveal(&mut self) {
        self.level = self.level.saturating_sub(1);
    }

    /// How long the text on this level is.
    pub(super) fn length(&self) -> usize {
        self.arenas[self.level].len()
    }

    /// Takes back what was written on this level since it was this long.
    pub(super) fn take_back(&mut self, length: usize) {
        self.left += self.length().saturating_sub(length);
        self.arenas[self.level].truncate(length);
    }

    /// Whether this many bytes would still fit.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        bytes <= self.left
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.left = self.left.checked_sub(bytes.len()).ok_or(Fault::TooLarge)?;
        self.arenas[self.level].extend_from_slice(bytes);
        Ok(())
    }

    pub(super) fn put_number(&mut self, value: f64) -> Result<(), Fault> {
        self.grow(|out, _| {
            push_number(out, value);
            Ok(())
        })
    }

    pub(super) fn put_string(&mut self, chars: Chars<'_>) -> Result<(), Fault> {
        self.grow(|out, limit| {
            let done = match chars {
                Chars::Latin1(bytes) => escape_bytes(out, bytes, limit),
                Chars::Utf16(bytes) => {
                    let (pairs, _) = bytes.as_chunks::<2>();
                    escape_units(out, pairs.iter().map(|&pair| u16::from_le_bytes(pair)), limit)
                }
                Chars::Utf8(bytes) => escape_units(out, String::from_utf8_lossy(bytes).encode_utf16(), limit),
            };
            match done {
                ControlFlow::Continue(()) => Ok(()),
                ControlFlow::Break(()) => Err(Fault::TooLarge),
            }
        })
    }

    /// Lets `write` append, and takes what it did off the limit. It gets the length that the arena may reach.
    pub(super) fn grow(&mut self, write: impl FnOnce(&mut Vec<u8>, usize) -> Result<(), Fault>) -> Result<(), Fault> {
        let arena = &mut self.arenas[self.level];
        let before = arena.len();
        write(arena, before.saturating_add(self.left))?;
        self.left = self.left.checked_sub(arena.len() - before).ok_or(Fault::TooLarge)?;
        Ok(())
    }
}
