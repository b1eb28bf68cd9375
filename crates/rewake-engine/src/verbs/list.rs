//! `list`: every slot, or those of a target, with what their processes use right now.

use rewake_core::SlotId;
use rewake_wire::{ErrorReply, Reply};

use crate::engine::Engine;

pub(crate) fn list(engine: &mut Engine, target: Option<&str>) -> Result<Reply, ErrorReply> {
    let slots = match target {
        Some(target) => {
            let ids = engine.find(target)?;
            ids.into_iter().filter_map(|id| engine.info_in_detail(id)).collect()
        }
        None => {
            let ids: Vec<SlotId> = engine.core.slots().map(|slot| slot.id).collect();
            ids.into_iter().filter_map(|id| engine.info(id, true)).collect()
        }
    };
    Ok(Reply::List(slots))
}
