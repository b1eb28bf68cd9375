//! `log_rotate`: a switch, or an object with bounds. Never touches a file.

use rewake_wire::Rotation;

use crate::keys::camel_case;
use crate::node::{Entry, Node, Value};
use crate::read::{self, Read};
use crate::report::Wrong;

const KEYS: [&str; 5] = ["max_size", "max_age", "keep", "compress", "total"];
/// Smaller files would be all names and no content.
const LEAST_SIZE: u64 = 1 << 10;

/// What is not given is as usual; `null` or `false` takes a bound away.
pub(crate) fn read(node: &Node) -> Read<Option<Rotation>> {
    match &node.value {
        Value::Bool(true) => Ok(Some(Rotation::default())),
        Value::Bool(false) => Ok(None),
        Value::Map(entries) => {
            let mut rotation = Rotation::default();
            for entry in entries {
                set(&mut rotation, entry).map_err(|wrong| wrong.inside(&entry.key))?;
            }
            Ok(Some(rotation))
        }
        Value::Null | Value::Number(_) | Value::Text(_) | Value::List(_) => {
            Err(Wrong::new(format!("must be a boolean or an object, found {}", node.describe())))
        }
    }
}

fn set(rotation: &mut Rotation, entry: &Entry) -> Read<()> {
    let node = &entry.value;
    let key = KEYS.iter().find(|key| **key == entry.key || camel_case(key) == entry.key);
    let off = matches!(node.value, Value::Null | Value::Bool(false));
    match key.copied() {
        Some("max_size") => rotation.max_size = bound(off, || bytes(node, LEAST_SIZE))?,
        Some("max_age") => rotation.max_age_ms = bound(off, || age(node))?,
        Some("keep") => rotation.keep = bound(off, || count(node))?,
        Some("compress") => rotation.compress = read::flag(node)?,
        Some("total") => rotation.total = bound(off, || bytes(node, 0))?,
        Some(_) | None => {
            let known = KEYS.map(|key| format!("`{key}`")).join(", ");
            return Err(Wrong::new("is not known").hint(format!("there are {known}")));
        }
    }
    Ok(())
}

fn bound<T>(off: bool, value: impl FnOnce() -> Read<T>) -> Read<Option<T>> {
    if off { Ok(None) } else { value().map(Some) }
}

/// Bytes, or with a unit.
fn bytes(node: &Node, least: u64) -> Read<u64> {
    let units = [("", 1.0), ("b", 1.0), ("k", 1024.0), ("m", 1024.0 * 1024.0), ("g", 1024.0 * 1024.0 * 1024.0)];
    scaled(node, &units)
        .filter(|&bytes| bytes >= least)
        .ok_or_else(|| wrong(&format!("a size of at least {least} bytes (a number, or like `10M`, `1G`)"), node))
}

/// Milliseconds, or with a unit.
fn age(node: &Node) -> Read<u64> {
    let units = [("", 1.0), ("ms", 1.0), ("s", 1e3), ("m", 6e4), ("h", 36e5), ("d", 864e5), ("w", 7.0 * 864e5)];
    scaled(node, &units)
        .filter(|&ms| ms >= 1000)
        .ok_or_else(|| wrong("a time of at least a second (a number of ms, or like `12h`, `7d`)", node))
}

fn count(node: &Node) -> Read<u32> {
    let count = scaled(node, &[("", 1.0)]).and_then(|count| u32::try_from(count).ok());
    count.ok_or_else(|| wrong("a whole number, 0 or more", node))
}

fn wrong(what: &str, node: &Node) -> Wrong {
    Wrong::new(format!("must be {what}, found {}", node.describe()))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be within 0..=1e15")]
fn scaled(node: &Node, units: &[(&str, f64)]) -> Option<u64> {
    let value = match &node.value {
        Value::Number(number) => number.value,
        Value::Text(text) => {
            let text = text.trim().to_ascii_lowercase();
            let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
            let (digits, unit) = text.split_at(unit_at);
            let (_, scale) = units.iter().find(|(name, _)| *name == unit)?;
            read::decimal(digits.trim())? * scale
        }
        Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => return None,
    };
    (0.0..=1e15).contains(&value).then(|| value.round() as u64)
}
