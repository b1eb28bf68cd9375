//! Commands that wait: each gets one reply, when the last of its slots has reached its goal. Never replies twice.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::{CallId, Effect, Failure, Slot, SlotId, SlotOutcome};

/// The open commands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Calls {
    open: BTreeMap<CallId, Open>,
    /// Those whose slots take turns.
    turns: BTreeMap<CallId, Turns>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Open {
    pending: usize,
    outcomes: Vec<SlotOutcome>,
}

/// The slots of one reload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Turns {
    waiting: VecDeque<SlotId>,
    going: usize,
    parallel: usize,
    /// What it has shown of each app's release so far.
    #[serde(with = "pairs")]
    proofs: BTreeMap<App, Proof>,
}

/// Name and namespace: slots that share them are of one release.
type App = (String, String);

/// What a reload has shown of a release. The later one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Proof {
    /// One that did not run, or had no successor beside it, was started and has stayed up.
    Started,
    /// One was ready and has lived through the soak: the others need not.
    Soaked,
    /// The description has changed in the middle: what was shown may be of another release.
    Void,
}

impl Calls {
    /// Opens a command over so many slots. It is answered by as many `settle`s; with none, at once by `close_if_done`.
    pub(crate) fn open(&mut self, call: CallId, pending: usize) {
        self.open.insert(call, Open { pending, outcomes: Vec::with_capacity(pending) });
    }

    /// These slots of an open command take turns, at most `parallel` at a time and at least one. From here on a failure ends it.
    pub(crate) fn take_turns(&mut self, call: CallId, waiting: VecDeque<SlotId>, parallel: usize) {
        if !waiting.is_empty() {
            self.turns.insert(call, Turns { waiting, going: 0, parallel: parallel.max(1), proofs: BTreeMap::new() });
        }
    }

    /// The next slot whose turn it is and that is free. It counts as begun.
    pub(crate) fn next_turn(&mut self, is_free: impl Fn(SlotId) -> bool) -> Option<(CallId, SlotId)> {
        let may_begin =
            |turns: &Turns| turns.going < turns.parallel && turns.waiting.front().is_some_and(|id| is_free(*id));
        let (call, turns) = self.turns.iter_mut().find(|(_, turns)| may_begin(turns))?;
        turns.going += 1;
        turns.waiting.pop_front().map(|slot| (*call, slot))
    }

    /// Whether a command is a reload that is not over.
    pub(crate) fn takes_turns(&self, call: CallId) -> bool {
        self.turns.contains_key(&call)
    }

    /// A reload has shown something of the slot's release. Nothing for other commands.
    pub(crate) fn prove(&mut self, call: CallId, slot: &Slot, proof: Proof) {
        if let Some(turns) = self.turns.get_mut(&call) {
            let known = turns.proofs.entry(app(slot)).or_insert(proof);
            *known = proof.max(*known);
        }
    }

    /// What a reload has shown of the slot's release.
    pub(crate) fn proof(&self, call: CallId, slot: &Slot) -> Option<Proof> {
        self.turns.get(&call)?.proofs.get(&app(slot)).copied()
    }

    /// The slot's description has changed: no open reload has shown, or will show, anything of it.
    pub(crate) fn void_proofs(&mut self, slot: &Slot) {
        for turns in self.turns.values_mut() {
            turns.proofs.insert(app(slot), Proof::Void);
        }
    }

    /// Whether a slot waits for its turn.
    pub(crate) fn is_in_turn(&self, slot: SlotId) -> bool {
        self.turns.values().any(|turns| turns.waiting.contains(&slot))
    }

    /// Notes how one slot went, and replies after the last.
    pub(crate) fn settle(
        &mut self,
        call: CallId,
        slot: SlotId,
        result: Result<(), Failure>,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(turns) = self.turns.get_mut(&call) {
            turns.going = turns.going.saturating_sub(1);
        }
        self.note(call, slot, result, effects);
        if result.is_err() {
            self.break_off(call, effects);
        }
        self.close_if_done(call, effects);
    }

    /// The slots of a command that wait for their turn will not get one.
    pub(crate) fn break_off(&mut self, call: CallId, effects: &mut Vec<Effect>) {
        let waiting = self.turns.get_mut(&call).map(|turns| core::mem::take(&mut turns.waiting));
        for slot in waiting.into_iter().flatten() {
            self.note(call, slot, Err(Failure::NotReloaded), effects);
        }
    }

    /// A slot that waits for its turn was claimed by another command, which ends the commands that it waits for.
    pub(crate) fn fail_waiting(&mut self, slot: SlotId, failure: Failure, effects: &mut Vec<Effect>) {
        let waits = |(call, turns): (&CallId, &Turns)| turns.waiting.contains(&slot).then_some(*call);
        let calls: Vec<CallId> = self.turns.iter().filter_map(waits).collect();
        for call in calls {
            if let Some(turns) = self.turns.get_mut(&call) {
                turns.waiting.retain(|waiting| *waiting != slot);
            }
            self.note(call, slot, Err(failure), effects);
            self.break_off(call, effects);
            self.close_if_done(call, effects);
        }
    }

    /// Replies if nothing is pending.
    pub(crate) fn close_if_done(&mut self, call: CallId, effects: &mut Vec<Effect>) {
        if self.open.get(&call).is_none_or(|open| open.pending > 0) {
            return;
        }
        self.turns.remove(&call);
        if let Some(Open { mut outcomes, .. }) = self.open.remove(&call) {
            outcomes.sort_by_key(|outcome| outcome.slot);
            effects.push(Effect::Reply { call, slots: outcomes });
        }
    }

    fn note(&mut self, call: CallId, slot: SlotId, result: Result<(), Failure>, effects: &mut Vec<Effect>) {
        let Some(open) = self.open.get_mut(&call) else {
            effects.push(Effect::Never { what: "a slot settled a command that is not open" });
            return;
        };
        open.outcomes.push(SlotOutcome { slot, result });
        open.pending = open.pending.saturating_sub(1);
    }
}

fn app(slot: &Slot) -> App {
    (slot.name.clone(), slot.namespace.clone())
}

/// A map whose keys are no text, as a list.
mod pairs {
    use alloc::collections::BTreeMap;
    use alloc::vec::Vec;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::{App, Proof};

    pub(super) fn serialize<S: Serializer>(map: &BTreeMap<App, Proof>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<App, Proof>, D::Error> {
        Ok(Vec::<(App, Proof)>::deserialize(deserializer)?.into_iter().collect())
    }
}
