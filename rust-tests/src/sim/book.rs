//! All slots as they ought to be, and the orders that must follow from each input. Never looks into the core.

use std::collections::{BTreeMap, VecDeque};

use rewake_core::{CallId, Command, ExitStatus, Failure, Input, Policy, RunId, SlotId, SlotOutcome, Time, Wanted};

use super::rule::Order;
use super::run_book::RunBook;
use super::slot_book::{Hand, SlotBook};
use super::turns::{Stood, Turns};

const SIGKILL: i32 = 9;

/// All slots as they ought to be.
#[derive(Debug, Clone, Default)]
pub struct Book {
    pub slots: BTreeMap<SlotId, SlotBook>,
    pub closing: bool,
    turns: Turns,
}

/// An order that must follow from an input, or news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    Spawn(SlotId),
    Release(RunId),
    Signal {
        run: RunId,
        signal: i32,
        tree: bool,
    },
    SendShutdown(RunId),
    Drain(RunId),
    Online(RunId),
    Serve(SlotId, RunId),
    Exit(RunId, ExitStatus),
    CannotBeKilled(RunId),
    /// News of a new run that is no good.
    ReloadFailed {
        run: RunId,
        alone: bool,
    },
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
    /// Reloads that are over, and how each slot went.
    pub answers: Vec<(CallId, Vec<SlotOutcome>)>,
    /// Slots of which it must survive which run is on its way out, and has changed.
    pub save_due: Vec<SlotId>,
    /// Runs beside a slot's own that this input ends. A new run of the slot may come before they are let go of.
    pub beside: Vec<RunId>,
    pub(super) settled: Vec<(CallId, SlotId, Result<(), Failure>)>,
    pub(super) broken: Vec<CallId>,
    pub(super) stood: Vec<(CallId, Stood)>,
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
            Self::Drain(_) => Order::Drain,
            Self::Online(_) => Order::Online,
            Self::Serve(..) => Order::Serve,
            Self::Exit(..) => Order::Exit,
            Self::CannotBeKilled(_) => Order::CannotBeKilled,
            Self::ReloadFailed { .. } => Order::ReloadFailed,
            Self::Removed(_) => Order::Removed,
        }
    }
}

impl Book {
    /// Notes a new slot.
    pub fn add(&mut self, id: SlotId, app: &str, policy: Policy, wanted: Wanted, restarts: u32) {
        self.slots.insert(id, SlotBook::new(app, policy, wanted, restarts));
    }

