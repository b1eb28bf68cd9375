//! Length-prefixed JSON: four bytes big-endian, then that many bytes of JSON. Never trusts the length.

use serde::{Serialize, de::DeserializeOwned};

/// Largest frame that is sent or taken, in bytes. Room for some thousand app descriptions with their
/// environments (about 10 KB each); far below what would hurt the daemon.
pub const MAX_FRAME_BYTES: usize = 32 << 20;

/// Why a frame cannot be used. The connection cannot go on after any of these.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("frame of {0} bytes is over the limit of {MAX_FRAME_BYTES} bytes")]
    TooLarge(usize),
    #[error("frame is not the JSON that was expected")]
    Json(#[source] serde_json::Error),
}

/// The frame of one value.
///
/// # Errors
/// When the value is over [`MAX_FRAME_BYTES`] or cannot be JSON.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, FrameError> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, value).map_err(FrameError::Json)?;
    let body = frame.len() - 4;
    if body > MAX_FRAME_BYTES {
        return Err(FrameError::TooLarge(body));
    }
    let length = u32::try_from(body).map_err(|_| FrameError::TooLarge(body))?;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    Ok(frame)
}

/// Cuts a byte stream into frames. Memory grows only with bytes that did arrive, never with a length that was claimed.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    start: usize,
}

impl Decoder {
    /// Adds what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 && self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether bytes of an unfinished frame wait here.
    #[must_use]
    pub fn is_mid_frame(&self) -> bool {
        self.start < self.buffer.len()
    }

    /// The next whole frame, if it has arrived.
    ///
    /// # Errors
    /// When the frame is too large or is not a `T`.
    pub fn next_frame<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FrameError> {
        let waiting = &self.buffer[self.start..];
        let Some((head, rest)) = waiting.split_first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_be_bytes(*head) as usize;
        if length > MAX_FRAME_BYTES {
            return Err(FrameError::TooLarge(length));
        }
        let Some(body) = rest.get(..length) else {
            self.compact();
            return Ok(None);
        };
        let value = serde_json::from_slice(body).map_err(FrameError::Json)?;
        self.start += 4 + length;
        if self.start == self.buffer.len() {
            self.release();
        }
        Ok(Some(value))
    }

    fn compact(&mut self) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
    }

    /// Gives a large buffer back: an idle connection keeps at most 64 KiB.
    fn release(&mut self) {
        self.buffer.clear();
        self.start = 0;
        self.buffer.shrink_to(64 << 10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_being_cut_anywhere() {
        let bytes: Vec<u8> = (0..3).flat_map(|n| encode(&vec![n; 5]).unwrap()).collect();
        for cut in 0..bytes.len() {
            let mut decoder = Decoder::default();
            let mut seen: Vec<Vec<i32>> = Vec::new();
            for part in [&bytes[..cut], &bytes[cut..]] {
                decoder.push(part);
                while let Some(value) = decoder.next_frame().unwrap() {
                    seen.push(value);
                }
            }
            assert_eq!(seen, [vec![0; 5], vec![1; 5], vec![2; 5]], "cut at {cut}");
            assert!(!decoder.is_mid_frame());
        }
    }

    #[test]
    fn a_claimed_gigabyte_is_refused_without_allocating_it() {
        let mut decoder = Decoder::default();
        decoder.push(&(1u32 << 30).to_be_bytes());
        assert!(matches!(decoder.next_frame::<u8>(), Err(FrameError::TooLarge(_))));
        assert!(decoder.buffer.capacity() < 1024);
    }
}
