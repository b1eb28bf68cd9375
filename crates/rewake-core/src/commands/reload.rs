//! `reload`, when a slot's turn has come: a new run beside the present one, which stays until the new one is ready. Never
//! touches a run that serves.

use super::{Progress, restart, start};
use crate::transitions::Step;
use crate::{Change, Effect, Failure, Goal, Leaving, Phase, Second, Slot, Successor, Wanted};

pub(super) fn run(slot: &mut Slot, step: &mut Step<'_>) -> Progress {
    if matches!(&slot.second, Some(Second::Leaving(Leaving::Stopping(_)))) {
        // What the last reload left behind is stuck: a third process is not made.
        return Progress::Done(Err(Failure::CannotBeKilled));
    }
    let settle = slot.policy.reload_soak;
    match slot.phase {
        Phase::Online { .. } if slot.policy.rolling => {
            step.want(slot, Wanted::Up);
            let run = step.number();
            slot.second = Some(Second::Successor(Successor::Spawning { run }));
            step.tell(slot, Some(run), Change::Reload, true);
            step.effects.push(Effect::Spawn { slot: slot.id, run });
            Progress::Wait(Goal::Reload { failed: None })
        }
        // Nothing serves, so there is nothing to be careful with.
        Phase::Stopped | Phase::Errored | Phase::WaitingRestart { .. } => start::run(slot, settle, step),
        // What is being made may be of the old release, and serves nobody yet.
        Phase::Spawning { .. } | Phase::Launching { .. } | Phase::Stopping(_) | Phase::Online { .. } => {
            restart::run(slot, settle, step)
        }
    }
}