    /// A slot is given another policy.
    pub fn redefined(&mut self, id: SlotId, policy: Policy) {
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.policy = policy;
            self.turns.altered(&slot.app);
        }
    }

    /// A run of an earlier daemon's is taken over.
    pub fn adopted(&mut self, id: SlotId, run: RunId, since: Time) {
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.run = Some(RunBook::found(run, since));
            slot.oldest = Some(run);
        }
    }

    /// A run of an earlier daemon's that is not its slot's own is told to go.
    pub fn retired(&mut self, now: Time, id: SlotId, run: RunId, since: Time, follows: &mut Follows) {
        self.on(now, id, follows, |slot, hand| {
            let mut leaver = RunBook { ordered: true, ..RunBook::found(run, since) };
            leaver.let_go(&slot.policy, hand);
            slot.leaver = Some(leaver);
            if slot.run.is_none() {
                slot.fold(hand);
            }
        });
    }

    /// The slot that has this run.
    #[must_use]
    pub fn slot_of(&self, run: RunId) -> Option<SlotId> {
        let has = |slot: &SlotBook| slot.runs().any(|own| own.id == Some(run));
        self.slots.iter().find(|(_, slot)| has(slot)).map(|(id, _)| *id)
    }

    /// What must follow from this input. A slot that is to be spawned has no run until [`Book::spawned`] says which.
    pub fn input(&mut self, now: Time, input: &Input, follows: &mut Follows) {
        match input {
            Input::Command(call, command) => self.command(now, *call, command, follows),
            Input::Fact(fact) => {
                if let Some(id) = self.slot_of(fact.run()) {
                    self.on(now, id, follows, |slot, hand| slot.fact(*fact, hand));
                }
            }
            Input::Tick => self.tick(now, follows),
        }
        while self.take_turns(now, follows) && *input == Input::Tick {
            self.tick(now, follows);
        }
        follows.answers.extend(self.turns.answers());
    }

    fn tick(&mut self, now: Time, follows: &mut Follows) {
        for id in self.ids() {
            self.on(now, id, follows, SlotBook::tick);
        }
    }

    /// Whether a reload has begun with a slot.
    fn take_turns(&mut self, now: Time, follows: &mut Follows) -> bool {
        let mut any = false;
        while let Some((call, id)) = self.turns.next(|id| self.slots.get(&id).is_none_or(SlotBook::is_free)) {
            let spared = self.slots.get(&id).map(|slot| self.turns.spared(call, &slot.app));
            if let Some(spared) = spared {
                self.on(now, id, follows, |slot, hand| slot.reload(call, spared, hand));
            }
            any = true;
        }
        any
    }

    /// The core has chosen a run's number.
    pub fn spawned(&mut self, id: SlotId, run: RunId) {
        if let Some(slot) = self.slots.get_mut(&id) {
            if std::mem::take(&mut slot.next_is_oldest) {
                slot.oldest = Some(run);
            }
            if let Some(unnumbered) = slot.unnumbered() {
                unnumbered.id = Some(run);
            }
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
            | Command::Reload { slots, .. }
            | Command::Delete { slots }
            | Command::Retire { slots }
            | Command::Reset { slots }
            | Command::Signal { slots, .. } => slots.clone(),
            Command::Shutdown => self.ids(),
        };
        named.sort_unstable();
        named.dedup();
        named
    }

    fn command(&mut self, now: Time, call: CallId, command: &Command, follows: &mut Follows) {
        if *command == Command::Shutdown {
            self.closing = true;
        }
        if let Command::Reload { parallel, .. } = command {
            return self.reload(call, *parallel, self.named(command));
        }
        let why = match command {
            Command::Shutdown => Some(Failure::ShuttingDown),
            Command::Stop { .. } | Command::Delete { .. } | Command::Retire { .. } => Some(Failure::Superseded),
            Command::Start { .. }
            | Command::Restart { .. }
            | Command::Reload { .. }
            | Command::Reset { .. }
            | Command::Signal { .. } => None,
        };
        for id in self.named(command) {
            self.on(now, id, follows, |slot, hand| slot.command(command, hand));
            if let Some(why) = why {
                self.turns.claimed(id, why);
            }
        }
    }

    fn reload(&mut self, call: CallId, parallel: usize, named: Vec<SlotId>) {
        let (mut waiting, mut refused) = (VecDeque::new(), BTreeMap::new());
        for id in named {
            match self.slots.get(&id).filter(|slot| slot.wanted != Wanted::Gone) {
                Some(_) if self.closing => {
                    refused.insert(id, Err(Failure::ShuttingDown));
                }
                Some(_) => waiting.push_back(id),
                None => {
                    refused.insert(id, Err(Failure::Unknown));
                }
            }
        }
        self.turns.opened(call, parallel, waiting, refused);
    }

    fn on(&mut self, now: Time, id: SlotId, follows: &mut Follows, act: impl FnOnce(&mut SlotBook, &mut Hand<'_>)) {
        let closing = self.closing;
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        act(slot, &mut Hand { now, id, closing, follows });
        for (call, what) in follows.stood.drain(..) {
            self.turns.stood(call, &slot.app, what);
        }
        if slot.wanted == Wanted::Gone && slot.runs().next().is_none() {
            self.slots.remove(&id);
            follows.orders.push(Expected::Removed(id));
        }
        for call in follows.broken.drain(..) {
            self.turns.broken(call);
        }
        for (call, slot, result) in follows.settled.drain(..) {
            self.turns.settled(call, slot, result);
        }
    }

    fn ids(&self) -> Vec<SlotId> {
        self.slots.keys().copied().collect()
    }
}
