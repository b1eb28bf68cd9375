//! `ping`: whether the daemon answers.

use rewake_wire::{Reply, Request};
use serde_json::json;

use super::Failure;
use super::session::{Session, unexpected};

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), Failure> {
    let Reply::Pong = session.ask(Request::Ping).await? else { return Err(unexpected("ping")) };
    if session.ui.json {
        session.ui.json_data(&json!({ "msg": "pong" }));
    } else {
        session.ui.data("{ msg: 'pong' }\n");
    }
    Ok(())
}
