//! `save`: writes the list down for `resurrect`.

use rewake_wire::{Reply, Request};
use serde_json::json;

use super::Failure;
use super::session::{Session, unexpected};

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), Failure> {
    let force = session.options.force;
    let Reply::Saved { path, slots } = session.ask(Request::Save { force }).await? else {
        return Err(unexpected("save"));
    };
    if session.ui.json {
        session.ui.json_data(&json!({ "path": path, "slots": slots }));
    }
    session.ui.say(&format!("saved {slots} {} in {path}", if slots == 1 { "process" } else { "processes" }));
    Ok(())
}
