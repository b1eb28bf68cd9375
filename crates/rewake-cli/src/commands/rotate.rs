//! `rotate`: puts log files aside and begins new ones.

use rewake_wire::{Reply, Request};
use serde_json::json;

use super::Failure;
use super::session::{Session, unexpected};

pub(super) async fn run(session: &mut Session<'_>, target: Option<String>) -> Result<(), Failure> {
    let Reply::Rotated(files) = session.ask(Request::Rotate { target }).await? else {
        return Err(unexpected("rotate"));
    };
    if session.ui.json {
        session.ui.json_data(&json!(files));
    }
    for file in &files {
        session.ui.say(&format!("put aside as {file}"));
    }
    if files.is_empty() {
        session.ui.say("there was nothing to put aside");
    }
    Ok(())
}
