//! JSON strings: from their escaped form to UTF-16 units and back. Never loses a lone surrogate.

use std::ops::ControlFlow;

use crate::search;

/// Calls `each` with the UTF-16 units that the inside of a JSON string means. The text must be a valid one.
pub(crate) fn units(raw: &str, mut each: impl FnMut(u16)) {
    let mut characters = raw.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            for &mut unit in character.encode_utf16(&mut [0; 2]) {
                each(unit);
            }
            continue;
        }
        let unit = match characters.next() {
            Some('b') => 0x08,
            Some('f') => 0x0c,
            Some('n') => 0x0a,
            Some('r') => 0x0d,
            Some('t') => 0x09,
            Some('u') => characters.by_ref().take(4).fold(0, |value, digit| value << 4 | hex(digit)),
            Some(other) => u16::try_from(u32::from(other)).unwrap_or(0xfffd),
            None => return,
        };
        each(unit);
    }
}

fn hex(digit: char) -> u16 {
    digit.to_digit(16).and_then(|value| u16::try_from(value).ok()).unwrap_or(0)
}

/// Appends a string with quotes and escapes as `JSON.stringify` would. Stops with `Break` once `out` is over `limit`
/// bytes: an escape can be six times as long as what it stands for.
pub(crate) fn escape_units(out: &mut Vec<u8>, units: impl Iterator<Item = u16>, limit: usize) -> ControlFlow<()> {
    out.push(b'"');
    for decoded in char::decode_utf16(units) {
        match decoded {
            Ok(character) if character.is_ascii() => push_ascii(out, character as u8),
            Ok(character) => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            Err(lone) => push_escaped(out, lone.unpaired_surrogate()),
        }
        if out.len() > limit {
            return ControlFlow::Break(());
        }
    }
    out.push(b'"');
    ControlFlow::Continue(())
}

/// Like [`escape_units`], for bytes: each is one character up to U+00FF.
pub(crate) fn escape_bytes(out: &mut Vec<u8>, bytes: &[u8], limit: usize) -> ControlFlow<()> {
    out.push(b'"');
    let mut rest = bytes;
    loop {
        let plain = search::end_of_plain_ascii(rest).unwrap_or(rest.len());
        out.extend_from_slice(&rest[..plain]);
        if out.len() > limit {
            return ControlFlow::Break(());
        }
        let Some(&byte) = rest.get(plain) else { break };
        if byte.is_ascii() {
            push_ascii(out, byte);
        } else {
            out.extend_from_slice(char::from(byte).encode_utf8(&mut [0; 2]).as_bytes());
        }
        rest = &rest[plain + 1..];
    }
    out.push(b'"');
    ControlFlow::Continue(())
}

fn push_ascii(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        0x08 => out.extend_from_slice(b"\\b"),
        0x0c => out.extend_from_slice(b"\\f"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        0..0x20 => push_escaped(out, u16::from(byte)),
        _ => out.push(byte),
    }
}

fn push_escaped(out: &mut Vec<u8>, unit: u16) {
    const HEX: [u8; 16] = *b"0123456789abcdef";
    out.extend_from_slice(b"\\u");
    for shift in [12, 8, 4, 0] {
        out.push(HEX[usize::from(unit >> shift & 15)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_those_of_json_stringify() {
        let mut out = Vec::new();
        let text = "a\"\\\u{8}\u{c}\n\r\t\u{1}\u{7f}é€😀";
        assert!(escape_units(&mut out, text.encode_utf16().chain([0xd83d]), 1000).is_continue());
        assert_eq!(String::from_utf8(out).unwrap(), "\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0001\u{7f}é€😀\\ud83d\"");
        let mut out = Vec::new();
        assert!(escape_bytes(&mut out, b"a\n\xe9\x1f", 1000).is_continue());
        assert_eq!(String::from_utf8(out).unwrap(), "\"a\\né\\u001f\"");
    }

    #[test]
    fn units_read_what_escape_wrote() {
        let all: Vec<u16> = (0..=u16::MAX).collect();
        let mut out = Vec::new();
        assert!(escape_units(&mut out, all.iter().copied(), 1 << 20).is_continue());
        let text = String::from_utf8(out).unwrap();
        let mut back = Vec::new();
        units(&text[1..text.len() - 1], |unit| back.push(unit));
        assert_eq!(back, all);
    }

    #[test]
    fn a_string_that_would_grow_over_the_limit_stops_there() {
        let mut out = Vec::new();
        assert!(escape_units(&mut out, std::iter::repeat_n(1, 1000), 100).is_break());
        assert!(out.len() < 120);
        let mut out = Vec::new();
        assert!(escape_bytes(&mut out, &[1; 1000], 100).is_break());
        assert!(out.len() < 120);
    }
}
