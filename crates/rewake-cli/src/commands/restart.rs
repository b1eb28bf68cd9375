//! `restart`: what is listed, or the apps of a process file with their new description.

use std::collections::BTreeMap;

use rewake_wire::{Done, EnvChange, Request, WhenKnown};

use super::session::{Results, Session};
use super::{Failure, apps, start};
use crate::ui::now_ms;

pub(super) async fn run(session: &mut Session<'_>, targets: Vec<String>, has_script_args: bool) -> Result<(), Failure> {
    let since = now_ms();
    let mut results = Results::default();
    let mut by_name = false;
    for target in targets {
        if apps::is_process_file(&target) {
            results.add(file(session, &target).await)?;
            continue;
        }
        by_name = true;
        for target in session.resolved(target).await? {
            results.add(listed(session, target).await)?;
        }
    }
    if by_name {
        warn_of_ignored(session, has_script_args);
    }
    start::tell_early_ends(session, &results.slots, since);
    session.finish("restarted", results).await
}

async fn file(session: &mut Session<'_>, path: &str) -> Result<Done, Failure> {
    let apps = apps::of_file(session, path)?;
    let settle_ms = start::settle_ms();
    session.ask_done(Request::Start { apps, when_known: WhenKnown::Replace, settle_ms }).await
}

async fn listed(session: &mut Session<'_>, target: String) -> Result<Done, Failure> {
    let env = env_change(session)?;
    session.ask_done(Request::Restart { target, env, settle_ms: start::settle_ms() }).await
}

/// What `--update-env` and `--env KEY=VALUE` change in a stored environment.
pub(super) fn env_change(session: &Session<'_>) -> Result<Option<EnvChange>, Failure> {
    let mut set = if session.options.update_env { callers_env()? } else { BTreeMap::new() };
    set.extend(session.options.variables());
    Ok((!set.is_empty()).then_some(EnvChange { set }))
}

/// This process's environment without what describes this process alone.
fn callers_env() -> Result<BTreeMap<String, String>, Failure> {
    let mut env = apps::context()?.env;
    let own = ["NODE_UNIQUE_ID", "REWAKE_HOME", "LISTEN_FDS", "LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDNAMES"];
    env.retain(|name, _| !name.starts_with("NODE_CHANNEL_") && !own.contains(&name.as_str()));
    Ok(env)
}

/// What is started or restarted by name keeps its description; a flag that means to change it must not seem to have done so.
pub(super) fn warn_of_ignored(session: &Session<'_>, has_script_args: bool) {
    let overrides = session.options.overrides();
    let keys: Vec<&str> = overrides.keys().map(String::as_str).filter(|key| *key != "env").collect();
    if !keys.is_empty() || has_script_args {
        let what = if has_script_args { "script arguments".to_owned() } else { format!("`{}`", keys.join("`, `")) };
        session.ui.warn(&format!(
            "a listed app keeps its description: {what} not changed (delete it and start it anew, or use a process file)"
        ));
    }
}
