//! A process has ended, then its tree. The slot goes on only when both are gone.

use super::deadline::killed;
use crate::transitions::{SIGKILL, Step};
use crate::{Effect, Exit, ExitStatus, Failure, Phase, RunId, Slot, StopStage, Stopping, Time};

pub(super) fn exited(slot: &mut Slot, status: ExitStatus, tree_gone: bool, step: &mut Step<'_>) {
    if matches!(slot.phase, Phase::Spawning { .. }) {
        // The outside reports the birth before the death; should it not, the death says both.
        super::spawned::spawned(slot, step);
    }
    match &mut slot.phase {
        Phase::Launching { run, since, .. } | Phase::Online { run, since } => {
            let (run, since) = (*run, *since);
            crashed(slot, run, since, status, tree_gone, step);
        }
        Phase::Stopping(stopping) if stopping.exit.is_none() => {
            let exit = exit_of(stopping.run, stopping.since, status, step.now);
            let (stage, crashed) = (stopping.stage, stopping.crashed);
            stopping.exit = Some(exit);
            if !tree_gone && !matches!(stage, StopStage::Asked { .. }) {
                // A time of its own for what SIGKILL has missed: a process that was stuck and has ended after all must
                // not leave its slot to a straggler for ever.
                stopping.stage = killed(&slot.policy, step.now);
            }
            step.note_exit(slot, exit);
            if tree_gone {
                step.ended(slot, exit.run, crashed.then_some(exit));
                return;
            }
            match stage {
                StopStage::Asked { .. } => step.ask_the_tree(exit.run),
                // What the first SIGKILL missed (a fork in between) gets its own.
                StopStage::Killed { .. } | StopStage::Stuck => {
                    step.effects.push(Effect::Signal { run: exit.run, signal: SIGKILL, tree: true });
                }
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
    let exit = exit_of(run, since, status, step.now);
    step.note_exit(slot, exit);
    step.fail_the_hopeful(slot, Failure::ExitedEarly(exit));
    if tree_gone {
        step.ended(slot, run, Some(exit));
        return;
    }
    // What it left behind may hold its port: the next run waits until that is gone.
    let stage = StopStage::Asked { kill_at: step.now + slot.policy.kill_timeout };
    slot.phase = Phase::Stopping(Stopping { run, since, stage, exit: Some(exit), crashed: true });
    step.ask_the_tree(run);
}

fn exit_of(run: RunId, since: Time, status: ExitStatus, now: Time) -> Exit {
    Exit { run, status, at: now, lived: now - since }
}
