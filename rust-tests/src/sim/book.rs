//! All slots as they ought to be, and the orders that must follow from each input. Never looks into the core.

use std::collections::BTreeMap;

use rewake_core::{Command, ExitStatus, Input, Policy, RunId, SlotId, Time, Wanted};

use super::rule::Order;
use super::slot_book::{Hand, RunBook, SlotBook};

const SIGKILL: i32 = 9;

/// All slots as they ought to be.
#[derive(Debug, Clone, Default)]
pub struct Book {
    pub slots: BTreeMap<SlotId, SlotBook>,
    pub closing: bool,
}

/// An order that must follow from an input, or news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    Spawn(SlotId),
    Release(RunId),
    Signal { run: RunId, signal: i32, tree: bool },
    SendShutdown(RunId),
    Online(RunId),
    Exit(RunId, ExitStatus),
    CannotBeKilled(RunId),
    Removed(SlotId),
}

/// What happened to a slot that its waiting commands must hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// Its process ended unasked.
    Crashed(RunId),
    SpawnFailed,
    /// A command asked for the opposite of being up.
    TakenDown,
    CannotBeKilled,
}

/// What follows from one input.
#[derive(Debug, Clone, Default)]
pub struct Follows {
    pub orders: Vec<Expected>,
    pub news: Vec<(SlotId, News)>,
}

impl Expected {
    /// The kind of order.
    #[must_use]
    pub fn order(&self) -> Order {
        match self {
            Self::Spawn(_) => Order::Spawn,
            Self::Release(_) => Order::Release,
            Self::Signal { signal: SIGKILL, .. } => Order::Kill,
            Self::Signal { .. } | Self::SendShutdown(_) => Order::Ask,
            Self::Online(_) => Order::Online,
            Self::Exit(..) => Order::Exit,
            Self::CannotBeKilled(_) => Order::CannotBeKilled,
            Self::Removed(_) => Order::Removed,
        }
    }
}

impl Book {
    /// Notes a new slot.
    pub fn add(&mut self, id: SlotId, policy: Policy, wanted: Wanted, restarts: u32) {
        self.slots.insert(id, SlotBook::new(policy, wanted, restarts));
    }

    /// A run of an earlier daemon's is taken over.
    pub fn adopted(&mut self, id: SlotId, run: RunId, since: Time) {
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.run = Some(RunBook { born: Some(since), online: Some(since), ..RunBook::new(run) });
        }
    }

    /// The slot that has this run.
    #[must_use]
    pub fn slot_of(&self, run: RunId) -> Option<SlotId> {
        let has = |slot: &SlotBook| slot.run.as_ref().is_some_and(|r| r.id == run);
        self.slots.iter().find(|(_, slot)| has(slot)).map(|(id, _)| *id)
    }

    /// What must follow from this input. A slot that is to be spawned has no run until [`Book::spawned`] says which.
    pub fn input(&mut self, now: Time, input: &Input, follows: &mut Follows) {
        match input {
            Input::Command(_, command) => self.command(now, command, follows),
            Input::Fact(fact) => {
                if let Some(id) = self.slot_of(fact.run()) {
                    self.on(now, id, follows, |slot, hand| slot.fact(*fact, hand));
                }
            }
            Input::Tick => {
                for id in self.ids() {
                    self.on(now, id, follows, SlotBook::tick);
                }
            }
        }
    }

    /// The core has chosen a run's number.
    pub fn spawned(&mut self, id: SlotId, run: RunId) {
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.run = Some(RunBook::new(run));
        }
    }

    /// The earliest moment at which something is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        self.slots.values().filter_map(SlotBook::deadline).min()
    }

    /// The slots that a command is for, each once, in order.
    #[must_use]
    pub fn named(&self, command: &Command) -> Vec<SlotId> {
        let mut named = match command {
            Command::Start { slots, .. }
            | Command::Stop { slots }
            | Command::Restart { slots, .. }
            | Command::Delete { slots }
            | Command::Reset { slots }
            | Command::Signal { slots, .. } => slots.clone(),
            Command::Shutdown => self.ids(),
        };
        named.sort_unstable();
        named.dedup();
        named
    }

    fn command(&mut self, now: Time, command: &Command, follows: &mut Follows) {
        if *command == Command::Shutdown {
            self.closing = true;
        }
        for id in self.named(command) {
            self.on(now, id, follows, |slot, hand| slot.command(command, hand));
        }
    }

    fn on(&mut self, now: Time, id: SlotId, follows: &mut Follows, act: impl FnOnce(&mut SlotBook, &mut Hand<'_>)) {
        let closing = self.closing;
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        act(slot, &mut Hand { now, id, closing, follows });
        if slot.wanted == Wanted::Gone && slot.run.is_none() {
            self.slots.remove(&id);
            follows.orders.push(Expected::Removed(id));
        }
    }

    fn ids(&self) -> Vec<SlotId> {
        self.slots.keys().copied().collect()
    }
}
