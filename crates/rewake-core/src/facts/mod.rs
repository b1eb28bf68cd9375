//! Facts about a slot's own run, and deadlines. A fact that does not fit the phase changes nothing.

mod deadline;
mod exited;
mod spawned;

pub(crate) use deadline::deadline;

use crate::transitions::{SIGINT, Step};
use crate::{Effect, Fact, Phase, Slot, StopStage};

/// Applies a fact to the slot whose run it names.
pub(crate) fn apply(slot: &mut Slot, fact: Fact, step: &mut Step<'_>) {
    match fact {
        Fact::Spawned { .. } => spawned::spawned(slot, step),
        Fact::SpawnFailed { retry, .. } => spawned::failed(slot, retry, step),
        Fact::Exited { status, tree_gone, .. } => exited::exited(slot, status, tree_gone, step),
        Fact::TreeGone { .. } => exited::tree_gone(slot, step),
        Fact::Ready { .. } => ready(slot, step),
        Fact::ShutdownUndeliverable { .. } => undeliverable(slot, step),
    }
}

fn ready(slot: &mut Slot, step: &mut Step<'_>) {
    if let Phase::Launching { run, since, .. } = slot.phase {
        step.online(slot, run, since);
    }
}

/// It cannot be told, so it is signalled; its time goes on from when it should have been told.
fn undeliverable(slot: &mut Slot, step: &mut Step<'_>) {
    if let Phase::Stopping(stopping) = &slot.phase
        && stopping.exit.is_none()
        && matches!(stopping.stage, StopStage::Asked { .. })
    {
        step.effects.push(Effect::Signal { run: stopping.run, signal: SIGINT, tree: slot.policy.treekill });
    }
}
