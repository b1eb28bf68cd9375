//! `delete`: take a slot down and forget it. Nothing can be asked of it from here on.

use super::Progress;
use super::stop::take_down;
use crate::transitions::Step;
use crate::{Failure, Goal, Slot, Wanted};

pub(super) fn run(slot: &mut Slot, step: &mut Step<'_>) -> Progress {
    // Saved now and not only at the end: a daemon that dies in between must not bring it up again.
    step.want(slot, Wanted::Gone);
    step.fail_the_hopeful(slot, Failure::Superseded);
    // With no process left the core forgets the slot as soon as this returns.
    take_down(slot, step, Goal::Gone)
}
