//! `kill`: stops everything and ends the daemon. Never starts one just to end it; returns when it is gone.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rewake_wire::{Reply, Request};
use serde_json::json;

use super::Failure;
use super::session::{Session, unexpected};
use crate::watched;

/// How long keeper and daemon may take to end once every app has: they only close files then.
const END_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), Failure> {
    let home = session.home.path().display().to_string();
    let Some(client) = session.running_client().await? else {
        session.ui.say(&format!("no daemon runs in {home}"));
        return shown(session, false);
    };
    // Opened before the question, while the pids still mean these two.
    let welcome = client.welcome();
    let processes: Vec<OwnedFd> =
        [welcome.pid, welcome.keeper_pid].into_iter().filter_map(|pid| rewake_unix::pidfd::open(pid).ok()).collect();
    let Reply::Killed = client.request(Request::Kill).await? else { return Err(unexpected("kill")) };
    drop(client);
    let ended = async {
        for process in processes {
            // A pidfd is readable once its process has ended.
            if let Ok(process) = watched::readable(process) {
                process.readable().await.ok();
            }
        }
    };
    if tokio::time::timeout(END_TIMEOUT, ended).await.is_err() {
        let log = session.home.daemon_log();
        session
            .ui
            .warn(&format!("every app has ended, but the daemon still closes down; its log is {}", log.display()));
    }
    session.ui.say(&format!("ended the daemon in {home}"));
    shown(session, true)
}

fn shown(session: &Session<'_>, killed: bool) -> Result<(), Failure> {
    if session.ui.json {
        session.ui.json_data(&json!({ "killed": killed }));
    }
    Ok(())
}
