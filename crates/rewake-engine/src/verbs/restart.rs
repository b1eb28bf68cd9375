//! `restart`, and `start` of what is listed: a new process for each slot, with a changed environment if asked for.

use rewake_core::{Command, SlotId};
use rewake_wire::EnvChange;

use super::start::redefine;
use crate::engine::Engine;
use crate::pending::{Answer, Then, tell};

pub(crate) fn restart(engine: &mut Engine, target: &str, env: Option<EnvChange>, settle: u64, answer: Answer) {
    let slots = match engine.find(target) {
        Ok(slots) => slots,
        Err(error) => return tell(answer, Err(error)),
    };
    change_env(engine, &slots, env);
    engine.open(vec![Command::Restart { slots: slots.clone(), settle }], &slots, Then::Answer, answer);
}

/// Changes the stored environment, for the next process on.
pub(super) fn change_env(engine: &mut Engine, slots: &[SlotId], env: Option<EnvChange>) {
    let Some(change) = env else { return };
    for id in slots {
        let Some(sheet) = engine.sheets.get(id) else { continue };
        let mut spec = sheet.spec.clone();
        spec.launch.env.extend(change.set.clone());
        redefine(engine, *id, spec);
    }
}
