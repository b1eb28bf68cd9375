//! What happens to a slot because time has passed. Several deadlines may be due at once; each is met once.

use crate::transitions::{SIGKILL, Step};
use crate::{Change, Effect, Failure, Phase, Policy, Slot, StopStage, Stopping, Time};

/// How long SIGKILL may take before a process is reported as one that cannot be killed, ms, unless its `kill_timeout`
/// is longer (PM2 waits another `kill_timeout`). Memory of a large process takes the kernel this long to free.
const SIGKILL_PATIENCE: u64 = 2000;

/// Meets the deadlines of a slot that are due.
pub(crate) fn deadline(slot: &mut Slot, step: &mut Step<'_>) {
    step.settle_the_settled(slot);
    match &mut slot.phase {
        Phase::Launching { run, since, ready_by } if *ready_by <= step.now => {
            let (run, since) = (*run, *since);
            // PM2's lenient rule: what never says `'ready'` counts as online after `listen_timeout`.
            step.tell(slot, Some(run), Change::ReadyTimeout, false);
            step.online(slot, run, since);
        }
        Phase::WaitingRestart { until } if *until <= step.now => step.launch_again(slot),
        Phase::Stopping(stopping) => {
            let due = stage_due(stopping.stage, step.now);
            if due {
                harder(slot, step);
            }
        }
        Phase::Launching { .. }
        | Phase::WaitingRestart { .. }
        | Phase::Stopped
        | Phase::Errored
        | Phase::Spawning { .. }
        | Phase::Online { .. } => {}
    }
}

/// The stage that a SIGKILL sent now begins.
pub(super) fn killed(policy: &Policy, now: Time) -> StopStage {
    StopStage::Killed { give_up_at: now + policy.kill_timeout.max(SIGKILL_PATIENCE) }
}

fn stage_due(stage: StopStage, now: Time) -> bool {
    match stage {
        StopStage::Asked { kill_at: at } | StopStage::Killed { give_up_at: at } => at <= now,
        StopStage::Stuck => false,
    }
}

/// The next stage of stopping.
fn harder(slot: &mut Slot, step: &mut Step<'_>) {
    let Phase::Stopping(stopping) = &mut slot.phase else {
        return;
    };
    let run = stopping.run;
    match stopping.stage {
        StopStage::Asked { .. } => {
            stopping.stage = killed(&slot.policy, step.now);
            // With the process gone, what is left of its tree is all that a signal could reach.
            let tree = slot.policy.treekill || stopping.exit.is_some();
            step.effects.push(Effect::Signal { run, signal: SIGKILL, tree });
        }
        StopStage::Killed { .. } => give_up(slot, step),
        StopStage::Stuck => {}
    }
}

fn give_up(slot: &mut Slot, step: &mut Step<'_>) {
    let Phase::Stopping(Stopping { run, exit, crashed, stage, .. }) = &mut slot.phase else {
        return;
    };
    let (run, exit, crashed) = (*run, *exit, *crashed);
    *stage = StopStage::Stuck;
    step.tell(slot, Some(run), Change::CannotBeKilled, false);
    match exit {
        // The process itself is gone; a straggler that SIGKILL does not end must not hold the slot for ever.
        Some(exit) => step.ended(slot, run, crashed.then_some(exit)),
        None => step.answer(slot, Err(Failure::CannotBeKilled), |_| true),
    }
}
