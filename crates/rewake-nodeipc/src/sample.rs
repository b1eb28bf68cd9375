//! The beginning of unreadable bytes for a log line. Never longer than a line, never a control character.

/// Most characters of a sample: enough to recognise a stray `printf`, little enough for one log line.
const MAX_CHARS: usize = 120;

/// A printable beginning of `bytes`.
pub(crate) fn sample(bytes: &[u8]) -> String {
    // Four bytes per character at most, so that the cut is only ever within what is dropped.
    let head = &bytes[..bytes.len().min(MAX_CHARS * 4)];
    let mut text = String::new();
    for (count, character) in String::from_utf8_lossy(head).chars().enumerate() {
        if count == MAX_CHARS {
            break;
        }
        if character.is_control() {
            text.push(char::REPLACEMENT_CHARACTER);
        } else {
            text.push(character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_short_and_printable() {
        assert_eq!(sample(b"warning: \x1b[31mred\0"), "warning: \u{fffd}[31mred\u{fffd}");
        assert_eq!(sample("é".repeat(1000).as_bytes()), "é".repeat(MAX_CHARS));
        assert_eq!(sample(&[0xff; 1000]).chars().count(), MAX_CHARS);
    }
}
