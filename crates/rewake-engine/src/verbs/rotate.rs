//! `rotate`: put log files aside now and begin new ones.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rewake_core::SlotId;
use rewake_wire::{ErrorReply, Reply};

use crate::engine::Engine;
use crate::logs::Rules;
use crate::pending::{Answer, tell};

pub(crate) fn rotate(engine: &Engine, target: Option<&str>, answer: Answer) {
    let Some(logs) = &engine.logs else { return tell(answer, Ok(Reply::Rotated(Vec::new()))) };
    match paths(engine, target) {
        Err(error) => tell(answer, Err(error)),
        Ok(paths) => {
            let names = logs.rotate(paths.into_iter().collect());
            tokio::task::spawn_local(async move {
                // It fails only when the thread has ended, and with it all writing.
                let names = names.await.unwrap_or_default();
                tell(answer, Ok(Reply::Rotated(names.iter().map(|name| name.display().to_string()).collect())));
            });
        }
    }
}

fn paths(engine: &Engine, target: Option<&str>) -> Result<BTreeMap<PathBuf, Rules>, ErrorReply> {
    let ids: Vec<SlotId> = match target {
        Some(target) => engine.find(target)?,
        None => engine.core.slots().map(|slot| slot.id).collect(),
    };
    let mut paths = BTreeMap::new();
    for sheet in ids.iter().filter_map(|id| engine.sheets.get(id)) {
        let rules = engine.log_rules(sheet);
        for path in sheet.logs() {
            paths.insert(path.clone(), rules.clone());
        }
    }
    Ok(paths)
}
