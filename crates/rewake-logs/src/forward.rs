//! Lines of a stream of bytes, in order. Bounded: a line longer than a piece is given in several, so that one of a GB costs a MiB.

use std::io::{self, Read};

/// The longest piece of a line, bytes. What is looked for in a line (its time, its level, `grep`) is looked for in its first piece.
pub const PIECE: usize = 1 << 20;

/// Bytes that are read at once.
const BLOCK: usize = 64 << 10;

/// A line without its newline, or a piece of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    pub bytes: &'a [u8],
    /// The line begins here.
    pub begins: bool,
    /// The line ends here.
    pub ends: bool,
}

/// Cuts what is read into lines.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    from: R,
    buffer: Vec<u8>,
    /// What has not been given yet is `buffer[at..end]`, of which `looked` bytes hold no newline.
    at: usize,
    end: usize,
    looked: usize,
    mid_line: bool,
    given: u64,
}

impl<R: Read> Lines<R> {
    pub(crate) fn new(from: R) -> Self {
        Self { from, buffer: Vec::new(), at: 0, end: 0, looked: 0, mid_line: false, given: 0 }
    }

    /// How many bytes were given, newlines too.
    pub(crate) fn given(&self) -> u64 {
        self.given
    }

    /// The next piece; `None` at the end. A last line without its newline is one.
    pub(crate) fn next(&mut self) -> io::Result<Option<Piece<'_>>> {
        loop {
            let rest = &self.buffer[self.at + self.looked..self.end];
            if let Some(found) = memchr::memchr(b'\n', rest) {
                return Ok(Some(self.give(self.looked + found, 1, true)));
            }
            self.looked += rest.len();
            if self.looked >= PIECE {
                return Ok(Some(self.give(PIECE, 0, false)));
            }
            if self.fill()? == 0 {
                let rest = self.end - self.at;
                // An empty rest ends a line that was given in pieces.
                if rest == 0 && !self.mid_line {
                    return Ok(None);
                }
                return Ok(Some(self.give(rest, 0, true)));
            }
        }
    }

    fn give(&mut self, length: usize, newline: usize, ends: bool) -> Piece<'_> {
        let (start, begins) = (self.at, !self.mid_line);
        self.at += length + newline;
        self.looked = 0;
        self.mid_line = !ends;
        self.given += (length + newline) as u64;
        Piece { bytes: &self.buffer[start..start + length], begins, ends }
    }

    fn fill(&mut self) -> io::Result<usize> {
        if self.at > 0 && self.end + BLOCK > self.buffer.len() {
            self.buffer.copy_within(self.at..self.end, 0);
            self.end -= self.at;
            self.at = 0;
        }
        if self.end + BLOCK > self.buffer.len() {
            self.buffer.resize(self.end + BLOCK, 0);
        }
        loop {
            match self.from.read(&mut self.buffer[self.end..]) {
                Ok(count) => {
                    self.end += count;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8]) -> Vec<(usize, bool, bool)> {
        let mut lines = Lines::new(text);
        let mut all = Vec::new();
        while let Some(piece) = lines.next().unwrap() {
            all.push((piece.bytes.len(), piece.begins, piece.ends));
        }
        assert_eq!(lines.given(), text.len() as u64);
        assert_eq!(lines.next().unwrap(), None, "the end is the end");
        all
    }

    #[test]
    fn lines_are_whole_and_long_ones_come_in_pieces() {
        assert_eq!(all(b""), []);
        assert_eq!(all(b"ab\n\nc"), [(2, true, true), (0, true, true), (1, true, true)]);
        let mut text = vec![b'x'; 2 * PIECE + 5];
        text.extend(b"\nend\n");
        assert_eq!(all(&text), [(PIECE, true, false), (PIECE, false, false), (5, false, true), (3, true, true)]);
        let exact = vec![b'x'; PIECE];
        assert_eq!(all(&exact), [(PIECE, true, false), (0, false, true)]);
    }
}
