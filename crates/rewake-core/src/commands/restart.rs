//! `restart`: a new process, whatever there was before.

use super::Progress;
use crate::slot::Cause;
use crate::transitions::Step;
use crate::{Change, Failure, Goal, Phase, Slot, StopStage, Wanted};

pub(super) fn run(slot: &mut Slot, settle: u64, step: &mut Step<'_>) -> Progress {
    step.want(slot, Wanted::Up);
    step.begin_anew(slot);
    step.reload_over(slot, Err(Failure::Superseded));
    step.answer(slot, Err(Failure::Superseded), |goal| matches!(goal, Goal::Alone { .. }));
    step.dismiss_second(slot);
    match &mut slot.phase {
        Phase::Stopped | Phase::Errored | Phase::WaitingRestart { .. } => {
            step.launch(slot, Cause::Command, Change::Restart);
        }
        Phase::Spawning { restart, .. } => *restart = true,
        Phase::Launching { run, since, .. } | Phase::Online { run, since, .. } => {
            let (run, since) = (*run, *since);
            // PM2 counts a restart by hand only when it replaced a running process.
            slot.restarts = slot.restarts.saturating_add(1);
            step.ask_to_stop(slot, run, since);
        }
        Phase::Stopping(stopping) => {
            stopping.crashed = false;
            if stopping.stage == StopStage::Stuck {
                return Progress::Done(Err(Failure::CannotBeKilled));
            }
            step.hurry(&slot.policy, stopping);
        }
    }
    Progress::Wait(Goal::Up { settle, until: None })
}
