//! `describe`: all about each slot of a target.

use serde_json::Value;

use super::Failure;
use super::history;
use super::session::Session;
use crate::ui;

/// Exits that are shown; `history` has more.
const SHOWN_EXITS: usize = 3;

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
            // Of its own exits only: another app may have had its id before.
            let mut exits = history::ask(session, Some(slot.id.to_string())).await?;
            exits.truncate(SHOWN_EXITS);
            if !exits.is_empty() {
                session.ui.last_exits(&exits);
            }
        }
    }
    Ok(())
}
