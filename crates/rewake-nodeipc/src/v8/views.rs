//! Buffers and typed arrays as `JSON.stringify` shows them. Never assumes that lengths fit the element's size.

use super::{bigint, decode::Fault};
use crate::json::push_number;

/// Appends the JSON of a view. `kind` is Node's index of its constructor, `data` its bytes.
///
/// # Errors
/// Unknown kinds, lengths that do not fit, and output that would be over `limit` bytes.
pub(super) fn push_view(out: &mut Vec<u8>, kind: u32, data: &[u8], limit: usize) -> Result<(), Fault> {
    let number = push_number;
    match kind {
        0 => indexed(out, data, limit, |out, [byte]| push_integer(out, byte.cast_signed())),
        1 | 2 => indexed(out, data, limit, |out, [byte]| push_integer(out, byte)),
        3 => indexed(out, data, limit, |out, bytes| push_integer(out, i16::from_le_bytes(bytes))),
        4 => indexed(out, data, limit, |out, bytes| push_integer(out, u16::from_le_bytes(bytes))),
        5 => indexed(out, data, limit, |out, bytes| push_integer(out, i32::from_le_bytes(bytes))),
        6 => indexed(out, data, limit, |out, bytes| push_integer(out, u32::from_le_bytes(bytes))),
        7 => indexed(out, data, limit, |out, bytes| number(out, f64::from(f32::from_le_bytes(bytes)))),
        8 => indexed(out, data, limit, |out, bytes| number(out, f64::from_le_bytes(bytes))),
        // DataView: no enumerable property.
        9 => {
            out.extend_from_slice(b"{}");
            Ok(())
        }
        10 => buffer(out, data, limit),
        11 => indexed(out, data, limit, |out, bytes: [u8; 8]| {
            let value = i64::from_le_bytes(bytes);
            quoted(out, &bigint::to_text(value < 0, &value.unsigned_abs().to_le_bytes()));
        }),
        12 => indexed(out, data, limit, |out, bytes: [u8; 8]| quoted(out, &bigint::to_text(false, &bytes))),
        13 => indexed(out, data, limit, |out, bytes| number(out, half(u16::from_le_bytes(bytes)))),
        _ => Err(Fault::Malformed),
    }
}

/// `{"type":"Buffer","data":[1,2]}`
fn buffer(out: &mut Vec<u8>, data: &[u8], limit: usize) -> Result<(), Fault> {
    out.extend_from_slice(b"{\"type\":\"Buffer\",\"data\":[");
    for (index, &byte) in data.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push_integer(out, byte);
        if out.len() > limit {
            return Err(Fault::TooLarge);
        }
    }
    out.extend_from_slice(b"]}");
    Ok(())
}

/// `{"0":1,"1":2}`
fn indexed<const N: usize>(
    out: &mut Vec<u8>,
    data: &[u8],
    limit: usize,
    push: impl Fn(&mut Vec<u8>, [u8; N]),
) -> Result<(), Fault> {
    let (elements, rest) = data.as_chunks::<N>();
    if !rest.is_empty() {
        return Err(Fault::Malformed);
    }
    out.push(b'{');
    for (index, &element) in elements.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.push(b'"');
        push_integer(out, index);
        out.extend_from_slice(b"\":");
        push(out, element);
        if out.len() > limit {
            return Err(Fault::TooLarge);
        }
    }
    out.push(b'}');
    Ok(())
}

fn push_integer(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    out.extend_from_slice(value.to_string().as_bytes());
}

fn quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// A 16-bit float: sign, 5 bits of exponent, 10 of fraction.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let fraction = f64::from(bits & 0x3ff) / 1024.0;
    let size = match bits >> 10 & 0x1f {
        0 => fraction * 2f64.powi(-14),
        0x1f if bits & 0x3ff == 0 => f64::INFINITY,
        0x1f => f64::NAN,
        exponent => (1.0 + fraction) * 2f64.powi(i32::from(exponent) - 15),
    };
    sign * size
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(kind: u32, data: &[u8]) -> String {
        let mut out = Vec::new();
        push_view(&mut out, kind, data, 1000).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn views_look_as_json_stringify_shows_them() {
        assert_eq!(view(10, b"\x00\xff"), r#"{"type":"Buffer","data":[0,255]}"#);
        assert_eq!(view(10, b""), r#"{"type":"Buffer","data":[]}"#);
        assert_eq!(view(0, b"\xff\x01"), r#"{"0":-1,"1":1}"#);
        assert_eq!(view(2, b"\xff"), r#"{"0":255}"#);
        assert_eq!(view(4, b"\x01\x02"), r#"{"0":513}"#);
        assert_eq!(view(7, &1.5f32.to_le_bytes()), r#"{"0":1.5}"#);
        assert_eq!(view(8, &f64::NAN.to_le_bytes()), r#"{"0":null}"#);
        assert_eq!(view(9, b"abc"), "{}");
        assert_eq!(view(11, &i64::MIN.to_le_bytes()), r#"{"0":"-9223372036854775808"}"#);
        assert_eq!(view(12, &u64::MAX.to_le_bytes()), r#"{"0":"18446744073709551615"}"#);
        assert_eq!(view(13, &[0, 0x3e, 1, 0, 0, 0xfc]), r#"{"0":1.5,"1":5.960464477539063e-8,"2":null}"#);
    }

    #[test]
    fn what_cannot_be_a_view_is_refused() {
        let mut out = Vec::new();
        assert!(matches!(push_view(&mut out, 14, b"", 100), Err(Fault::Malformed)));
        assert!(matches!(push_view(&mut out, 5, b"abc", 100), Err(Fault::Malformed)));
        out.clear();
        assert!(matches!(push_view(&mut out, 10, &[200; 1000], 100), Err(Fault::TooLarge)));
        assert!(out.len() < 110);
    }
}
