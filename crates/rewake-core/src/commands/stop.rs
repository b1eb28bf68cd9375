//! `stop`: take a slot down and keep it listed. `shut_down` does so without forgetting that it was wanted.

use super::Progress;
use crate::transitions::Step;
use crate::{Change, Failure, Goal, Phase, Slot, StopStage, Wanted};

pub(super) fn run(slot: &mut Slot, step: &mut Step<'_>) -> Progress {
    step.want(slot, Wanted::Down);
    step.fail_the_hopeful(slot, Failure::Superseded);
    take_down(slot, step, Goal::Down)
}

pub(super) fn shut_down(slot: &mut Slot, step: &mut Step<'_>) -> Progress {
    step.fail_the_hopeful(slot, Failure::ShuttingDown);
    take_down(slot, step, Goal::Down)
}

/// Sees to it that the slot's process ends.
pub(super) fn take_down(slot: &mut Slot, step: &mut Step<'_>, goal: Goal) -> Progress {
    match &mut slot.phase {
        Phase::Stopped => Progress::Done(Ok(())),
        Phase::Errored | Phase::WaitingRestart { .. } => {
            slot.phase = Phase::Stopped;
            step.tell(slot, None, Change::Stop, true);
            Progress::Done(Ok(()))
        }
        // The order to make it is out: it is stopped as soon as it is there.
        Phase::Spawning { .. } => Progress::Wait(goal),
        Phase::Launching { run, since, .. } | Phase::Online { run, since } => {
            let (run, since) = (*run, *since);
            step.ask_to_stop(slot, run, since);
            Progress::Wait(goal)
        }
        Phase::Stopping(stopping) => match stopping.stage {
            StopStage::Stuck => Progress::Done(Err(Failure::CannotBeKilled)),
            StopStage::Asked { .. } | StopStage::Killed { .. } => Progress::Wait(goal),
        },
    }
}
