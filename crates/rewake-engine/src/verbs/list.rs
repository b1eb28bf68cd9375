//! `list`: every slot, or those of a target, with what their processes use right now.

use rewake_core::SlotId;
use rewake_wire::{ErrorReply, Reply};

use crate::engine::Engine;

pub(crate) fn list(engine: &mut Engine, target: Option<&str>) -> Result<Reply, ErrorReply> {
    let ids: Vec<SlotId> = match target {
        Some(target) => engine.find(target)?,
        None => engine.core.slots().map(|slot| slot.id).collect(),
    };
    Ok(Reply::List(ids.into_iter().filter_map(|id| engine.info(id, true)).collect()))
}
