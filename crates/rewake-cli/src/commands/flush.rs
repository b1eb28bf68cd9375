//! `flush`: empties log files.

use rewake_wire::{Reply, Request};
use serde_json::json;

use super::Failure;
use super::session::{Session, unexpected};

pub(super) async fn run(session: &mut Session<'_>, target: Option<String>) -> Result<(), Failure> {
    let Reply::Flushed(files) = session.ask(Request::Flush { target }).await? else {
        return Err(unexpected("flush"));
    };
    if session.ui.json {
        session.ui.json_data(&json!(files));
    }
    for file in &files {
        session.ui.say(&format!("emptied {file}"));
    }
    Ok(())
}
