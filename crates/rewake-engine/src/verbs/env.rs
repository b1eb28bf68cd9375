//! `env`: the environment that a slot's next process gets. Only ever shown to who asks for it by name.

use rewake_wire::{ErrorReply, Reply};

use crate::engine::Engine;
use crate::plan;

pub(crate) fn env(engine: &Engine, target: &str) -> Result<Reply, ErrorReply> {
    let of = |id| {
        let (slot, sheet) = (engine.core.slot(id)?, engine.sheets.get(&id)?);
        Some((id.0, plan::environment(slot, sheet, engine.home.as_deref())))
    };
    Ok(Reply::Env(engine.find(target)?.into_iter().filter_map(of).collect()))
}
