//! `describe`: all about each slot of a target.

use serde_json::Value;

use super::Failure;
use super::session::Session;
use crate::ui;

pub(super) async fn run(session: &mut Session<'_>, target: String) -> Result<(), Failure> {
    let mut slots = Vec::new();
    for target in session.resolved(target).await? {
        slots.extend(session.ask_list(Some(target)).await?);
    }
    if session.ui.json {
        session.ui.json_data(&Value::Array(slots.iter().map(|slot| ui::entry(slot, None)).collect()));
    } else if !session.ui.is_silent() {
        for slot in &slots {
            session.ui.describe(slot);
        }
    }
    Ok(())
}
