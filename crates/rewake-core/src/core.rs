//! The core itself: all slots, and the one `step` through which everything happens. Never waits.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::calls::Calls;
use crate::slot::Cause;
use crate::transitions::Step;
use crate::{
    CallId, Command, Effect, Fact, Input, Leaving, Phase, Policy, RunId, Second, Slot, SlotId, Streak, Time, Wanted,
    commands, facts,
};

/// All that is decided about. One owner, one `step` at a time: carry its effects out, then step again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Core {
    slots: BTreeMap<SlotId, Slot>,
    calls: Calls,
    next_slot: u32,
    next_run: u64,
    closing: bool,
}

/// What a core remembers beside its slots: who waits, and the next numbers. For the daemon after this one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    calls: Calls,
    next_slot: u32,
    next_run: u64,
    closing: bool,
}

/// What the core must know of a slot to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSlot {
    pub name: String,
    pub namespace: String,
    pub policy: Policy,
}

impl Core {
    /// Takes one input and appends the orders that follow from it. `now` must never go back.
    pub fn step(&mut self, now: Time, input: Input, effects: &mut Vec<Effect>) {
        let ticks = input == Input::Tick;
        match input {
            Input::Command(call, command) => commands::run(self, now, call, command, effects),
            Input::Fact(fact) => self.fact(now, fact, effects),
            Input::Tick => self.tick(now, effects),
        }
        // What begins in a tick may be due at once (times of 0): the tick after it must not be.
        while commands::take_turns(self, now, effects) && ticks {
            self.tick(now, effects);
        }
    }

