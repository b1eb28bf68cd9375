//! What the tests of the matrix share.

pub(crate) mod client;
pub(crate) mod fleet;
pub(crate) mod wire;

use serde_json::Value;

/// Every way in which a connection finds its worker.
pub(crate) const MODES: [&str; 4] = ["kernel", "client-ip", "round-robin", "shared"];

/// Checks that two reports are the same; tells where they are not.
#[track_caller]
pub(crate) fn alike(seen: &Value, expected: &Value, what: &str) {
    let mut differences = Vec::new();
    compare(seen, expected, "", &mut differences);
    assert!(differences.is_empty(), "{what}:\n{}", differences.join("\n"));
}

fn compare(seen: &Value, expected: &Value, path: &str, differences: &mut Vec<String>) {
    match (seen, expected) {
        (Value::Object(left), Value::Object(right)) => {
            let names: std::collections::BTreeSet<&String> = left.keys().chain(right.keys()).collect();
            for name in names {
                let of = |map: &serde_json::Map<String, Value>| map.get(name).cloned().unwrap_or(Value::Null);
                compare(&of(left), &of(right), &format!("{path}/{name}"), differences);
            }
        }
        _ if seen == expected => {}
        _ => differences.push(format!("{path}: {seen}, expected {expected}")),
    }
}
