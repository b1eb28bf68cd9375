//! `history`: how runs have ended, with the last lines that they wrote.

use rewake_wire::{ExitRecord, Reply, Request};
use serde_json::json;

use super::Failure;
use super::session::{Session, unexpected};

pub(super) async fn run(session: &mut Session<'_>, target: Option<String>) -> Result<(), Failure> {
    let records = ask(session, target).await?;
    if session.ui.json {
        session.ui.json_data(&json!(records));
    } else if records.is_empty() {
        session.ui.say("nothing has ended yet");
    } else {
        session.ui.history(&records);
    }
    Ok(())
}

/// The records of a target, the newest first.
pub(super) async fn ask(session: &mut Session<'_>, target: Option<String>) -> Result<Vec<ExitRecord>, Failure> {
    let Reply::History(records) = session.ask(Request::History { target }).await? else {
        return Err(unexpected("history"));
    };
    Ok(records)
}
