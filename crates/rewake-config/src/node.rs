//! A value of any format with the place of each part. Never says which keys or types are right.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Deepest nesting that is read. JSON parsers in common use stop near here, no ecosystem file comes close, and recursion
/// over a value stays within any thread's stack.
pub(crate) const MAX_DEPTH: usize = 128;

/// A place in a text, both from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pos {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// A value and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) at: Option<Pos>,
    pub(crate) value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A number with its text, so that an id of twenty digits reaches the app as it was written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Number {
    pub(crate) value: f64,
    pub(crate) text: String,
}

/// One key of a map.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) at: Option<Pos>,
    pub(crate) value: Node,
}

impl Number {
    pub(crate) fn of_f64(value: f64) -> Self {
        // `3000.0` is `3000` in JavaScript, and in Rust's display of a whole number too; infinities have JavaScript's names.
        let text = if value.is_infinite() {
            if value > 0.0 { "Infinity".into() } else { "-Infinity".into() }
        } else {
            value.to_string()
        };
        Self { value, text }
    }

    #[expect(clippy::cast_precision_loss, reason = "the text keeps all digits; the value is for ranges far below 2^53")]
    pub(crate) fn of_i64(value: i64) -> Self {
        Self { value: value as f64, text: value.to_string() }
    }

    /// A literal: whole numbers keep their digits, others are written as JavaScript would.
    pub(crate) fn of_literal(text: &str) -> Option<Self> {
        let value: f64 = text.parse().ok()?;
        let digits = text.strip_prefix('-').unwrap_or(text);
        if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
            return Some(Self { value, text: text.to_owned() });
        }
        Some(Self::of_f64(value))
    }
}

impl Node {
    pub(crate) fn unplaced(value: Value) -> Self {
        Self { at: None, value }
    }

    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::unplaced(Value::Text(text.into()))
    }

    pub(crate) fn as_map(&self) -> Option<&[Entry]> {
        if let Value::Map(entries) = &self.value { Some(entries) } else { None }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value { Some(text) } else { None }
    }

    /// The value under a key; the last one where a format allowed two.
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        self.as_map()?.iter().rev().find(|entry| entry.key == key)
    }

    /// A JSON value; `None` when it is nested deeper than [`MAX_DEPTH`].
    pub(crate) fn from_json(value: &serde_json::Value) -> Option<Self> {
        Self::from_json_within(value, MAX_DEPTH)
    }

    fn from_json_within(value: &serde_json::Value, depth: usize) -> Option<Self> {
        let deeper = depth.checked_sub(1)?;
        Some(Self::unplaced(match value {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Bool(*value),
            serde_json::Value::Number(number) => Value::Number(Number::of_literal(&number.to_string())?),
            serde_json::Value::String(text) => Value::Text(text.clone()),
            serde_json::Value::Array(items) => {
                Value::List(items.iter().map(|item| Self::from_json_within(item, deeper)).collect::<Option<_>>()?)
            }
            serde_json::Value::Object(map) => Value::Map(
                map.iter()
                    .map(|(key, value)| {
                        Some(Entry { key: key.clone(), at: None, value: Self::from_json_within(value, deeper)? })
                    })
                    .collect::<Option<_>>()?,
            ),
        }))
    }

    /// The value as JSON text, keys in their order (what `JSON.stringify` gives).
    pub(crate) fn write_json(&self, out: &mut String) {
        match &self.value {
            Value::Null => out.push_str("null"),
            Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Value::Number(number) if number.value.is_finite() => out.push_str(&number.text),
            Value::Number(_) => out.push_str("null"),
            Value::Text(text) => push_quoted(out, text),
            Value::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write_json(out);
                }
                out.push(']');
            }
            Value::Map(entries) => {
                out.push('{');
                for (index, entry) in entries.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    push_quoted(out, &entry.key);
                    out.push(':');
                    entry.value.write_json(out);
                }
                out.push('}');
            }
        }
    }

    /// What it is, for "expected X, found …".
    pub(crate) fn describe(&self) -> String {
        match &self.value {
            Value::Null => "null".into(),
            Value::Bool(value) => format!("the boolean `{value}`"),
            Value::Number(number) => format!("the number `{}`", number.text),
            Value::Text(text) => {
                // Long enough to know it again, short enough for one line.
                let shown: String = text.chars().take(40).flat_map(char::escape_debug).collect();
                let more = if text.chars().nth(40).is_some() { "…" } else { "" };
                format!("the string `{shown}{more}`")
            }
            Value::List(_) => "an array".into(),
            Value::Map(_) => "an object".into(),
        }
    }
}

fn push_quoted(out: &mut String, text: &str) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

/// Reads JSON and keeps the order of keys, which serde_json's own map does not.
impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::unplaced(Value::Null))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::unplaced(Value::Bool(value)))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::unplaced(Value::Number(Number::of_i64(value))))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        Number::of_literal(&value.to_string())
            .map(|number| Node::unplaced(Value::Number(number)))
            .ok_or_else(|| E::custom("not a number"))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        Ok(Node::unplaced(Value::Number(Number::of_f64(value))))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Node, E> {
        Ok(Node::text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Node::unplaced(Value::List(items)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = access.next_entry()? {
            entries.push(Entry { key, at: None, value });
        }
        Ok(Node::unplaced(Value::Map(entries)))
    }
}

/// Places of byte offsets in a text.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    pub(crate) fn pos(&self, offset: usize) -> Pos {
        let line = self.starts.partition_point(|&start| start <= offset).max(1);
        let start = self.starts[line - 1];
        let before = self.text.get(start..offset.min(self.text.len())).unwrap_or("");
        Pos { line: small(line), column: small(before.chars().count() + 1) }
    }
}

/// Files are capped at a megabyte, so a line or column always fits.
pub(crate) fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The place of `key` as the name of a property in JavaScript text, if there is only one such place.
pub(crate) fn find_key(text: &str, key: &str) -> Option<Pos> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let mut found = text.match_indices(key).filter(|&(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + key.len()..].trim_start_matches(['"', '\'', '`', ']']).trim_start();
        !before.is_some_and(|c| is_word(c) || c == '.') && after.starts_with(':')
    });
    let (at, _) = found.next()?;
    if found.next().is_some() {
        return None;
    }
    Some(Lines::new(text).pos(at))
}
