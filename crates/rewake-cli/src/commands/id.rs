//! `id`: the ids of a name, as PM2 prints an array; an empty one for a name that nothing has.

use rewake_wire::ErrorCode;
use serde_json::json;

use super::Failure;
use super::session::Session;

pub(super) async fn run(session: &mut Session<'_>, target: String) -> Result<(), Failure> {
    let slots = match session.ask_list(Some(target)).await {
        Err(Failure::Untold(error)) if error.code == ErrorCode::NotFound => Vec::new(),
        result => result?,
    };
    let mut ids: Vec<u32> = slots.iter().map(|slot| slot.id).collect();
    ids.sort_unstable();
    if session.ui.json {
        session.ui.json_data(&json!(ids));
    } else if ids.is_empty() {
        session.ui.data("[]\n");
    } else {
        let words: Vec<String> = ids.iter().map(u32::to_string).collect();
        session.ui.data(format!("[ {} ]\n", words.join(", ")));
    }
    Ok(())
}
