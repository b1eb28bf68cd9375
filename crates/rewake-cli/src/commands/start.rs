//! `start`: a listed app, a process file, stdin, or something new. Several targets one after the other, up to the first error.

use std::fs::File;
use std::io::IsTerminal as _;
use std::os::unix::fs::MetadataExt as _;

use rewake_wire::{Done, ErrorCode, Request, SlotResult, WhenKnown};

use super::session::{Results, Session, is_failure};
use super::{Failure, apps, restart};
use crate::ui::{done, now_ms};

/// How long a person is made to wait so that an app which ends at once is told. A script gets its answer at once.
const SETTLE_MS: u64 = 150;

/// Lines of the error log that explain an early end: those of Node's uncaught error, whose reason stands above ten calls.
const LAST_LINES: usize = 20;

pub(super) async fn run(
    session: &mut Session<'_>,
    mut targets: Vec<String>,
    script_args: Vec<String>,
) -> Result<(), Failure> {
    if targets.is_empty() {
        targets.push(apps::default_file()?);
    }
    let since = now_ms();
    let mut results = Results::default();
    for target in targets {
        let result = one(session, target, &script_args).await;
        results.add(result)?;
        if !results.is_good() {
            break;
        }
    }
    tell_early_ends(session, &results.slots, since);
    session.finish("started", results).await
}

async fn one(session: &mut Session<'_>, target: String, script_args: &[String]) -> Result<Done, Failure> {
    let settle_ms = settle_ms();
    if apps::is_process_file(&target) {
        let apps = apps::of_file(session, &target)?;
        return session.ask_done(Request::Start { apps, when_known: WhenKnown::Replace, settle_ms }).await;
    }
    if may_be_listed(&target) {
        let env = restart::env_change(session)?;
        let known = Request::StartKnown { target: target.clone(), env, settle_ms };
        match session.ask_done(known).await {
            Err(Failure::Untold(error)) if error.code == ErrorCode::NotFound => {}
            result => {
                restart::warn_of_ignored(session, !script_args.is_empty());
                return result;
            }
        }
    }
    let apps = apps::of_script(session, &target, script_args)?;
    let when_known = if session.options.force { WhenKnown::Beside } else { WhenKnown::Refuse };
    session.ask_done(Request::Start { apps, when_known, settle_ms }).await
}

fn may_be_listed(target: &str) -> bool {
    !apps::may_be_path(target) && !target.contains(' ')
}

/// How long to wait for early ends.
pub(super) fn settle_ms() -> u64 {
    if std::io::stderr().is_terminal() { SETTLE_MS } else { 0 }
}

/// Says which of these ended already, how, and what they wrote last.
pub(super) fn tell_early_ends(session: &Session<'_>, slots: &[SlotResult], since_ms: u64) {
    for slot in slots.iter().filter(|slot| !is_failure(slot)) {
        // Where the daemon waited it says so itself; where it did not, the end may still have been seen.
        let told = slot.error.as_ref().map(|error| error.message.clone());
        let Some(text) = told.or_else(|| done::early_end(slot, since_ms)) else { continue };
        session.ui.warn(&text);
        tell_last_errors(session, slot, since_ms);
    }
}

/// Says what a slot's processes wrote to their error log since then.
pub(super) fn tell_last_errors(session: &Session<'_>, slot: &SlotResult, since_ms: u64) {
    if session.ui.is_silent() {
        return;
    }
    let log = slot.info.as_ref().and_then(|info| info.error_log.as_deref());
    if let Some((path, lines)) = log.and_then(|path| Some((path, last_written(path, since_ms)?))) {
        session.ui.say(&format!("  last lines of {path}:"));
        for line in lines {
            session.ui.say(&format!("  | {}", String::from_utf8_lossy(&line)));
        }
    }
}

/// The last lines of a log that was written to since then.
fn last_written(path: &str, since_ms: u64) -> Option<Vec<Vec<u8>>> {
    let mut file = File::open(path).ok()?;
    let found = file.metadata().ok()?;
    let written_ms = u64::try_from(found.mtime()).ok()? * 1000 + u64::try_from(found.mtime_nsec()).ok()? / 1_000_000;
    // The kernel's file times are those of its last tick: up to 10 ms old.
    if !found.is_file() || written_ms + 10 < since_ms {
        return None;
    }
    rewake_logs::last_lines(&mut file, LAST_LINES).ok().filter(|lines| !lines.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bare_words_may_be_names() {
        for word in ["web", "0", "all", "my-app", "api_2", "/^api/"] {
            assert!(may_be_listed(word), "{word}");
        }
        for file in ["app.js", "./app", "/srv/app", "npm run start", "bin/x"] {
            assert!(!may_be_listed(file), "{file}");
        }
    }
}
