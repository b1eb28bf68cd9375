//! Facts about a slot's runs, and deadlines. A fact that does not fit the phase changes nothing.

mod deadline;
mod exited;
mod second;
mod spawned;

pub(crate) use deadline::deadline;

use crate::transitions::Step;
use crate::{Awaits, Fact, Phase, Slot};

/// Applies a fact to the slot that has the run it names.
pub(crate) fn apply(slot: &mut Slot, fact: Fact, step: &mut Step<'_>) {
    if slot.run() == Some(fact.run()) { own(slot, fact, step) } else { second::apply(slot, fact, step) }
}

fn own(slot: &mut Slot, fact: Fact, step: &mut Step<'_>) {
    match fact {
        Fact::Spawned { .. } => spawned::spawned(slot, step),
        Fact::SpawnFailed { retry, .. } => spawned::failed(slot, retry, step),
        Fact::Exited { status, tree_gone, .. } => exited::exited(slot, status, tree_gone, step),
        Fact::TreeGone { .. } => exited::tree_gone(slot, step),
        Fact::Ready { .. } => ready(slot, step),
        Fact::Listening { .. } => listening(slot, step),
        Fact::Drained { .. } => {
            if let Phase::Stopping(stopping) = &mut slot.phase {
                step.drained(&slot.policy, stopping);
            }
        }
        Fact::ShutdownUndeliverable { .. } => {
            if let Phase::Stopping(stopping) = &mut slot.phase {
                step.signal_instead(&slot.policy, stopping);
            }
        }
    }
}

fn ready(slot: &mut Slot, step: &mut Step<'_>) {
    if let Phase::Launching { run, since, listened, awaits: Awaits::Ready { .. } } = slot.phase {
        step.online(slot, run, since, listened);
    }
}

fn listening(slot: &mut Slot, step: &mut Step<'_>) {
    match &mut slot.phase {
        Phase::Launching { run, since, awaits: Awaits::Listening { .. }, .. } => {
            let (run, since) = (*run, *since);
            step.online(slot, run, since, true);
        }
        Phase::Launching { listened, .. } | Phase::Online { listened, .. } => *listened = true,
        Phase::Stopped
        | Phase::Errored
        | Phase::Spawning { .. }
        | Phase::Stopping(_)
        | Phase::WaitingRestart { .. } => {}
    }
}
