//! A process exists now, or could not be made.

use crate::slot::Cause;
use crate::transitions::Step;
use crate::{Awaits, Change, Failure, Phase, ReloadFailure, Slot, Wanted};

pub(super) fn spawned(slot: &mut Slot, step: &mut Step<'_>) {
    let Phase::Spawning { run, restart, by } = slot.phase else {
        return;
    };
    let now = step.now;
    if step.is_unwanted(slot, restart) {
        step.ask_to_stop(slot, run, now);
        return;
    }
    let awaits = match by {
        Cause::Reload { listened } => Some(Awaits::of(&slot.policy, now).alone(listened)),
        Cause::Command | Cause::Policy if slot.policy.wait_ready => {
            Some(Awaits::Ready { by: now + slot.policy.ready_timeout })
        }
        Cause::Command | Cause::Policy => None,
    };
    match awaits {
        Some(awaits) => slot.phase = Phase::Launching { run, since: now, listened: false, awaits },
        None => step.online(slot, run, now, false),
    }
}

pub(super) fn failed(slot: &mut Slot, retry: bool, step: &mut Step<'_>) {
    let Phase::Spawning { run, restart, .. } = slot.phase else {
        return;
    };
    if restart && !step.closing && slot.wanted == Wanted::Up {
        // Whoever asked for the restart gets an attempt of their own; this one is told nobody.
        step.ended(slot, run, None);
        return;
    }
    step.tell(slot, Some(run), Change::SpawnFailed, false);
    step.effects.push(crate::Effect::Release { run });
    slot.phase = Phase::Stopped;
    step.fail_alone(slot, run, ReloadFailure::SpawnFailed);
    step.fail_the_hopeful(slot, Failure::SpawnFailed);
    if step.fold(slot) {
        return;
    }
    step.answer(slot, Ok(()), |goal| goal == crate::Goal::Down);
    if !step.closing && slot.wanted == Wanted::Up {
        let verdict = slot.policy.after_failed_spawn(retry, &mut slot.streak);
        step.follow(slot, verdict);
    }
}
