//! One app's map against the table of keys: a draft, and a problem for each key that is unknown, doubled or ill-typed.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::draft::Draft;
use crate::keys::{self, KEYS, Key, Kind};
use crate::node::{Entry, Node, Value};
use crate::read;
use crate::report::{Place, Report, Wrong};
use crate::rotation;
use crate::sockets;
use crate::suggest::nearest;

/// Whose keys are checked: for messages.
#[derive(Debug)]
pub(crate) struct Owner<'a> {
    pub(crate) origin: &'a Rc<str>,
    /// `None` for the options, which belong to all apps.
    pub(crate) app: Option<&'a str>,
}

/// Writes what these entries say into the draft; later calls win over earlier ones.
pub(crate) fn fill(draft: &mut Draft, entries: &[Entry], owner: &Owner<'_>, report: &mut Report) {
    let mut seen: BTreeMap<&'static str, &Entry> = BTreeMap::new();
    for entry in entries {
        let Some(key) = keys::find(&entry.key) else {
            if let Some(name) = entry.key.strip_prefix("env_").filter(|name| !name.is_empty()) {
                fill_named_env(draft, name, entry, owner, report);
            } else {
                unknown(entry, owner, report);
            }
            continue;
        };
        if let Some(first) = seen.insert(key.name, entry) {
            if first.value.value != entry.value.value {
                let wrong =
                    Wrong::new(format!("`{}` and `{}` are the same key, with two values", first.key, entry.key));
                report.problem(&Place::new(owner.origin, entry.at), owner.app, Some(&entry.key), wrong);
            }
            continue;
        }
        // `cwd: null` is how a script says "none".
        if matches!(entry.value.value, Value::Null) {
            continue;
        }
        match set(draft, key, &entry.value) {
            Ok(()) => {
                let place = Place::new(owner.origin, entry.value.at.or(entry.at));
                draft.places.insert(key.name, (place, entry.key.clone()));
                warn(key, entry, owner, report);
            }
            Err(wrong) => tell_value(entry, owner, report, wrong),
        }
    }
}

/// Whether a spelling, in a file or in the options, is this key.
pub(crate) fn same_key(one: &str, other: &str) -> bool {
    one == other || keys::find(one).is_some_and(|key| keys::find(other).is_some_and(|same| same.name == key.name))
}

fn set(draft: &mut Draft, key: &Key, node: &Node) -> Result<(), Wrong> {
    match key.kind {
        Kind::Text(to) => to(draft, read::text(node)?),
        Kind::Flag(to) => to(draft, read::flag(node)?),
        Kind::Words(to) => to(draft, read::words(node)?),
        Kind::Millis(min, to) => to(draft, read::millis(node, min)?),
        Kind::Limit(to) => to(draft, read::limit(node)?),
        Kind::Codes(to) => to(draft, read::codes(node)?),
        Kind::Instances(to) => to(draft, read::instances(node)?),
        Kind::Mode(to) => to(draft, read::mode(node)?),
        Kind::Env(to) => to(draft, read::env(node)?),
        Kind::Filter(to) => to(draft, read::filter(node)?),
        Kind::Port(to) => to(draft, read::port(node)?),
        Kind::Id(to) => to(draft, read::id(node)?),
        Kind::Signal(to) => to(draft, read::signal(node)?),
        Kind::Serialization(to) => to(draft, read::serialization(node)?),
        Kind::ListenTimeoutAction(to) => to(draft, read::listen_timeout_action(node)?),
        Kind::Balance(to) => to(draft, read::balance(node)?),
        Kind::Sockets(to) => to(draft, sockets::read(node)?),
        Kind::LogFile(to) => to(draft, read::log_file(node)?),
        Kind::LogType(to) => to(draft, read::log_type(node)?),
        Kind::LogRotate(to) => to(draft, rotation::read(node)?),
        Kind::SystemLog(to) => to(draft, read::system_log(node)?),
        Kind::LogCapture(to) => to(draft, read::log_capture(node)?),
        Kind::Unavailable(shapes) | Kind::Detail(shapes) => read::shape(node, shapes)?,
        Kind::Ignored => {}
    }
    Ok(())
}

fn warn(key: &Key, entry: &Entry, owner: &Owner<'_>, report: &mut Report) {
    if !matches!(key.kind, Kind::Unavailable(_)) || !read::asks(&entry.value) {
        return;
    }
    let of_app = owner.app.map_or_else(String::new, |app| format!(" of app `{app}`"));
    let message = format!("`{}`{of_app} is not available in this version and is ignored", entry.key);
    report.warning(&Place::new(owner.origin, entry.at), Some(&entry.key), &message);
}

fn fill_named_env(draft: &mut Draft, name: &str, entry: &Entry, owner: &Owner<'_>, report: &mut Report) {
    if matches!(entry.value.value, Value::Null) {
        return;
    }
    match read::env(&entry.value) {
        Ok(variables) => draft.named_env.entry(name.to_owned()).or_default().extend(variables),
        Err(wrong) => tell_value(entry, owner, report, wrong),
    }
}

fn unknown(entry: &Entry, owner: &Owner<'_>, report: &mut Report) {
    let in_app = owner.app.map_or_else(String::new, |app| format!(" in app `{app}`"));
    let wrong = Wrong::new(format!("unknown key `{}`{in_app}", entry.key.escape_debug()));
    let meant = nearest(&entry.key, KEYS.iter().flat_map(Key::spellings));
    let wrong = match meant {
        Some(meant) => wrong.hint(format!("did you mean `{meant}`?")),
        None => wrong,
    };
    let place = Place::new(owner.origin, entry.at);
    report.problem(&place, owner.app, Some(&entry.key), wrong);
}

/// A problem with a value: `` `key` of app `web` must be … `` at the value.
fn tell_value(entry: &Entry, owner: &Owner<'_>, report: &mut Report, wrong: Wrong) {
    let of_app = owner.app.map_or_else(String::new, |app| format!(" of app `{app}`"));
    let message = format!("`{}`{of_app} {}", entry.key, wrong.message);
    let place = Place::new(owner.origin, entry.value.at.or(entry.at));
    report.problem(&place, owner.app, Some(&entry.key), Wrong { message, hint: wrong.hint });
}
