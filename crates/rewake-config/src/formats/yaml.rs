//! YAML 1.2 with anchors and `<<` merge keys, and the place of each part. Never expands a bomb.

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};

use super::Broken;
use crate::node::{Entry, MAX_DEPTH, Node, Number, Pos, Value, small};
use crate::report::Wrong;

/// Blocks may be indented this deep, in blanks. The parser has no limit of its own for blocks (it has one for `[` and
/// `{`), and a value nested by the ten thousand would overflow the stack when it is dropped.
const MAX_INDENT: usize = 512;
/// Each anchor keeps a copy of what it names; bytes of text times anchors bounds what that can cost.
const MAX_ANCHORED_BYTES: usize = 64 * 1024 * 1024;

pub(crate) fn parse(text: &str) -> Result<Node, Broken> {
    check_bounds(text)?;
    let mut documents = MarkedYaml::load_from_str(text).map_err(|error| {
        // Columns are counted from 0 there.
        let at = Pos { line: small(error.marker().line()), column: small(error.marker().col() + 1) };
        (Some(at), Wrong::new(format!("broken YAML: {}", error.info())))
    })?;
    if documents.len() > 1 {
        let at = documents.get(1).map(place);
        return Err((at, Wrong::new("more than one YAML document in the file").hint("list all apps under one `apps`")));
    }
    match documents.pop() {
        None => Err((None, Wrong::new("file is empty"))),
        Some(document) if matches!(document.data, YamlData::BadValue | YamlData::Value(Scalar::Null)) => {
            Err((None, Wrong::new("file is empty")))
        }
        Some(document) => node(&document, MAX_DEPTH),
    }
}

fn check_bounds(text: &str) -> Result<(), Broken> {
    let mut anchors = 0;
    for (number, line) in text.lines().enumerate() {
        // Every level of a block costs at least one blank before the line's first word.
        let before = line.bytes().take_while(|b| b" -?:\t".contains(b));
        if before.filter(|b| b" \t".contains(b)).count() > MAX_INDENT {
            let at = Pos { line: small(number + 1), column: 1 };
            return Err((Some(at), Wrong::new(format!("line is indented by more than {MAX_INDENT} columns"))));
        }
        anchors += line
            .as_bytes()
            .windows(2)
            .filter(|pair| pair[0] == b'&' && !pair[1].is_ascii_whitespace() && pair[1] != b'&')
            .count();
    }
    if anchors.saturating_mul(text.len()) > MAX_ANCHORED_BYTES {
        return Err((None, Wrong::new(format!("{anchors} anchors are too many for a file of this size"))));
    }
    Ok(())
}

fn place(node: &MarkedYaml<'_>) -> Pos {
    Pos { line: small(node.span.start.line()), column: small(node.span.start.col() + 1) }
}

fn node(yaml: &MarkedYaml<'_>, depth: usize) -> Result<Node, Broken> {
    let at = Some(place(yaml));
    let broken = |message: &str| Err((at, Wrong::new(message)));
    let Some(deeper) = depth.checked_sub(1) else { return broken("nested too deeply") };
    let value = match &yaml.data {
        YamlData::Value(scalar) => self::scalar(scalar),
        YamlData::Sequence(items) => {
            Value::List(items.iter().map(|item| node(item, deeper)).collect::<Result<_, _>>()?)
        }
        YamlData::Mapping(pairs) => {
            let mut entries: Vec<Entry> = Vec::with_capacity(pairs.len());
            let mut merged: Vec<Entry> = Vec::new();
            for (key, value) in pairs {
                let Some(name) = key_text(key) else {
                    return Err((Some(place(key)), Wrong::new("a key must be a word, not a list or a map")));
                };
                let value = node(value, deeper)?;
                if name == "<<" {
                    merge(value, &mut merged)?;
                } else {
                    entries.push(Entry { key: name, at: Some(place(key)), value });
                }
            }
            merged.retain(|entry| entries.iter().all(|own| own.key != entry.key));
            entries.append(&mut merged);
            Value::Map(entries)
        }
        YamlData::Tagged(_, inner) => return node(inner, deeper),
        YamlData::BadValue => return broken("broken YAML: the value does not fit its tag, or its anchor is unknown"),
        YamlData::Representation(text, _, _) => Value::Text(text.to_string()),
        YamlData::Alias(_) => return broken("broken YAML: the anchor is unknown"),
    };
    Ok(Node { at, value })
}

/// `<<: *base` or `<<: [*a, *b]`: what an earlier map has is kept.
fn merge(value: Node, merged: &mut Vec<Entry>) -> Result<(), Broken> {
    match value.value {
        Value::Map(entries) => {
            for entry in entries {
                if merged.iter().all(|known| known.key != entry.key) {
                    merged.push(entry);
                }
            }
            Ok(())
        }
        Value::List(items) => items.into_iter().try_for_each(|item| merge(item, merged)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => {
            Err((value.at, Wrong::new("`<<` merges maps, and this is none")))
        }
    }
}

fn scalar(scalar: &Scalar<'_>) -> Value {
    match scalar {
        Scalar::Null => Value::Null,
        Scalar::Boolean(value) => Value::Bool(*value),
        Scalar::Integer(value) => Value::Number(Number::of_i64(*value)),
        Scalar::FloatingPoint(value) => Value::Number(Number::of_f64(value.into_inner())),
        Scalar::String(text) => Value::Text(text.to_string()),
    }
}

fn key_text(key: &MarkedYaml<'_>) -> Option<String> {
    match &key.data {
        YamlData::Value(Scalar::String(text)) => Some(text.to_string()),
        YamlData::Value(Scalar::Integer(number)) => Some(number.to_string()),
        YamlData::Value(Scalar::FloatingPoint(number)) => Some(number.to_string()),
        YamlData::Value(Scalar::Boolean(value)) => Some(value.to_string()),
        YamlData::Value(Scalar::Null) => Some("null".into()),
        YamlData::Tagged(_, inner) => key_text(inner),
        YamlData::Representation(..)
        | YamlData::Sequence(_)
        | YamlData::Mapping(_)
        | YamlData::Alias(_)
        | YamlData::BadValue => None,
    }
}
