//! Cuts a stream of bytes into lines: for those who watch, and where only whole ones are written. Bounded: a line without end is
//! passed on in pieces.

/// The longest piece of a line, bytes.
const LONGEST: usize = 64 << 10;

/// The cutter; holds the beginning of a line that has not ended.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    part: Vec<u8>,
}

impl Lines {
    /// The lines that these bytes complete.
    pub(crate) fn cut(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            self.part.extend_from_slice(&rest[..end]);
            lines.push(self.take());
            rest = &rest[end + 1..];
        }
        for piece in rest.chunks(LONGEST) {
            self.part.extend_from_slice(piece);
            if self.part.len() >= LONGEST {
                lines.push(self.take());
            }
        }
        lines
    }

    /// What has come of a line that will not end.
    pub(crate) fn rest(&mut self) -> Option<String> {
        (!self.part.is_empty()).then(|| self.take())
    }

    fn take(&mut self) -> String {
        let line = String::from_utf8_lossy(&self.part).into_owned();
        self.part.clear();
        self.part.shrink_to(4096);
        line
    }
}

/// Length of the whole lines that fit, or of the first line.
pub(crate) fn within(bytes: &[u8], room: u64) -> u64 {
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    if bytes.len() <= room {
        return bytes.len() as u64;
    }
    let (fits, rest) = bytes.split_at(room);
    let after = || memchr::memchr(b'\n', rest).map_or(bytes.len(), |at| room + at + 1);
    memchr::memrchr(b'\n', fits).map_or_else(after, |at| at + 1) as u64
}

/// Length without the beginning of a character at the end; all of it where that would be nothing.
pub(crate) fn whole_characters(bytes: &[u8]) -> usize {
    let cut = bytes.iter().rev().take(3).position(|&byte| byte >= 0xc0);
    match cut {
        Some(back) if back + 1 < bytes.len() => bytes.len() - back - 1,
        Some(_) | None => bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_wherever_the_bytes_are_cut() {
        let text = "one\nzwö\n\nlast".as_bytes();
        for at in 0..=text.len() {
            let mut lines = Lines::default();
            let mut seen = lines.cut(&text[..at]);
            seen.extend(lines.cut(&text[at..]));
            seen.extend(lines.rest());
            assert_eq!(seen, ["one", "zwö", "", "last"], "cut at {at}");
        }
    }

    #[test]
    fn a_line_without_end_does_not_grow_for_ever() {
        let mut lines = Lines::default();
        let pieces: usize = (0..100).map(|_| lines.cut(&[b'x'; 10_000]).len()).sum();
        assert!(pieces >= 10);
        assert!(lines.part.len() < 2 * LONGEST);
    }
}