    /// When `Tick` is next due, if ever.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        self.slots.values().filter_map(Slot::next_deadline).min()
    }

    /// Adds a slot, stopped and not wanted; `Command::Start` brings it up. Ids begin again at 0 when the list is empty, as PM2's.
    pub fn add(&mut self, new: NewSlot) -> SlotId {
        let id = self.next_slot();
        self.next_slot = id.0;
        let instance = self.free_instance(&new);
        self.restore(id, instance, new, Wanted::Down, 0);
        id
    }

    /// Puts back a slot of an earlier life, stopped. An id that is taken is replaced.
    pub fn restore(&mut self, id: SlotId, instance: u32, new: NewSlot, wanted: Wanted, restarts: u32) {
        self.next_slot = self.next_slot.max(id.0.saturating_add(1));
        let NewSlot { name, namespace, policy } = new;
        let slot = Slot {
            id,
            name,
            namespace,
            instance,
            policy,
            wanted,
            phase: Phase::Stopped,
            second: None,
            oldest_run: RunId(0),
            restarts,
            streak: Streak::default(),
            last_exit: None,
            waiters: Vec::new(),
        };
        self.slots.insert(id, slot);
    }

    /// Takes over a run that an earlier daemon started. Refused (`false`) when the slot is unknown or has a run already.
    pub fn adopt(&mut self, id: SlotId, run: RunId, since: Time) -> bool {
        self.use_runs_from(run.0.saturating_add(1));
        match self.slots.get_mut(&id) {
            Some(slot) if slot.run().is_none() => {
                slot.phase = Phase::Online { run, since, listened: false };
                slot.oldest_run = run;
                true
            }
            Some(_) | None => false,
        }
    }

    /// Takes over a run that is not its slot's own: one whose reload the earlier daemon had begun or not yet finished. It is told to go.
    /// Refused (`false`) when the slot is unknown or has such a run already.
    pub fn retire(&mut self, now: Time, id: SlotId, run: RunId, since: Time, effects: &mut Vec<Effect>) -> bool {
        self.use_runs_from(run.0.saturating_add(1));
        if self.slots.get(&id).is_none_or(|slot| slot.second.is_some()) {
            return false;
        }
        self.with_slot(now, id, effects, |slot, step| {
            let stopping = step.drain(&slot.policy, run, since);
            slot.second = Some(Second::Leaving(Leaving::Stopping(stopping)));
            step.fold(slot);
        });
        true
    }

    /// What it remembers beside its slots. With them it is all that [`resume`](Self::resume) needs.
    #[must_use]
    pub fn memory(&self) -> Memory {
        let Self { slots: _, calls, next_slot, next_run, closing } = self;
        Memory { calls: calls.clone(), next_slot: *next_slot, next_run: *next_run, closing: *closing }
    }

    /// The core that had these slots and this memory, in the middle of whatever it was doing. Times count on: both lives must have
    /// the same clock. Orders that were not carried out are for the caller to repeat.
    #[must_use]
    pub fn resume(slots: impl IntoIterator<Item = Slot>, memory: Memory) -> Self {
        let Memory { calls, next_slot, next_run, closing } = memory;
        Self { slots: slots.into_iter().map(|slot| (slot.id, slot)).collect(), calls, next_slot, next_run, closing }
    }

    /// Numbers below this belong to earlier lives.
    pub fn use_runs_from(&mut self, next: u64) {
        self.next_run = self.next_run.max(next);
    }

    /// Gives a slot another policy, for all that happens from now on.
    pub fn redefine(&mut self, id: SlotId, policy: Policy) {
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.policy = policy;
            self.calls.void_proofs(slot);
        }
    }

    /// All slots, by id.
    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.values()
    }

    /// One slot.
    #[must_use]
    pub fn slot(&self, id: SlotId) -> Option<&Slot> {
        self.slots.get(&id)
    }

    /// The slot that has this run now.
    #[must_use]
    pub fn slot_of(&self, run: RunId) -> Option<&Slot> {
        self.slots.values().find(|slot| slot.runs().any(|own| own == run))
    }

    /// Whether a reload has begun with this slot or is yet to come to it. For those who refuse a second one; the core lets it wait.
    #[must_use]
    pub fn is_reloading(&self, id: SlotId) -> bool {
        self.calls.is_in_turn(id) || self.slots.get(&id).is_some_and(Slot::awaits_reload)
    }

    /// Whether a reload is yet to come to this slot.
    #[must_use]
    pub fn awaits_turn(&self, id: SlotId) -> bool {
        self.calls.is_in_turn(id)
    }

    /// The id that the next [`add`](Self::add) will give.
    #[must_use]
    pub fn next_slot(&self) -> SlotId {
        SlotId(if self.slots.is_empty() { 0 } else { self.next_slot })
    }

    /// The number that the next run will get.
    #[must_use]
    pub fn next_run(&self) -> u64 {
        self.next_run
    }

    /// Whether `Shutdown` was asked for.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.closing
    }

    pub(crate) fn close(&mut self) {
        self.closing = true;
    }

    pub(crate) fn ids(&self) -> Vec<SlotId> {
        self.slots.keys().copied().collect()
    }

    /// The next slot of a reload whose turn it is, if it is free.
    pub(crate) fn next_turn(&mut self) -> Option<(CallId, SlotId)> {
        let slots = &self.slots;
        self.calls.next_turn(|id| slots.get(&id).is_none_or(Slot::may_be_reloaded))
    }

    pub(crate) fn calls(&mut self) -> &mut Calls {
        &mut self.calls
    }

    /// Lets `act` work on one slot, then forgets the slot if that is what was wanted and nothing of it is left.
    /// `None`: there is no such slot.
    pub(crate) fn with_slot<T>(
        &mut self,
        now: Time,
        id: SlotId,
        effects: &mut Vec<Effect>,
        act: impl FnOnce(&mut Slot, &mut Step<'_>) -> T,
    ) -> Option<T> {
        let slot = self.slots.get_mut(&id)?;
        let mut step =
            Step { now, closing: self.closing, calls: &mut self.calls, next_run: &mut self.next_run, effects };
        let done = act(slot, &mut step);
        if slot.wanted == Wanted::Gone && slot.runs().next().is_none() {
            step.forget(slot);
            self.slots.remove(&id);
        }
        Some(done)
    }

    fn fact(&mut self, now: Time, fact: Fact, effects: &mut Vec<Effect>) {
        // A fact about a run that no slot has is late: the slot has gone on, and nothing follows from it.
        if let Some(id) = self.slot_of(fact.run()).map(|slot| slot.id) {
            self.with_slot(now, id, effects, |slot, step| {
                facts::apply(slot, fact, step);
            });
        }
    }

    fn tick(&mut self, now: Time, effects: &mut Vec<Effect>) {
        let due = |slot: &&Slot| slot.next_deadline().is_some_and(|deadline| deadline <= now);
        let ids: Vec<SlotId> = self.slots.values().filter(due).map(|slot| slot.id).collect();
        for id in ids {
            self.with_slot(now, id, effects, facts::deadline);
        }
    }

    fn free_instance(&self, new: &NewSlot) -> u32 {
        let taken = |n: u32| {
            self.slots
                .values()
                .any(|slot| slot.name == new.name && slot.namespace == new.namespace && slot.instance == n)
        };
        (0..).find(|n| !taken(*n)).unwrap_or(u32::MAX)
    }
}

impl Fact {
    /// The run that this is about.
    #[must_use]
    pub fn run(&self) -> RunId {
        match self {
            Self::Spawned { run }
            | Self::SpawnFailed { run, .. }
            | Self::Exited { run, .. }
            | Self::TreeGone { run }
            | Self::Ready { run }
            | Self::Listening { run }
            | Self::Drained { run }
            | Self::ShutdownUndeliverable { run } => *run,
        }
    }
}

impl Command {
    /// The slots it is for; `None`: all.
    pub(crate) fn slots(&self) -> Option<&[SlotId]> {
        match self {
            Self::Start { slots, .. }
            | Self::Stop { slots }
            | Self::Restart { slots, .. }
            | Self::Reload { slots, .. }
            | Self::Delete { slots }
            | Self::Retire { slots }
            | Self::Reset { slots }
            | Self::Signal { slots, .. } => Some(slots),
            Self::Shutdown => None,
        }
    }
}

impl Cause {
    pub(crate) fn is_command(self) -> bool {
        self == Self::Command
    }
}
