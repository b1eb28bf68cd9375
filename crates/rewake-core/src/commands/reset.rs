//! `reset`: zero the counters. Touches no process.

use super::Progress;
use crate::{Slot, Streak};

pub(super) fn run(slot: &mut Slot) -> Progress {
    slot.restarts = 0;
    slot.streak = Streak::default();
    Progress::Done(Ok(()))
}
