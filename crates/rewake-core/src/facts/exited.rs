//! A process has ended, then its tree. The slot goes on only when both are gone.

use crate::transitions::Step;
use crate::{Effect, Exit, ExitStatus, Failure, Leaving, Phase, ReloadFailure, RunId, Second, Slot, Stopping, Time};

pub(super) fn exited(slot: &mut Slot, status: ExitStatus, tree_gone: bool, step: &mut Step<'_>) {
    if let Phase::Spawning { run, restart, .. } = slot.phase {
        // The outside reports the birth before the death; should it not, the death says both. What is dead was never up.
        if !step.is_unwanted(slot, restart) {
            return crashed(slot, run, step.now, status, tree_gone, step);
        }
        super::spawned::spawned(slot, step);
    }
    match &mut slot.phase {
        Phase::Launching { run, since, .. } | Phase::Online { run, since, .. } => {
            let (run, since) = (*run, *since);
            crashed(slot, run, since, status, tree_gone, step);
        }
        Phase::Stopping(stopping) if stopping.exit.is_none() => {
            let exit = stopping.exit(status, step.now);
            let crashed = stopping.crashed;
            stopping.exit = Some(exit);
            step.note_exit(slot, exit);
            if tree_gone {
                step.ended(slot, exit.run, crashed.then_some(exit));
            } else if let Phase::Stopping(stopping) = &mut slot.phase {
                step.press_the_tree(&slot.policy, stopping);
            }
        }
        Phase::Stopping(_)
        | Phase::Stopped
        | Phase::Errored
        | Phase::Spawning { .. }
        | Phase::WaitingRestart { .. } => {}
    }
}

pub(super) fn tree_gone(slot: &mut Slot, step: &mut Step<'_>) {
    if let Phase::Stopping(Stopping { run, exit: Some(exit), crashed, .. }) = slot.phase {
        step.ended(slot, run, crashed.then_some(exit));
    }
}

/// Nobody asked for this exit.
fn crashed(slot: &mut Slot, run: RunId, since: Time, status: ExitStatus, tree_gone: bool, step: &mut Step<'_>) {
    let exit = Exit { run, status, at: step.now, lived: step.now - since };
    step.note_exit(slot, exit);
    if let Some(Second::Successor(successor)) = slot.second.clone() {
        // Its replacement is on the way: a second one is not made.
        let left = if tree_gone {
            step.effects.push(Effect::Release { run });
            None
        } else {
            Some(Leaving::Stopping(step.left_behind(&slot.policy, exit, since)))
        };
        step.succeed(slot, &successor, exit, left);
        return;
    }
    let was_ready = matches!(slot.phase, Phase::Online { .. });
    step.fail_alone(slot, run, if was_ready { ReloadFailure::DiedInSoak(exit) } else { ReloadFailure::Exited(exit) });
    if slot.policy.is_done(status) {
        step.answer_reloads_of_a_task(slot);
    }
    step.fail_the_hopeful(slot, Failure::ExitedEarly(exit));
    if tree_gone {
        step.ended(slot, run, Some(exit));
        return;
    }
    // What it left behind may hold its port: the next run waits until that is gone.
    slot.phase = Phase::Stopping(step.left_behind(&slot.policy, exit, since));
}
