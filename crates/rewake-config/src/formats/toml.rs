//! TOML with the place of each key and value.

use toml_edit::{Document, Item, TableLike, Value as TomlValue};

use super::Broken;
use super::json::lowercase_first;
use crate::node::{Entry, Lines, Node, Number, Pos, Value};
use crate::report::Wrong;

pub(crate) fn parse(text: &str) -> Result<Node, Broken> {
    let lines = Lines::new(text);
    let document = Document::parse(text).map_err(|error| {
        let at = error.span().map(|span| lines.pos(span.start));
        (at, Wrong::new(format!("broken TOML: {}", lowercase_first(error.message()))))
    })?;
    if document.as_table().is_empty() {
        return Err((None, Wrong::new("file is empty")));
    }
    Ok(Node { at: Some(Pos { line: 1, column: 1 }), value: table(document.as_table(), &lines) })
}

fn table(table: &dyn TableLike, lines: &Lines<'_>) -> Value {
    let entries = table.iter().map(|(key, item)| {
        let at = table.key(key).and_then(toml_edit::Key::span).map(|span| lines.pos(span.start));
        Entry { key: key.to_owned(), at, value: node(item, lines) }
    });
    Value::Map(entries.collect())
}

fn node(item: &Item, lines: &Lines<'_>) -> Node {
    let at = item.span().map(|span| lines.pos(span.start));
    let value = match item {
        Item::None => Value::Null,
        Item::Value(value) => return scalar(value, lines),
        Item::Table(inner) => table(inner, lines),
        Item::ArrayOfTables(tables) => Value::List(
            tables
                .iter()
                .map(|inner| Node { at: inner.span().map(|span| lines.pos(span.start)), value: table(inner, lines) })
                .collect(),
        ),
    };
    Node { at, value }
}

fn scalar(value: &TomlValue, lines: &Lines<'_>) -> Node {
    let at = value.span().map(|span| lines.pos(span.start));
    let value = match value {
        TomlValue::String(text) => Value::Text(text.value().clone()),
        TomlValue::Integer(number) => Value::Number(Number::of_i64(*number.value())),
        TomlValue::Float(number) => Value::Number(Number::of_f64(*number.value())),
        TomlValue::Boolean(value) => Value::Bool(*value.value()),
        TomlValue::Datetime(date) => Value::Text(date.value().to_string()),
        TomlValue::Array(items) => Value::List(items.iter().map(|item| scalar(item, lines)).collect()),
        TomlValue::InlineTable(inner) => table(inner, lines),
    };
    Node { at, value }
}
