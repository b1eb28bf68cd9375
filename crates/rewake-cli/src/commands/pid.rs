//! `pid`: process ids, one a line; 0 for what does not run.

use serde_json::json;

use super::Failure;
use super::session::Session;

pub(super) async fn run(session: &mut Session<'_>, target: Option<String>) -> Result<(), Failure> {
    let mut slots = session.ask_list(target).await?;
    slots.sort_by_key(|slot| slot.id);
    let pids: Vec<u32> = slots.iter().map(|slot| slot.pid.unwrap_or(0)).collect();
    if session.ui.json {
        session.ui.json_data(&json!(pids));
    } else {
        session.ui.data(pids.iter().map(|pid| format!("{pid}\n")).collect::<String>());
    }
    Ok(())
}
