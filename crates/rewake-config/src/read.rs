//! A node as a value of one type, with PM2's leniency (`"3"` is a number, a string is a list of words). Never guesses
//! further, and never shows a variable's value.

use rewake_wire::{ClusterBalance, ExecMode, LogCapture, SystemLog};

use crate::draft::{Filter, Id, Instances, Limit, Variable};
use crate::keys::Shape;
use crate::node::{Node, Value};
use crate::report::Wrong;
use crate::shell_words;

/// A day's worth of ms and more fits; a delay of seven weeks is a slip of the keyboard.
const MAX_MS: u64 = u32::MAX as u64;
/// More than any machine runs of one app, and far below what would exhaust one by a slip.
const MAX_INSTANCES: u32 = 4096;

/// A value or what is wrong with it, beginning after "`key` ": `must be …, found …`.
pub(crate) type Read<T> = Result<T, Wrong>;

fn expected<T>(what: &str, node: &Node) -> Read<T> {
    Err(Wrong::new(format!("must be {what}, found {}", node.describe())))
}

pub(crate) fn text(node: &Node) -> Read<String> {
    match node.as_text() {
        Some(text) if text.contains('\0') => Err(Wrong::new("must not hold a NUL character")),
        Some(text) => Ok(text.to_owned()),
        None => expected("a string", node),
    }
}

pub(crate) fn flag(node: &Node) -> Read<bool> {
    match &node.value {
        Value::Bool(value) => Ok(*value),
        Value::Text(text) if text == "true" || text == "false" => {
            expected("a boolean", node).map_err(|wrong: Wrong| wrong.hint(format!("write {text} without quotes")))
        }
        Value::Null | Value::Number(_) | Value::Text(_) | Value::List(_) | Value::Map(_) => expected("a boolean", node),
    }
}

/// A number, or a string that is one.
fn number(node: &Node) -> Option<f64> {
    match &node.value {
        Value::Number(number) => Some(number.value),
        Value::Text(text) => decimal(text.trim()),
        Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => None,
    }
}

/// Digits with an optional sign and point: not `inf`, `nan` or `1e9`, which Rust would take.
pub(crate) fn decimal(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b"+-.".contains(&b));
    if plain { text.parse().ok() } else { None }
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be whole and within the range, which is below 2^53")]
fn whole(node: &Node, min: i64, max: i64, what: &str) -> Read<i64> {
    match number(node) {
        #[expect(clippy::cast_precision_loss, reason = "bounds are far below 2^53")]
        Some(number) if number.fract() == 0.0 && number >= min as f64 && number <= max as f64 => Ok(number as i64),
        Some(_) | None => expected(what, node),
    }
}

