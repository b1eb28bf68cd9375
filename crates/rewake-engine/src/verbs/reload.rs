//! `reload`: new processes in place of the present ones, one after the other. What a reload is, the core knows.

use rewake_core::Command;
use rewake_wire::EnvChange;

use super::restart::change_env;
use crate::engine::Engine;
use crate::pending::{Answer, Then, tell};

pub(crate) fn reload(engine: &mut Engine, target: &str, env: Option<EnvChange>, parallel: Option<u32>, answer: Answer) {
    let slots = match engine.find(target) {
        Ok(slots) => slots,
        Err(error) => return tell(answer, Err(error)),
    };
    change_env(engine, &slots, env);
    let parallel = at_a_time(parallel);
    engine.open(vec![Command::Reload { slots: slots.clone(), parallel }], &slots, Then::Answer, answer);
}

/// How many slots are reloaded at a time, when so many were asked for.
pub(super) fn at_a_time(parallel: Option<u32>) -> usize {
    usize::try_from(parallel.unwrap_or(1).max(1)).unwrap_or(1)
}
