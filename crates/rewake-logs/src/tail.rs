//! The last N lines of a file, whole, however long they are. Reads from the end in blocks, so that a file of gigabytes
//! costs what its last lines cost.

use std::io::{self, Read, Seek, SeekFrom};

/// Bytes read at once.
const BLOCK: u64 = 64 << 10;

/// Where the last `lines` lines begin, and where the file ended when it was looked at. A last line without its
/// newline counts.
pub(crate) fn start_of_last_lines(file: &mut (impl Read + Seek), lines: usize) -> io::Result<(u64, u64)> {
    start_in_blocks(file, lines, BLOCK)
}

/// The last `lines` lines, without their newlines. All of them are held in memory.
///
/// # Errors
/// When the file cannot be read.
pub fn last_lines(file: &mut (impl Read + Seek), lines: usize) -> io::Result<Vec<Vec<u8>>> {
    let (start, end) = start_of_last_lines(file, lines)?;
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(end - start).read_to_end(&mut bytes)?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    } else if bytes.is_empty() {
        return Ok(Vec::new());
    }
    Ok(bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect())
}

fn start_in_blocks(file: &mut (impl Read + Seek), lines: usize, block: u64) -> io::Result<(u64, u64)> {
    let end = file.seek(SeekFrom::End(0))?;
    if lines == 0 {
        return Ok((end, end));
    }
    let mut found = 0;
    let mut block_end = end;
    let mut bytes = Vec::new();
    while block_end > 0 {
        let block_start = block_end.saturating_sub(block);
        file.seek(SeekFrom::Start(block_start))?;
        bytes.clear();
        // A file that was truncated meanwhile gives fewer bytes; what is there is looked at.
        file.by_ref().take(block_end - block_start).read_to_end(&mut bytes)?;
        for at in memchr::memrchr_iter(b'\n', &bytes) {
            let after = block_start + at as u64 + 1;
            // The newline at the very end closes the last line, it does not begin another.
            if after < end {
                found += 1;
                if found == lines {
                    return Ok((after, end));
                }
            }
        }
        block_end = block_start;
    }
    Ok((0, end))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// What it must give, from the whole text.
    fn naive(text: &[u8], lines: usize) -> Vec<Vec<u8>> {
        let mut all: Vec<Vec<u8>> = text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        if all.last().is_some_and(Vec::is_empty) {
            all.pop();
        }
        all.split_off(all.len().saturating_sub(lines))
    }

    /// A small generator with a seed: a failure is found again.
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % limit
        }
    }

    #[test]
    fn any_text_gives_its_true_last_lines() {
        for seed in 1..4000_u64 {
            let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let length = random.below(400);
            let newlines = 1 + random.below(40);
            let text: Vec<u8> = (0..length)
                .map(|_| if random.below(newlines) == 0 { b'\n' } else { b'a' + random.below(3) as u8 })
                .collect();
            let lines = random.below(12) as usize;
            let block = 1 + random.below(70);
            let (start, end) = start_in_blocks(&mut Cursor::new(&text), lines, block).unwrap();
            assert_eq!(end as usize, text.len());
            let expected = naive(&text, lines);
            let got = if start == end { Vec::new() } else { naive(&text[start as usize..], usize::MAX) };
            assert_eq!(
                got,
                expected,
                "seed {seed}, {lines} lines, blocks of {block}: {:?}",
                String::from_utf8_lossy(&text)
            );
            assert_eq!(last_lines(&mut Cursor::new(&text), lines).unwrap(), expected, "seed {seed}");
        }
    }

    #[test]
    fn lines_longer_than_a_block_are_whole() {
        let long = "x".repeat(3 * BLOCK as usize + 17);
        let text = format!("first\n{long}\nlast\n");
        assert_eq!(last_lines(&mut Cursor::new(text.as_bytes()), 2).unwrap(), [long.as_bytes(), b"last"]);
    }
}
