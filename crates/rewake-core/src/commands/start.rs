//! `start`: bring a slot up. One that is up is left alone.

use super::Progress;
use crate::slot::Cause;
use crate::transitions::Step;
use crate::{Change, Failure, Goal, Phase, Slot, StopStage, Wanted};

pub(super) fn run(slot: &mut Slot, settle: u64, step: &mut Step<'_>) -> Progress {
    step.want(slot, Wanted::Up);
    match &mut slot.phase {
        Phase::Stopped | Phase::Errored | Phase::WaitingRestart { .. } => {
            step.begin_anew(slot);
            step.launch(slot, Cause::Command, Change::Start);
            Progress::Wait(Goal::Up { settle, until: None })
        }
        Phase::Spawning { restart, .. } => {
            // Somebody's `stop` still waits for this run to go down: it goes down once, then comes up again.
            *restart |= slot.waiters.iter().any(|waiter| waiter.goal == Goal::Down);
            Progress::Wait(Goal::Up { settle, until: None })
        }
        Phase::Launching { .. } => Progress::Wait(Goal::Up { settle, until: None }),
        Phase::Online { .. } => Progress::Done(Ok(())),
        Phase::Stopping(stopping) => {
            stopping.crashed = false;
            if stopping.stage == StopStage::Stuck {
                return Progress::Done(Err(Failure::CannotBeKilled));
            }
            step.hurry(&slot.policy, stopping);
            Progress::Wait(Goal::Up { settle, until: None })
        }
    }
}
