//! `history`: how runs have ended, of what is listed and of what was.

use std::collections::BTreeSet;

use rewake_wire::{ExitRecord, Reply};

use crate::engine::Engine;
use crate::pending::{Answer, tell};
use crate::words;

/// Newest first, at most so many: what fits a terminal's memory and a frame.
const MOST: usize = 200;

pub(crate) fn history(engine: &Engine, target: Option<String>, answer: Answer) {
    let Some(logs) = &engine.logs else { return tell(answer, Ok(Reply::History(Vec::new()))) };
    let slots: Option<BTreeSet<(u32, String)>> = target.as_deref().and_then(|target| {
        let ids = engine.find(target).ok()?;
        let name = |id: &rewake_core::SlotId| Some((id.0, engine.core.slot(*id)?.name.clone()));
        Some(ids.iter().filter_map(name).collect())
    });
    let records = logs.history();
    tokio::task::spawn_local(async move {
        // It fails only when the thread has ended.
        let mut records = records.await.unwrap_or_default();
        let listed = slots.is_some();
        if let Some(target) = &target {
            // What is no longer listed is found by its name.
            let fits = |record: &ExitRecord| match &slots {
                Some(slots) => slots.contains(&(record.id, record.name.clone())),
                None => record.name == *target || record.namespace == *target || target == "all",
            };
            records.retain(fits);
        }
        records.truncate(MOST);
        let unknown = target.filter(|target| !listed && records.is_empty() && target != "all");
        tell(answer, unknown.map_or(Ok(Reply::History(records)), |target| Err(words::not_found(&target))));
    });
}
