//! JSON text to structured clone, as V8 would write what `JSON.parse` makes of it. Never recurses.
//!
//! Two passes over the text: V8 wants the length of an array before its elements, and dies of a key that comes twice.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use super::tag;
use crate::json::{Invalid, Token, Tokens, units};

/// Why a text was not encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotEncoded {
    Invalid,
    TooDeep,
}

impl From<Invalid> for NotEncoded {
    fn from(Invalid: Invalid) -> Self {
        Self::Invalid
    }
}

/// Appends header and value to `out`, which must hold an even number of bytes so far (two-byte strings are aligned).
///
/// # Errors
/// When the text is not one JSON value, or nested more than `max_depth` levels.
pub(crate) fn encode(out: &mut Vec<u8>, text: &str, max_depth: usize) -> Result<(), NotEncoded> {
    let survey = survey(text, max_depth)?;
    out.extend_from_slice(&[tag::VERSION, tag::WRITTEN_VERSION]);
    let mut tokens = Tokens::new(text);
    let mut lengths = survey.array_lengths.into_iter();
    let mut key_number = 0;
    // For each open object the properties written so far, for each open array its length.
    let mut open: Vec<u32> = Vec::new();
    // Depth of a key whose value is being left out, because the key comes again.
    let mut leaving_out = None;
    while let Some(token) = tokens.next()? {
        let number = key_number;
        key_number += usize::from(matches!(token, Token::Key(_)));
        if let Some(depth) = leaving_out {
            if token == Token::BeginArray {
                lengths.next();
            }
            // Back at the depth of its key, the value has ended: only its own end or the whole of it can be there.
            if tokens.depth() == depth {
                leaving_out = None;
            }
            continue;
        }
        match token {
            Token::BeginObject => {
                out.push(tag::BEGIN_OBJECT);
                open.push(0);
            }
            Token::EndObject => {
                out.push(tag::END_OBJECT);
                push_varint(out, open.pop().unwrap_or(0));
            }
            Token::BeginArray => {
                let length = lengths.next().unwrap_or(0);
                out.push(tag::BEGIN_DENSE_ARRAY);
                push_varint(out, length);
                open.push(length);
            }
            Token::EndArray => {
                out.push(tag::END_DENSE_ARRAY);
                push_varint(out, 0);
                push_varint(out, open.pop().unwrap_or(0));
            }
            Token::Key(_) if survey.repeated.contains(&number) => leaving_out = Some(tokens.depth()),
            Token::Key(range) => {
                if let Some(count) = open.last_mut() {
                    *count += 1;
                }
                push_string(out, &text[range]);
            }
            Token::String(range) => push_string(out, &text[range]),
            Token::Number(range) => push_number(out, &text[range]),
            Token::True => out.push(tag::TRUE),
            Token::False => out.push(tag::FALSE),
            Token::Null => out.push(tag::NULL),
        }
    }
    Ok(())
}

/// What must be known before anything is written.
#[derive(Debug, Default)]
struct Survey {
    /// In the order of their beginnings.
    array_lengths: Vec<u32>,
    /// Keys, counted through the whole text, that come again later in their object. The last one counts.
    repeated: HashSet<usize>,
}

/// An object or array that is open during the survey.
#[derive(Debug)]
enum Open<'a> {
    Object(HashMap<Cow<'a, str>, usize>),
    /// Its index in `array_lengths`.
    Array(usize),
}

fn survey(text: &str, max_depth: usize) -> Result<Survey, NotEncoded> {
    let mut survey = Survey::default();
    let mut tokens = Tokens::new(text);
    let mut open = Vec::new();
    let mut key_number = 0;
    while let Some(token) = tokens.next()? {
        // An object's values are met through its keys; an array's are counted when they begin.
        let begins = !matches!(token, Token::Key(_) | Token::EndObject | Token::EndArray);
        if begins && let Some(&Open::Array(index)) = open.last() {
            survey.array_lengths[index] += 1;
        }
        match token {
            Token::BeginObject => open.push(Open::Object(HashMap::new())),
            Token::BeginArray => {
                open.push(Open::Array(survey.array_lengths.len()));
                survey.array_lengths.push(0);
            }
            Token::EndObject | Token::EndArray => {
                open.pop();
            }
            Token::Key(range) => {
                if let Some(Open::Object(keys)) = open.last_mut()
                    && let Some(earlier) = keys.insert(plain_key(&text[range]), key_number)
                {
                    survey.repeated.insert(earlier);
                }
                key_number += 1;
            }
            Token::String(_) | Token::Number(_) | Token::True | Token::False | Token::Null => {}
        }
        if tokens.depth() > max_depth {
            return Err(NotEncoded::TooDeep);
        }
    }
    Ok(survey)
}

