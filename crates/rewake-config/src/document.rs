//! The top level of a file: which of its forms it has, and its apps. Never reads a key of an app.

use crate::keys::{self, KEYS, Key};
use crate::node::{Entry, Node, Value};
use crate::report::{Place, Report, Wrong};
use crate::suggest::nearest;
use std::rc::Rc;

/// Keys that may stand beside `apps`. `deploy` is for another command.
const BESIDE: [&str; 5] = ["apps", "pm2", "deploy", "static", "$schema"];

/// The apps of a document: `{apps: […]}`, `{apps: {…}}`, `{pm2: …}` (package.json), one app, or an array of apps.
pub(crate) fn apps<'a>(root: &'a Node, origin: &Rc<str>, report: &mut Report) -> Vec<&'a Node> {
    let Some(entries) = root.as_map() else { return list(root, origin, report) };
    if let Some(apps) = root.get("apps") {
        beside(entries, origin, report);
        return list(&apps.value, origin, report);
    }
    if let Some(pm2) = root.get("pm2") {
        return list(&pm2.value.get("apps").unwrap_or(pm2).value, origin, report);
    }
    if entries.iter().any(|entry| keys::find(&entry.key).is_some_and(|key| key.name == "script")) {
        return vec![root];
    }
    if let Some(other) = root.get("static") {
        not_static(other, origin, report);
    }
    let wrong = Wrong::new("no apps in it: neither `apps`, nor `pm2`, nor the `script` of a single app");
    let script = KEYS.iter().filter(|key| key.name == "script").flat_map(Key::spellings);
    let known: Vec<&str> = ["apps", "pm2"].into_iter().chain(script).collect();
    let meant = entries.iter().find_map(|entry| Some((entry, nearest(&entry.key, known.iter().copied())?)));
    let (at, wrong) = match meant {
        Some((entry, meant)) => (entry.at, wrong.hint(format!("did you mean `{meant}` by `{}`?", entry.key))),
        None => (root.at, wrong),
    };
    report.problem(&Place::new(origin, at), None, None, wrong);
    Vec::new()
}

fn list<'a>(node: &'a Node, origin: &Rc<str>, report: &mut Report) -> Vec<&'a Node> {
    let place = Place::new(origin, node.at);
    match &node.value {
        Value::Map(_) => vec![node],
        Value::List(items) if items.is_empty() => {
            report.problem(&place, None, Some("apps"), Wrong::new("the list of apps is empty"));
            Vec::new()
        }
        Value::List(items) => {
            for item in items.iter().filter(|item| item.as_map().is_none()) {
                let wrong = Wrong::new(format!("an app must be an object, found {}", item.describe()));
                report.problem(&Place::new(origin, item.at), None, None, wrong);
            }
            items.iter().filter(|item| item.as_map().is_some()).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => {
            let wrong = Wrong::new(format!("apps must be an object or an array of objects, found {}", node.describe()));
            report.problem(&place, None, None, wrong);
            Vec::new()
        }
    }
}

/// Says what is passed over beside `apps`; `x-…` and names beginning with a point are the author's own.
fn beside(entries: &[Entry], origin: &Rc<str>, report: &mut Report) {
    for entry in entries {
        if entry.key == "static" {
            not_static(entry, origin, report);
        } else if !BESIDE.contains(&entry.key.as_str()) && !entry.key.starts_with("x-") && !entry.key.starts_with('.') {
            let message = format!("`{}` beside `apps` is not known and is ignored", entry.key.escape_debug());
            report.warning(&Place::new(origin, entry.at), Some(&entry.key), &message);
        }
    }
}

fn not_static(entry: &Entry, origin: &Rc<str>, report: &mut Report) {
    let message = "`static` servers are not available in this version and are ignored";
    report.warning(&Place::new(origin, entry.at), Some(&entry.key), message);
}
