//! `reloadLogs`: log files that were moved away are opened anew.

use rewake_wire::{Reply, Request};
use serde_json::json;

use super::Failure;
use super::session::{Session, unexpected};

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), Failure> {
    let Reply::LogsReloaded = session.ask(Request::ReloadLogs).await? else { return Err(unexpected("reloadLogs")) };
    if session.ui.json {
        session.ui.json_data(&json!({ "reloaded": true }));
    }
    session.ui.say("opened the log files anew");
    Ok(())
}