/// A key in a form in which equal keys are equal texts: lone surrogates stay escaped, everything else does not.
fn plain_key(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\\') {
        return Cow::Borrowed(raw);
    }
    let mut all = Vec::new();
    units(raw, |unit| all.push(unit));
    let mut plain = String::new();
    for decoded in char::decode_utf16(all) {
        match decoded {
            Ok('\\') => plain.push_str("\\\\"),
            Ok(character) => plain.push(character),
            Err(lone) => plain.push_str(&format!("\\u{:04x}", lone.unpaired_surrogate())),
        }
    }
    Cow::Owned(plain)
}

fn push_varint(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// One byte per character where that is enough, as V8 does.
fn push_string(out: &mut Vec<u8>, raw: &str) {
    if raw.is_ascii() && !raw.contains('\\') {
        out.push(tag::ONE_BYTE_STRING);
        push_varint(out, raw.len() as u32);
        out.extend_from_slice(raw.as_bytes());
        return;
    }
    let mut all = Vec::with_capacity(raw.len());
    units(raw, |unit| all.push(unit));
    if all.iter().all(|&unit| unit <= 0xff) {
        out.push(tag::ONE_BYTE_STRING);
        push_varint(out, all.len() as u32);
        out.extend(all.iter().map(|&unit| unit as u8));
        return;
    }
    let length = all.len() as u32 * 2;
    // The units begin at an even offset, so that V8 may read them in place.
    let mut size = Vec::with_capacity(5);
    push_varint(&mut size, length);
    if (out.len() + 1 + size.len()) % 2 == 1 {
        out.push(tag::PADDING);
    }
    out.push(tag::TWO_BYTE_STRING);
    out.extend_from_slice(&size);
    out.extend(all.iter().flat_map(|unit| unit.to_le_bytes()));
}

fn push_number(out: &mut Vec<u8>, raw: &str) {
    if raw != "-0"
        && let Ok(small) = raw.parse::<i32>()
    {
        out.push(tag::INT32);
        push_varint(out, ((small << 1) ^ (small >> 31)).cast_unsigned());
        return;
    }
    out.push(tag::DOUBLE);
    // JSON's numbers are all Rust floats too; too large ones are infinite in both.
    out.extend_from_slice(&raw.parse().unwrap_or(f64::NAN).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v8::{Fault, decode};

    fn encoded(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        encode(&mut out, text, 1000).unwrap();
        out
    }

    #[test]
    fn bytes_are_those_of_v8() {
        assert_eq!(encoded("[1,-1,true,null]"), b"\xff\x0fA\x04I\x02I\x01T0$\0\x04");
        assert_eq!(encoded(r#"{"a":{"b":"\u00e9"}}"#), b"\xff\x0fo\"\x01ao\"\x01b\"\x01\xe9{\x01{\x01");
        assert_eq!(encoded(r#""\ud800""#), b"\xff\x0fc\x02\x00\xd8");
        assert_eq!(encoded(r#"[0,"a","\u20ac"]"#), b"\xff\x0fA\x03I\0\"\x01a\0c\x02\xac\x20$\0\x03");
        assert_eq!(encoded("-0"), b"\xff\x0fN\0\0\0\0\0\0\0\x80");
        assert_eq!(encoded("2147483648"), b"\xff\x0fN\0\0\0\0\0\0\xe0\x41");
    }

    #[test]
    fn of_a_key_that_comes_twice_the_last_counts() {
        let text = r#"{"a":[[1],{"x":[2]}],"b":[3,4],"\u0061":5,"c":{"d":1,"d":[6]}}"#;
        let decoded = decode(&encoded(text), 1000).unwrap();
        assert_eq!(decoded.json, r#"{"b":[3,4],"a":5,"c":{"d":[6]}}"#);
        let text = r#"{"\ud800":1,"\\ud800":2,"\uD800":3}"#;
        assert_eq!(decode(&encoded(text), 1000).unwrap().json, r#"{"\\ud800":2,"\ud800":3}"#);
    }

    #[test]
    fn depth_is_limited() {
        let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert_eq!(encode(&mut Vec::new(), &deep(10), 10), Ok(()));
        assert_eq!(encode(&mut Vec::new(), &deep(11), 10), Err(NotEncoded::TooDeep));
        assert_eq!(encode(&mut Vec::new(), "[1", 10), Err(NotEncoded::Invalid));
    }

    #[test]
    fn long_arrays_and_strings_have_long_lengths() {
        let text = format!("[{}0]", "\"abc\",".repeat(300));
        assert_eq!(decode(&encoded(&text), 10_000).unwrap().json, text);
        let text = format!("\"{}\"", "é€".repeat(100_000));
        assert_eq!(decode(&encoded(&text), 1 << 20).unwrap().json, text);
        assert_eq!(decode(&encoded(&text), 1000).unwrap_err(), Fault::TooLarge);
    }
}
