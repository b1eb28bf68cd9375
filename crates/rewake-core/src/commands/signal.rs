//! `send-signal`: one signal to the process alone. What it does with it is its own affair.

use super::Progress;
use crate::transitions::Step;
use crate::{Effect, Failure, Slot};

pub(super) fn run(slot: &mut Slot, signal: i32, step: &mut Step<'_>) -> Progress {
    let Some(run) = slot.live_run() else {
        return Progress::Done(Err(Failure::NotRunning));
    };
    step.effects.push(Effect::Signal { run, signal, tree: false });
    Progress::Done(Ok(()))
}
