//! `reload`: new processes in place of the present ones, one after the other. What a reload is, the core knows.

use rewake_core::{Command, Failure, SlotId, SlotOutcome};
use rewake_wire::{AppSpec, EnvChange, ErrorCode, ErrorReply};

use super::restart::with_env;
use super::start::redefine;
use crate::engine::Engine;
use crate::pending::{Answer, Then, tell};

/// How a reload is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    pub(crate) parallel: Option<u32>,
    pub(crate) no_wait: bool,
}

pub(crate) fn reload(engine: &mut Engine, target: &str, env: Option<EnvChange>, way: Way, answer: Answer) {
    let found = engine.find(target);
    let found = found.and_then(|slots| if way.no_wait { refuse_if_reloading(engine, slots) } else { Ok(slots) });
    let slots = match found {
        Ok(slots) => slots,
        Err(error) => return tell(answer, Err(error)),
    };
    for (id, spec) in with_env(engine, &slots, env) {
        try_out(engine, id, spec);
    }
    let parallel = at_a_time(way.parallel);
    engine.open(vec![Command::Reload { slots: slots.clone(), parallel }], &slots, Then::Answer, answer);
}

/// The slots, if no reload of one of them is under way.
pub(super) fn refuse_if_reloading(engine: &Engine, slots: Vec<SlotId>) -> Result<Vec<SlotId>, ErrorReply> {
    let Some(id) = slots.iter().find(|id| engine.core.is_reloading(**id)) else { return Ok(slots) };
    let name = engine.core.slot(*id).map(|slot| slot.name.as_str()).unwrap_or_default();
    let error = ErrorReply::new(ErrorCode::Reloading, format!("`{name}` is being reloaded (id {id})"));
    Err(error.with_hint("without --no-wait this reload waits until that one is over"))
}

/// Gives a slot a new description that holds only if its new process proves itself.
pub(super) fn try_out(engine: &mut Engine, id: SlotId, spec: AppSpec) {
    let serving = engine.sheets.get(&id).map(|sheet| Box::new(sheet.spec.clone()));
    redefine(engine, id, spec);
    if let Some(sheet) = engine.sheets.get_mut(&id) {
        sheet.before_reload = sheet.before_reload.take().or(serving);
    }
    engine.undescribed.insert(id);
}

/// A slot's new process was no good, or its turn did not come: the old description holds again, so that a crash does not start the
/// bad release after all. Not so when another reload waits for the slot, which tries out a description of its own.
pub(crate) fn give_back(engine: &mut Engine, id: SlotId) {
    if engine.core.awaits_turn(id) {
        return;
    }
    if let Some(before) = engine.sheets.get_mut(&id).and_then(|sheet| sheet.before_reload.take()) {
        redefine(engine, id, *before);
    }
}

/// A reload is over for a slot.
pub(crate) fn settle(engine: &mut Engine, outcome: &SlotOutcome) {
    let id = outcome.slot;
    if engine.core.is_reloading(id) {
        // By another one, which may yet need the description that holds if it fails.
        return;
    }
    match outcome.result {
        Err(Failure::ReloadFailed { .. } | Failure::NotReloaded) => give_back(engine, id),
        Ok(())
        | Err(
            Failure::Unknown
            | Failure::NotRunning
            | Failure::Superseded
            | Failure::SpawnFailed
            | Failure::ExitedEarly(_)
            | Failure::CannotBeKilled
            | Failure::ShuttingDown,
        ) => {
            if let Some(sheet) = engine.sheets.get_mut(&id) {
                sheet.before_reload = None;
            }
            engine.undescribed.insert(id);
        }
    }
    // Those that only the release that was given up, or the one that was replaced, had asked for.
    engine.close_unneeded_of(outcome.slot);
}

/// How many slots are reloaded at a time, when so many were asked for.
pub(super) fn at_a_time(parallel: Option<u32>) -> usize {
    usize::try_from(parallel.unwrap_or(1).max(1)).unwrap_or(1)
}