pub(crate) fn words(node: &Node) -> Read<Vec<String>> {
    const WHAT: &str = "an array of strings or one string";
    match &node.value {
        Value::Text(line) => {
            text(node)?;
            shell_words::split(line).ok_or_else(|| Wrong::new("has a quote that is not closed"))
        }
        Value::List(items) => items.iter().map(|item| scalar(item, WHAT)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Map(_) => expected(WHAT, node),
    }
}

fn scalar(node: &Node, what: &str) -> Read<String> {
    match &node.value {
        Value::Text(_) => text(node),
        Value::Number(number) => Ok(number.text.clone()),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Null | Value::List(_) | Value::Map(_) => {
            Err(Wrong::new(format!("must be {what}, found {} in it", node.describe())))
        }
    }
}

pub(crate) fn millis(node: &Node, min: u64) -> Read<u64> {
    const WHAT: &str = "a time (a number of ms, or like `10s`, `1m`, `1h`)";
    let ms = match &node.value {
        Value::Text(text) => span(text.trim()),
        Value::Number(number) => Some(number.value),
        Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => None,
    };
    let Some(ms) = ms else { return expected(WHAT, node) };
    #[expect(clippy::cast_precision_loss, reason = "both bounds are below 2^53")]
    let within = ms >= min as f64 && ms <= MAX_MS as f64;
    if !within {
        return expected(&format!("a time between {min} ms and {MAX_MS} ms"), node);
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be within 0..=u32::MAX")]
    Ok(ms.round() as u64)
}

fn span(text: &str) -> Option<f64> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (count, unit) = text.split_at(unit_at);
    let factor = match unit {
        "" | "ms" => 1.0,
        "s" => 1000.0,
        "m" => 60_000.0,
        "h" => 3_600_000.0,
        _ => return None,
    };
    Some(decimal(count.trim_end())? * factor)
}

pub(crate) fn limit(node: &Node) -> Read<Limit> {
    let endless = match &node.value {
        Value::Number(number) => number.value == f64::INFINITY,
        Value::Text(text) => text == "Infinity",
        Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => false,
    };
    if endless {
        return Ok(Limit::Unlimited);
    }
    let count = whole(node, 0, i64::from(u32::MAX), "a whole number, 0 or more")?;
    Ok(Limit::Of(u32::try_from(count).unwrap_or(u32::MAX)))
}

pub(crate) fn codes(node: &Node) -> Read<Vec<i32>> {
    const WHAT: &str = "an exit code (0 to 255) or an array of them";
    let code = |node: &Node| whole(node, 0, 255, WHAT).map(|code| i32::try_from(code).unwrap_or(0));
    match &node.value {
        Value::List(items) => items.iter().map(code).collect(),
        // The flag takes several at once: `--stop-exit-codes "3 5"`, or with commas.
        Value::Text(text) => text
            .split(|c: char| c == ',' || c.is_ascii_whitespace())
            .filter(|part| !part.is_empty())
            .map(|part| code(&Node::text(part)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Map(_) => Ok(vec![code(node)?]),
    }
}

pub(crate) fn instances(node: &Node) -> Read<Instances> {
    if node.as_text() == Some("max") {
        return Ok(Instances::CoresLess(0));
    }
    let most = i64::from(MAX_INSTANCES);
    let count = whole(node, -most, most, &format!("a whole number up to {MAX_INSTANCES}, or `max`"))?;
    let size = u32::try_from(count.unsigned_abs()).unwrap_or(MAX_INSTANCES);
    Ok(if count > 0 { Instances::Count(size) } else { Instances::CoresLess(size) })
}

pub(crate) fn mode(node: &Node) -> Read<ExecMode> {
    match node.as_text() {
        Some("fork" | "fork_mode") => Ok(ExecMode::Fork),
        Some("cluster" | "cluster_mode") => Ok(ExecMode::Cluster),
        Some(_) | None => expected("`fork` or `cluster`", node),
    }
}

/// Variables: scalars as text, objects and arrays as JSON, `null` takes the variable away.
pub(crate) fn env(node: &Node) -> Read<Vec<Variable>> {
    let Some(entries) = node.as_map() else { return expected("an object", node) };
    let mut variables = Vec::with_capacity(entries.len());
    for entry in entries {
        let name = &entry.key;
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(Wrong::new(format!("has `{}`, which cannot be a variable's name", name.escape_debug())));
        }
        let value = match &entry.value.value {
            Value::Null => None,
            Value::Bool(value) => Some(value.to_string()),
            Value::Number(number) => Some(number.text.clone()),
            Value::Text(text) if text.contains('\0') => {
                return Err(Wrong::new(format!("has a NUL character in the value of `{name}`")));
            }
            Value::Text(text) => Some(text.clone()),
            Value::List(_) | Value::Map(_) => {
                let mut json = String::new();
                entry.value.write_json(&mut json);
                Some(json)
            }
        };
        variables.push(Variable { name: name.clone(), value });
    }
    Ok(variables)
}

pub(crate) fn filter(node: &Node) -> Read<Filter> {
    const WHAT: &str = "a boolean, a string or an array of strings";
    match &node.value {
        Value::Bool(true) => Ok(Filter::All),
        Value::Bool(false) => Ok(Filter::Nothing),
        Value::Text(_) | Value::List(_) => {
            let mut parts = words(node)?;
            // An empty part is contained in every name; that is what `true` is for.
            parts.retain(|part| !part.is_empty());
            Ok(Filter::Containing(parts))
        }
        Value::Null | Value::Number(_) | Value::Map(_) => expected(WHAT, node),
    }
}

pub(crate) fn port(node: &Node) -> Read<u16> {
    whole(node, 0, 65_535, "a port number").map(|port| u16::try_from(port).unwrap_or(0))
}

pub(crate) fn id(node: &Node) -> Read<Id> {
    const WHAT: &str = "a name or a number";
    match node.as_text() {
        Some("") => expected(WHAT, node),
        Some(name) if decimal(name).is_none() => text(node).map(Id::Name),
        // The highest number means "unchanged" to the kernel.
        Some(_) | None => {
            let number = whole(node, 0, i64::from(u32::MAX) - 1, WHAT)?;
            Ok(Id::Number(u32::try_from(number).unwrap_or(0)))
        }
    }
}

pub(crate) fn signal(node: &Node) -> Read<i32> {
    const WHAT: &str = "a signal, like `SIGTERM`";
    let text = match &node.value {
        Value::Text(text) => text,
        Value::Number(number) => &number.text,
        Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => return expected(WHAT, node),
    };
    rewake_unix::signal::number(text).map_or_else(|| expected(WHAT, node), Ok)
}

/// True: `advanced`.
pub(crate) fn serialization(node: &Node) -> Read<bool> {
    match node.as_text() {
        Some("advanced") => Ok(true),
        Some("json") => Ok(false),
        Some(_) | None => expected("`json` or `advanced`", node),
    }
}

pub(crate) fn listen_timeout_action(node: &Node) -> Read<bool> {
    match node.as_text() {
        Some("accept") => Ok(true),
        Some("fail") => Ok(false),
        Some(_) | None => expected("`fail` or `accept`", node),
    }
}

pub(crate) fn balance(node: &Node) -> Read<ClusterBalance> {
    match node.as_text() {
        Some("kernel") => Ok(ClusterBalance::Kernel),
        Some("client-ip") => Ok(ClusterBalance::ClientIp),
        Some("round-robin") => Ok(ClusterBalance::RoundRobin),
        Some("shared") => Ok(ClusterBalance::Shared),
        Some(_) | None => expected("`kernel`, `client-ip`, `round-robin` or `shared`", node),
    }
}

/// An empty path is that of the usual name.
pub(crate) fn log_file(node: &Node) -> Read<Option<String>> {
    match (&node.value, node.as_text()) {
        (Value::Bool(false), _) => Ok(None),
        (Value::Bool(true), _) => Ok(Some(String::new())),
        (_, Some(path)) => Ok(Some(path.to_owned())),
        (_, None) => expected("a path, or true or false", node),
    }
}

/// Whether it is `json`; whatever else PM2 takes for plain text.
pub(crate) fn log_type(node: &Node) -> Read<bool> {
    match node.as_text() {
        Some("json") => Ok(true),
        Some("" | "raw" | "text") => Ok(false),
        Some(_) | None => expected("`json` or `raw`", node),
    }
}

pub(crate) fn log_capture(node: &Node) -> Read<LogCapture> {
    match node.as_text() {
        Some("auto") => Ok(LogCapture::Auto),
        Some("spool") => Ok(LogCapture::Spool),
        Some("pipe") => Ok(LogCapture::Pipe),
        Some(_) | None => expected("`auto`, `spool` or `pipe`", node),
    }
}

/// A switch, `journal` or `syslog`, each with the path of a socket behind a colon if need be.
pub(crate) fn system_log(node: &Node) -> Read<Option<SystemLog>> {
    const EXPECTED: &str = "a boolean, `journal`, `syslog`, or one of these with `:/path/of/the/socket`";
    let text = match &node.value {
        Value::Bool(on) => return Ok(on.then_some(SystemLog::Any)),
        Value::Text(text) => text.as_str(),
        Value::Null | Value::Number(_) | Value::List(_) | Value::Map(_) => return expected(EXPECTED, node),
    };
    let (kind, path) = match text.split_once(':') {
        Some((kind, path)) if path.starts_with('/') => (kind, Some(path.to_owned())),
        Some(_) => return expected(EXPECTED, node),
        None => (text, None),
    };
    match kind {
        "journal" | "journald" => Ok(Some(SystemLog::Journal { path })),
        "syslog" => Ok(Some(SystemLog::Syslog { path })),
        _ => expected(EXPECTED, node),
    }
}

/// Checks that a value is of one of these types.
pub(crate) fn shape(node: &Node, shapes: &[Shape]) -> Read<()> {
    let fits = |shape: &Shape| match shape {
        Shape::Flag => matches!(node.value, Value::Bool(_)),
        Shape::Text => matches!(node.value, Value::Text(_)),
        Shape::Number => number(node).is_some(),
        Shape::Words => words(node).is_ok(),
        Shape::Map => matches!(node.value, Value::Map(_)),
        Shape::Memory => memory(node),
        Shape::Millis => millis(node, 0).is_ok(),
    };
    if shapes.iter().any(fits) {
        return Ok(());
    }
    let names: Vec<&str> = shapes
        .iter()
        .map(|shape| match shape {
            Shape::Flag => "a boolean",
            Shape::Text => "a string",
            Shape::Number => "a number",
            Shape::Words => "an array of strings or a string",
            Shape::Map => "an object",
            Shape::Memory => "a size (a number of bytes, or like `200M`, `1G`)",
            Shape::Millis => "a time (a number of ms, or like `10s`)",
        })
        .collect();
    expected(&names.join(" or "), node)
}

fn memory(node: &Node) -> bool {
    let Some(text) = node.as_text() else { return number(node).is_some_and(|bytes| bytes >= 0.0) };
    let count = text.trim().trim_end_matches(['B', 'b']).trim_end_matches(['K', 'M', 'G', 'k', 'm', 'g']);
    decimal(count).is_some_and(|count| count >= 0.0)
}

/// Whether a value asks for a feature: not `false`, `null`, `0`, an empty string or list.
pub(crate) fn asks(node: &Node) -> bool {
    match &node.value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) | Value::Map(_) => true,
        Value::Number(number) => number.value != 0.0,
        Value::Text(text) => !matches!(text.as_str(), "" | "0" | "false"),
        Value::List(items) => !items.is_empty(),
    }
}
