//! `reload`: new processes in place of the present ones. A release that does not come up replaces nothing, and says what it said.

use rewake_wire::{Done, ErrorCode, Request, SlotResult, WhenKnown};

use super::session::{Results, Session};
use super::{Failure, apps, restart, start};
use crate::ui::now_ms;

pub(super) async fn run(session: &mut Session<'_>, targets: Vec<String>, has_script_args: bool) -> Result<(), Failure> {
    let since = now_ms();
    let mut results = Results::default();
    let mut by_name = false;
    'targets: for target in targets {
        if apps::is_process_file(&target) {
            results.add(file(session, &target).await)?;
        } else {
            by_name = true;
            for target in session.resolved(target).await? {
                results.add(listed(session, target).await)?;
                // The first release that is no good ends it: what comes after it would be no better.
                if !results.is_good() {
                    break 'targets;
                }
            }
        }
        if !results.is_good() {
            break;
        }
    }
    if by_name {
        restart::warn_of_ignored(session, has_script_args);
    }
    start::tell_early_ends(session, &results.slots, since);
    for slot in results.slots.iter().filter(|slot| has_failed(slot)) {
        start::tell_last_errors(session, slot, since);
    }
    session.finish("reloaded", results).await
}

/// The apps of a file with their new description; what is not listed yet is started.
async fn file(session: &mut Session<'_>, path: &str) -> Result<Done, Failure> {
    let apps = apps::of_file(session, path)?;
    let when_known = WhenKnown::Reload { parallel: session.options.parallel, no_wait: session.options.no_wait };
    session.ask_done(Request::Start { apps, when_known, settle_ms: start::settle_ms() }).await
}

async fn listed(session: &mut Session<'_>, target: String) -> Result<Done, Failure> {
    let env = restart::env_change(session)?;
    let (parallel, no_wait) = (session.options.parallel, session.options.no_wait);
    session.ask_done(Request::Reload { target, env, parallel, no_wait }).await
}

fn has_failed(slot: &SlotResult) -> bool {
    slot.error.as_ref().is_some_and(|error| error.code == ErrorCode::ReloadFailed)
}
