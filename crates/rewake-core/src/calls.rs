//! Commands that wait: each gets one reply, when the last of its slots has reached its goal. Never replies twice.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::{CallId, Effect, Failure, SlotId, SlotOutcome};

/// The open commands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    open: BTreeMap<CallId, Open>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Open {
    pending: usize,
    outcomes: Vec<SlotOutcome>,
}

impl Calls {
    /// Opens a command over so many slots. It is answered by as many `settle`s; with none, at once by `close_if_done`.
    pub(crate) fn open(&mut self, call: CallId, pending: usize) {
        self.open.insert(call, Open { pending, outcomes: Vec::with_capacity(pending) });
    }

    /// Notes how one slot went, and replies after the last.
    pub(crate) fn settle(
        &mut self,
        call: CallId,
        slot: SlotId,
        result: Result<(), Failure>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(open) = self.open.get_mut(&call) else {
            effects.push(Effect::Never { what: "a slot settled a command that is not open" });
            return;
        };
        open.outcomes.push(SlotOutcome { slot, result });
        open.pending = open.pending.saturating_sub(1);
        self.close_if_done(call, effects);
    }

    /// Replies if nothing is pending.
    pub(crate) fn close_if_done(&mut self, call: CallId, effects: &mut Vec<Effect>) {
        if self.open.get(&call).is_none_or(|open| open.pending > 0) {
            return;
        }
        if let Some(Open { mut outcomes, .. }) = self.open.remove(&call) {
            outcomes.sort_by_key(|outcome| outcome.slot);
            effects.push(Effect::Reply { call, slots: outcomes });
        }
    }
}
