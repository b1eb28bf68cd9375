//! `restart`, and `start` of what is listed: a new process for each slot, with a changed environment if asked for.

use rewake_core::Command;
use rewake_wire::EnvChange;

use super::start::redefine;
use crate::engine::Engine;
use crate::pending::{Answer, Then, tell};

pub(crate) fn restart(engine: &mut Engine, target: &str, env: Option<EnvChange>, settle: u64, answer: Answer) {
    let slots = match engine.find(target) {
        Ok(slots) => slots,
        Err(error) => return tell(answer, Err(error)),
    };
    if let Some(change) = env {
        for id in &slots {
            let Some(sheet) = engine.sheets.get(id) else { continue };
            let mut spec = sheet.spec.clone();
            spec.launch.env.extend(change.set.clone());
            redefine(engine, *id, spec);
        }
    }
    engine.open(vec![Command::Restart { slots: slots.clone(), settle }], &slots, Then::Answer, answer);
}
