//! `flush`: empty log files. Writers append, so they go on at the new beginning.

use std::collections::BTreeSet;
use std::path::PathBuf;

use rewake_core::SlotId;
use rewake_unix::file;
use rewake_wire::{ErrorCode, ErrorReply, Reply};

use crate::engine::Engine;

pub(crate) fn flush(engine: &Engine, target: Option<&str>) -> Result<Reply, ErrorReply> {
    let ids: Vec<SlotId> = match target {
        Some(target) => engine.find(target)?,
        None => engine.core.slots().map(|slot| slot.id).collect(),
    };
    let sheets = ids.iter().filter_map(|id| engine.sheets.get(id));
    let files =
        sheets.flat_map(|sheet| [sheet.out_log.clone(), sheet.error_log.clone(), sheet.combined_log.clone()]).flatten();
    // PM2 empties its own log, too, when no app is named.
    let own = engine.home.as_ref().filter(|_| target.is_none()).map(|home| home.join("rewake.log"));
    let files: BTreeSet<PathBuf> = files.chain(own).collect();
    let mut emptied = Vec::new();
    for path in files {
        match file::truncate(&path) {
            Ok(()) => emptied.push(path.display().to_string()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                let message = format!("cannot empty `{}`: {error}", path.display());
                return Err(ErrorReply::new(ErrorCode::Storage, message));
            }
        }
    }
    Ok(Reply::Flushed(emptied))
}
