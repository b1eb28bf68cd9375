//! `restart`, and `start` of what is listed: a new process for each slot, with a changed environment if asked for.

use rewake_core::{Command, SlotId};
use rewake_wire::{AppSpec, EnvChange};

use super::start::redefine;
use crate::engine::Engine;
use crate::pending::{Answer, Then, tell};

pub(crate) fn restart(engine: &mut Engine, target: &str, env: Option<EnvChange>, settle: u64, answer: Answer) {
    let slots = match engine.find(target) {
        Ok(slots) => slots,
        Err(error) => return tell(answer, Err(error)),
    };
    for (id, spec) in with_env(engine, &slots, env) {
        redefine(engine, id, spec);
    }
    engine.open(vec![Command::Restart { slots: slots.clone(), settle }], &slots, Then::Answer, answer);
}

/// The slots' descriptions with a changed environment; none where nothing is to change.
pub(super) fn with_env(engine: &Engine, slots: &[SlotId], env: Option<EnvChange>) -> Vec<(SlotId, AppSpec)> {
    let Some(change) = env else { return Vec::new() };
    let changed = |id: &SlotId| {
        let mut spec = engine.sheets.get(id)?.spec.clone();
        spec.launch.env.extend(change.set.clone());
        Some((*id, spec))
    };
    slots.iter().filter_map(changed).collect()
}
