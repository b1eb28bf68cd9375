//! What happens to a slot because time has passed. Several deadlines may be due at once, and one may bring the next; each is met once.

use crate::second::Due;
use crate::transitions::Step;
use crate::{Change, Failure, Phase, ReloadFailure, Slot, Time};

/// Meets the deadlines of a slot that are due.
pub(crate) fn deadline(slot: &mut Slot, step: &mut Step<'_>) {
    step.settle_the_settled(slot);
    let now = step.now;
    let is_due = |due: Option<Time>| due.is_some_and(|at| at <= now);
    // Each stage leads to a later one, so this ends: what has no time at all goes from being ready to SIGKILL in one go.
    while is_due(slot.runs_due()) {
        if is_due(slot.phase_due()) { own(slot, step) } else { super::second::deadline(slot, step) }
    }
}

/// Meets what is due with its own run, once.
fn own(slot: &mut Slot, step: &mut Step<'_>) {
    match &mut slot.phase {
        Phase::Launching { run, since, listened, awaits } => {
            let (run, since, listened, awaits) = (*run, *since, *listened, *awaits);
            if awaits.due(false).1 == Due::Late {
                step.tell(slot, Some(run), Change::ReadyTimeout, false);
                if !slot.policy.accept_unready {
                    step.fail_alone(slot, run, ReloadFailure::NotReady);
                }
            }
            // PM2's lenient rule: what never says `'ready'` counts as online after `listen_timeout`. Nothing else serves.
            step.online(slot, run, since, listened);
        }
        Phase::WaitingRestart { .. } => step.launch_again(slot),
        Phase::Stopping(stopping) => {
            if step.harder(&slot.policy, stopping) {
                stuck(slot, step);
            }
        }
        Phase::Stopped | Phase::Errored | Phase::Spawning { .. } | Phase::Online { .. } => {}
    }
}

/// SIGKILL does not help.
fn stuck(slot: &mut Slot, step: &mut Step<'_>) {
    let Phase::Stopping(stopping) = &slot.phase else {
        return;
    };
    let (run, exit, crashed) = (stopping.run, stopping.exit, stopping.crashed);
    step.tell(slot, Some(run), Change::CannotBeKilled, false);
    match exit {
        // The process itself is gone; a straggler that SIGKILL does not end must not hold the slot for ever.
        Some(exit) => step.ended(slot, run, crashed.then_some(exit)),
        None => step.answer(slot, Err(Failure::CannotBeKilled), |_| true),
    }
}
