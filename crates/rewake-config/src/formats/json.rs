//! JSON as people write it: comments, single quotes, bare keys, trailing commas. Parsed, never evaluated.

use jsonc_parser::ast;
use jsonc_parser::common::Ranged;
use jsonc_parser::errors::ParseErrorKind;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::Broken;
use crate::node::{Entry, Lines, Node, Number, Value};
use crate::report::Wrong;

pub(crate) fn parse(text: &str) -> Result<Node, Broken> {
    let lines = Lines::new(text);
    // JavaScript, as which PM2 reads these files, does not let a comma be left out either.
    let options = ParseOptions { allow_missing_commas: false, ..ParseOptions::default() };
    let parsed = parse_to_ast(text, &CollectOptions::default(), &options).map_err(|error| {
        let wrong = Wrong::new(format!("broken JSON: {}", lowercase_first(&error.kind().to_string())));
        let is_code = matches!(error.kind(), ParseErrorKind::UnexpectedWord | ParseErrorKind::UnexpectedToken);
        let wrong = if is_code {
            wrong.hint("JSON is read as data and never evaluated; expressions go into a `.config.js` file")
        } else {
            wrong
        };
        (Some(lines.pos(error.range().start)), wrong)
    })?;
    match &parsed.value {
        Some(value) => node(value, &lines),
        None => Err((None, Wrong::new("file is empty"))),
    }
}

fn node(value: &ast::Value<'_>, lines: &Lines<'_>) -> Result<Node, Broken> {
    let at = Some(lines.pos(value.range().start));
    let value = match value {
        ast::Value::NullKeyword(_) => Value::Null,
        ast::Value::BooleanLit(literal) => Value::Bool(literal.value),
        ast::Value::StringLit(literal) => Value::Text(literal.value.to_string()),
        ast::Value::NumberLit(literal) => Value::Number(
            number(literal.value)
                .ok_or_else(|| (at, Wrong::new(format!("broken JSON: `{}` is not a number", literal.value))))?,
        ),
        ast::Value::Array(array) => {
            Value::List(array.elements.iter().map(|item| node(item, lines)).collect::<Result<_, _>>()?)
        }
        ast::Value::Object(object) => {
            let mut entries: Vec<Entry> = Vec::with_capacity(object.properties.len());
            for property in &object.properties {
                let key = property.name.as_str().to_owned();
                let at = Some(lines.pos(property.range().start));
                if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                    let line = first.at.map_or(0, |at| at.line);
                    return Err((at, Wrong::new(format!("key `{key}` is given twice, first in line {line}"))));
                }
                entries.push(Entry { key, at, value: node(&property.value, lines)? });
            }
            Value::Map(entries)
        }
    };
    Ok(Node { at, value })
}

/// A number as JSON5 has them: sign, hexadecimal, a bare point, `Infinity`, `NaN`.
fn number(text: &str) -> Option<Number> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        let value = i64::from_str_radix(hex, 16).ok()?;
        return Some(Number::of_i64(if negative { -value } else { value }));
    }
    let sign = if negative { "-" } else { "" };
    Number::of_literal(&format!("{sign}{digits}"))
}

pub(crate) fn lowercase_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_lowercase().chain(chars).collect()).unwrap_or_default()
}
