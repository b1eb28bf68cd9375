//! Cuts what was read into messages. Never keeps more than one message and its limit, never searches a byte twice, and
//! never reserves memory for a length that was only claimed.

use std::borrow::Cow;

use crate::{Mode, search};

/// How much of the beginning of a message over the limit is still looked at, in bytes. Enough to recognise Node's
/// handle messages, which must be answered whatever else they hold.
pub(crate) const HEAD_BYTES: usize = 64;

/// Buffer that an idle channel may keep, in bytes: what one read brings.
const KEPT_BUFFER_BYTES: usize = 64 << 10;

/// What was cut off.
#[derive(Debug)]
pub(crate) enum Cut<'a> {
    /// A message, without what framed it.
    Whole(Cow<'a, [u8]>),
    /// A message over the limit begins like this ([`HEAD_BYTES`] of it); the rest is left out.
    TooLong { head: &'a [u8] },
}

/// One direction of one channel.
#[derive(Debug)]
pub(crate) struct Framer {
    mode: Mode,
    limit: usize,
    /// The unfinished message; in advanced mode with its length in front.
    pending: Vec<u8>,
    skip: Skip,
}

/// Whether a message over the limit is passing by.
#[derive(Debug)]
enum Skip {
    No,
    ToNewline,
    /// Its head is collected until it is complete, then told.
    Bytes {
        left: usize,
        head: Vec<u8>,
    },
}

impl Framer {
    /// Messages of up to `limit` bytes are taken.
    pub(crate) fn new(mode: Mode, limit: usize) -> Self {
        // So that every message that is too long has a whole head.
        Self { mode, limit: limit.max(HEAD_BYTES), pending: Vec::new(), skip: Skip::No }
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Takes what was read and hands every message that is complete to `each`.
    pub(crate) fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(Cut<'_>)) {
        match self.mode {
            Mode::Json => self.lines(bytes, &mut each),
            Mode::Advanced => self.lengths(bytes, &mut each),
        }
    }

    pub(crate) fn unfinished(&self) -> usize {
        self.pending.len()
    }

    pub(crate) fn skipping(&self) -> u64 {
        match &self.skip {
            Skip::No => 0,
            Skip::ToNewline => u64::MAX,
            Skip::Bytes { left, .. } => *left as u64,
        }
    }

    pub(crate) fn skip(&mut self, left: u64) {
        self.skip = match left {
            0 => Skip::No,
            u64::MAX => Skip::ToNewline,
            // With a whole head: it has been told.
            left => Skip::Bytes { left: usize::try_from(left).unwrap_or(usize::MAX), head: vec![0; HEAD_BYTES] },
        };
    }

    /// What an end of file has cut off: a message that began and did not end.
    pub(crate) fn take_unfinished(&mut self) -> Vec<u8> {
        self.skip = Skip::No;
        std::mem::take(&mut self.pending)
    }

    fn lines(&mut self, mut bytes: &[u8], each: &mut impl FnMut(Cut<'_>)) {
        while let Some(end) = search::newline(bytes) {
            let line = &bytes[..end];
            bytes = &bytes[end + 1..];
            if matches!(self.skip, Skip::ToNewline) {
                self.skip = Skip::No;
            } else if self.pending.len() + line.len() > self.limit {
                self.tell_long_line(line, each);
            } else if self.pending.is_empty() {
                each(Cut::Whole(Cow::Borrowed(line)));
            } else {
                self.pending.extend_from_slice(line);
                each(Cut::Whole(Cow::Owned(std::mem::take(&mut self.pending))));
            }
        }
        if matches!(self.skip, Skip::ToNewline) {
            return;
        }
        if self.pending.len() + bytes.len() > self.limit {
            self.tell_long_line(bytes, each);
            self.skip = Skip::ToNewline;
        } else {
            self.pending.extend_from_slice(bytes);
        }
    }

    fn tell_long_line(&mut self, more: &[u8], each: &mut impl FnMut(Cut<'_>)) {
        let mut head = std::mem::take(&mut self.pending);
        head.truncate(HEAD_BYTES);
        let missing = (HEAD_BYTES - head.len()).min(more.len());
        head.extend_from_slice(&more[..missing]);
        each(Cut::TooLong { head: &head });
    }

    fn lengths(&mut self, mut bytes: &[u8], each: &mut impl FnMut(Cut<'_>)) {
        while !bytes.is_empty() {
            bytes = match &mut self.skip {
                Skip::Bytes { left, head } => {
                    let (skipped, rest) = bytes.split_at(bytes.len().min(*left));
                    *left -= skipped.len();
                    if head.len() < HEAD_BYTES {
                        head.extend_from_slice(&skipped[..skipped.len().min(HEAD_BYTES - head.len())]);
                        if head.len() == HEAD_BYTES {
                            each(Cut::TooLong { head });
                        }
                    }
                    if *left == 0 {
                        self.skip = Skip::No;
                    }
                    rest
                }
                Skip::No | Skip::ToNewline => self.one_length(bytes, each),
            };
        }
    }

    /// Goes on with one message, and gives back what is behind the part of it that is here.
    fn one_length<'a>(&mut self, bytes: &'a [u8], each: &mut impl FnMut(Cut<'_>)) -> &'a [u8] {
        let bytes = self.gather(bytes, 4);
        let Some((prefix, _)) = self.pending.split_first_chunk::<4>() else { return bytes };
        let length = u32::from_be_bytes(*prefix) as usize;
        if length > self.limit {
            self.pending = Vec::new();
            self.skip = Skip::Bytes { left: length, head: Vec::new() };
            return bytes;
        }
        if self.pending.len() == 4
            && let Some((whole, rest)) = bytes.split_at_checked(length)
        {
            self.pending.clear();
            each(Cut::Whole(Cow::Borrowed(whole)));
            return rest;
        }
        let bytes = self.gather(bytes, 4 + length);
        if self.pending.len() == 4 + length {
            let mut whole = std::mem::take(&mut self.pending);
            each(Cut::Whole(Cow::Borrowed(&whole[4..])));
            whole.clear();
            whole.shrink_to(KEPT_BUFFER_BYTES);
            self.pending = whole;
        }
        bytes
    }

    /// Takes bytes until `wanted` are pending; gives back the others.
    fn gather<'a>(&mut self, bytes: &'a [u8], wanted: usize) -> &'a [u8] {
        let missing = wanted.saturating_sub(self.pending.len()).min(bytes.len());
        let (taken, rest) = bytes.split_at(missing);
        self.pending.extend_from_slice(taken);
        rest
    }

    #[cfg(test)]
    pub(crate) fn held_bytes(&self) -> usize {
        self.pending.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_what_arrived_and_is_given_back() {
        for mode in [Mode::Json, Mode::Advanced] {
            let mut framer = Framer::new(mode, 1 << 20);
            // Advanced: a length of one mebibyte less a bit.
            framer.feed(b"\0\x0f\xff\xff", |_| panic!("nothing is complete"));
            assert!(framer.held_bytes() < 1000, "nothing is reserved for a claim");
            for _ in 0..100 {
                framer.feed(&[b'x'; 5000], |_| panic!("nothing is complete"));
            }
            assert!(framer.held_bytes() < 2 * 500_004);
            let mut cut = 0;
            for _ in 0..1000 {
                framer.feed(&[b'x'; 5000], |_| cut += 1);
                assert!(framer.held_bytes() <= 2 << 20);
            }
            framer.feed(b"\n", |_| cut += 1);
            assert!(cut > 0);
            assert!(framer.held_bytes() <= KEPT_BUFFER_BYTES, "{mode:?} {}", framer.held_bytes());
        }
    }
}
