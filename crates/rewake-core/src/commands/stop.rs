//! `stop`: take a slot down and keep it listed. `shut_down` does so without forgetting that it was wanted.

use super::Progress;
use crate::transitions::Step;
use crate::{Change, Failure, Goal, Phase, Slot, StopStage, Wanted};

pub(super) fn run(slot: &mut Slot, step: &mut Step<'_>) -> Progress {
    step.want(slot, Wanted::Down);
    step.give_way(slot, Failure::Superseded);
    take_down(slot, step, Goal::Down)
}

pub(super) fn shut_down(slot: &mut Slot, step: &mut Step<'_>) -> Progress {
    step.give_way(slot, Failure::ShuttingDown);
    take_down(slot, step, Goal::Down)
}

/// Sees to it that the slot's processes end.
pub(super) fn take_down(slot: &mut Slot, step: &mut Step<'_>, goal: Goal) -> Progress {
    step.dismiss_second(slot);
    if slot.run().is_none() {
        let rests = slot.phase == Phase::Stopped;
        slot.phase = Phase::Stopped;
        if !step.fold(slot) && !rests {
            step.tell(slot, None, Change::Stop, true);
        }
    }
    match &mut slot.phase {
        Phase::Stopped | Phase::Errored | Phase::WaitingRestart { .. } => Progress::Done(Ok(())),
        // The order to make it is out: it is stopped as soon as it is there.
        Phase::Spawning { .. } => Progress::Wait(goal),
        Phase::Launching { run, since, .. } | Phase::Online { run, since, .. } => {
            let (run, since) = (*run, *since);
            step.ask_to_stop(slot, run, since);
            Progress::Wait(goal)
        }
        Phase::Stopping(stopping) => {
            if stopping.stage == StopStage::Stuck {
                return Progress::Done(Err(Failure::CannotBeKilled));
            }
            step.hurry(&slot.policy, stopping);
            Progress::Wait(goal)
        }
    }
}
