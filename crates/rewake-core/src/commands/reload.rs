//! `reload`, when a slot's turn has come: a new run beside the present one, which stays until the new one is ready. Never
//! touches a run that serves.

use super::{Progress, restart, start};
use crate::calls::Proof;
use crate::transitions::Step;
use crate::{CallId, Change, Effect, Failure, Goal, Leaving, Phase, Second, Slot, Successor, Wanted};

pub(super) fn run(slot: &mut Slot, call: CallId, step: &mut Step<'_>) -> Progress {
    if matches!(&slot.second, Some(Second::Leaving(Leaving::Stopping(_)))) {
        // What the last reload left behind is stuck: a third process is not made.
        return Progress::Done(Err(Failure::CannotBeKilled));
    }
    // What this reload has shown already need not be shown by each slot.
    let proof = step.calls.proof(call, slot);
    let wait_unless = |shown: bool| if shown { 0 } else { slot.policy.reload_soak };
    // A start is not held to as much as a run that is to replace another: it proves less.
    let settle = wait_unless(matches!(proof, Some(Proof::Started | Proof::Soaked)));
    let soak = wait_unless(proof == Some(Proof::Soaked));
    match slot.phase {
        Phase::Online { .. } if slot.policy.rolling => {
            step.want(slot, Wanted::Up);
            let run = step.number();
            slot.second = Some(Second::Successor(Successor::Spawning { run }));
            step.tell(slot, Some(run), Change::Reload, true);
            step.effects.push(Effect::Spawn { slot: slot.id, run });
            Progress::Wait(Goal::Reload { soak, failed: None })
        }
        // Nothing serves, so there is nothing to be careful with.
        Phase::Stopped | Phase::Errored | Phase::WaitingRestart { .. } => start::run(slot, settle, step),
        // What is being made may be of the old release, and serves nobody yet.
        Phase::Spawning { .. } | Phase::Launching { .. } | Phase::Stopping(_) | Phase::Online { .. } => {
            restart::run(slot, settle, step)
        }
    }
}
