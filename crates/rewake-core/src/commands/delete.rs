//! `delete`: take a slot down and forget it. Nothing can be asked of it from here on. `retire` drains it first.

use super::Progress;
use super::stop::take_down;
use crate::transitions::Step;
use crate::{Failure, Goal, Phase, Second, Slot, Wanted};

pub(super) fn run(slot: &mut Slot, step: &mut Step<'_>) -> Progress {
    forget(slot, step);
    // With no process left the core forgets the slot as soon as this returns.
    take_down(slot, step, Goal::Gone)
}

pub(super) fn retire(slot: &mut Slot, step: &mut Step<'_>) -> Progress {
    forget(slot, step);
    if let Phase::Stopping(stopping) = &slot.phase
        && stopping.due().is_some()
    {
        // Asked again, it may go on with what it is doing.
        return Progress::Wait(Goal::Gone);
    }
    if let Phase::Online { run, since, .. } = slot.phase {
        if matches!(slot.second, Some(Second::Successor(_))) {
            step.dismiss_second(slot);
        }
        slot.phase = Phase::Stopping(step.drain(&slot.policy, run, since));
        return Progress::Wait(Goal::Gone);
    }
    take_down(slot, step, Goal::Gone)
}

fn forget(slot: &mut Slot, step: &mut Step<'_>) {
    // Saved now and not only at the end: a daemon that dies in between must not bring it up again.
    step.want(slot, Wanted::Gone);
    step.give_way(slot, Failure::Superseded);
}
