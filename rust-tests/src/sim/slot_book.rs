//! What a careful reader of the rules notes of one slot while inputs go by. Written apart from the core: flags and dates
//! instead of phases. Never looks into the core.

use rewake_core::{Command, ExitStatus, Fact, Policy, RunId, SlotId, StopWith, Time, Wanted};

use super::book::{Expected, Follows, News};
use super::restart::{History, Next};

const SIGINT: i32 = 2;
const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;
/// How long SIGKILL may take at least before the core may say that it does not help, ms.
const SIGKILL_PATIENCE: u64 = 2000;

/// One slot as it ought to be.
#[derive(Debug, Clone)]
pub struct SlotBook {
    pub policy: Policy,
    pub wanted: Wanted,
    pub run: Option<RunBook>,
    pub rest: Rest,
    pub restarts: u32,
    history: History,
}

/// What a slot without a run is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    Stopped,
    Errored,
    Waiting { until: Time },
}

/// One run as far as it was reported.
#[derive(Debug, Clone)]
pub struct RunBook {
    pub id: RunId,
    pub born: Option<Time>,
    pub online: Option<Time>,
    pub ready_by: Option<Time>,
    /// Something asked for its end or its replacement: what follows is not the policy's to say.
    pub ordered: bool,
    pub kill_at: Option<Time>,
    pub give_up_at: Option<Time>,
    pub given_up: bool,
    pub exit: Option<(ExitStatus, u64)>,
}

/// What a slot needs to know to write down what follows.
pub(super) struct Hand<'a> {
    pub(super) now: Time,
    pub(super) id: SlotId,
    pub(super) closing: bool,
    pub(super) follows: &'a mut Follows,
}

impl Hand<'_> {
    fn order(&mut self, order: Expected) {
        self.follows.orders.push(order);
    }

    fn news(&mut self, news: News) {
        self.follows.news.push((self.id, news));
    }
}

impl SlotBook {
    /// A slot that is stopped.
    #[must_use]
    pub fn new(policy: Policy, wanted: Wanted, restarts: u32) -> Self {
        Self { policy, wanted, run: None, rest: Rest::Stopped, restarts, history: History::default() }
    }

    /// The run that is up.
    #[must_use]
    pub fn online_since(&self) -> Option<Time> {
        self.run.as_ref().filter(|run| run.kill_at.is_none()).and_then(|run| run.online)
    }

    pub(super) fn command(&mut self, command: &Command, hand: &mut Hand<'_>) {
        let gone = self.wanted == Wanted::Gone;
        match command {
            Command::Delete { .. } => {
                self.wanted = Wanted::Gone;
                hand.news(News::TakenDown);
                self.take_down(hand);
            }
            Command::Shutdown => {
                hand.news(News::TakenDown);
                self.take_down(hand);
            }
            Command::Stop { .. } if !gone => {
                self.wanted = Wanted::Down;
                hand.news(News::TakenDown);
                self.take_down(hand);
            }
            Command::Start { .. } if !gone && !hand.closing => self.start(hand),
            Command::Restart { .. } if !gone && !hand.closing => self.restart(hand),
            Command::Reset { .. } if !gone => {
                self.restarts = 0;
                self.history = History::default();
            }
            Command::Signal { signal, .. } if !gone => {
                if let Some(run) = self.run.as_ref().filter(|run| run.born.is_some() && run.exit.is_none()) {
                    hand.order(Expected::Signal { run: run.id, signal: *signal, tree: false });
                }
            }
            Command::Start { .. }
            | Command::Restart { .. }
            | Command::Stop { .. }
            | Command::Reset { .. }
            | Command::Signal { .. } => {}
        }
    }

    fn start(&mut self, hand: &mut Hand<'_>) {
        self.wanted = Wanted::Up;
        match &mut self.run {
            None => {
                self.history = History::default();
                hand.order(Expected::Spawn(hand.id));
            }
            // What is on its way out is followed by a new run, whatever the policy says of how it ended.
            Some(run) => run.ordered |= run.kill_at.is_some(),
        }
    }

    fn restart(&mut self, hand: &mut Hand<'_>) {
        self.wanted = Wanted::Up;
        self.history = History::default();
        match &mut self.run {
            None => hand.order(Expected::Spawn(hand.id)),
            Some(run) => {
                run.ordered = true;
                if run.born.is_some() && run.kill_at.is_none() {
                    self.restarts = self.restarts.saturating_add(1);
                    self.ask(hand);
                }
            }
        }
    }

    fn take_down(&mut self, hand: &mut Hand<'_>) {
        match &mut self.run {
            None => self.rest = Rest::Stopped,
            Some(run) if run.born.is_none() => run.ordered = true,
            Some(run) if run.kill_at.is_none() => {
                run.ordered = true;
                self.ask(hand);
            }
            Some(_) => {}
        }
    }

    /// Its process is to end: politely now, by SIGKILL after `kill_timeout`.
    fn ask(&mut self, hand: &mut Hand<'_>) {
        let Some(run) = &mut self.run else {
            return;
        };
        run.kill_at = Some(hand.now + self.policy.kill_timeout);
        run.ready_by = None;
        hand.order(match self.policy.stop_with {
            StopWith::Signal(signal) => Expected::Signal { run: run.id, signal, tree: self.policy.treekill },
            StopWith::Message => Expected::SendShutdown(run.id),
        });
    }

    pub(super) fn fact(&mut self, fact: Fact, hand: &mut Hand<'_>) {
        let Some(run) = &mut self.run else {
            return;
        };
        match fact {
            Fact::Spawned { .. } if run.born.is_none() => self.born(hand),
            Fact::SpawnFailed { retry, .. } if run.born.is_none() => self.stillborn(retry, hand),
            Fact::Exited { status, tree_gone, .. } if run.exit.is_none() => self.exited(status, tree_gone, hand),
            Fact::TreeGone { .. } if run.exit.is_some() => self.ended(hand),
            Fact::Ready { .. } if run.ready_by.is_some() => self.online(hand),
            Fact::ShutdownUndeliverable { .. }
                if run.kill_at.is_some() && run.give_up_at.is_none() && run.exit.is_none() =>
            {
                hand.order(Expected::Signal { run: run.id, signal: SIGINT, tree: self.policy.treekill });
            }
            Fact::Spawned { .. }
            | Fact::SpawnFailed { .. }
            | Fact::Exited { .. }
            | Fact::TreeGone { .. }
            | Fact::Ready { .. }
            | Fact::ShutdownUndeliverable { .. } => {}
        }
    }

    fn born(&mut self, hand: &mut Hand<'_>) {
        let Some(run) = &mut self.run else {
            return;
        };
        run.born = Some(hand.now);
        if run.ordered || hand.closing || self.wanted != Wanted::Up {
            run.ordered = true;
            self.ask(hand);
        } else if self.policy.wait_ready {
            run.ready_by = Some(hand.now + self.policy.ready_timeout);
        } else {
            self.online(hand);
        }
    }

    fn online(&mut self, hand: &mut Hand<'_>) {
        if let Some(run) = &mut self.run {
            run.online = Some(hand.now);
            run.ready_by = None;
            hand.order(Expected::Online(run.id));
        }
    }

    fn stillborn(&mut self, may_pass: bool, hand: &mut Hand<'_>) {
        let Some(run) = self.run.take() else {
            return;
        };
        hand.order(Expected::Release(run.id));
        self.rest = Rest::Stopped;
        if hand.closing || self.wanted != Wanted::Up {
            return;
        }
        if run.ordered {
            hand.order(Expected::Spawn(hand.id));
        } else {
            hand.news(News::SpawnFailed);
            let next = self.history.after_failed_spawn(&self.policy, may_pass);
            self.follow(next, hand);
        }
    }

    fn exited(&mut self, status: ExitStatus, tree_gone: bool, hand: &mut Hand<'_>) {
        if self.run.as_ref().is_some_and(|run| run.born.is_none()) {
            self.born(hand);
        }
        let Some(run) = &mut self.run else {
            return;
        };
        let lived = run.born.map_or(0, |born| hand.now - born);
        run.exit = Some((status, lived));
        run.ready_by = None;
        hand.order(Expected::Exit(run.id, status));
        if run.kill_at.is_none() {
            hand.news(News::Crashed(run.id));
        }
        if tree_gone {
            self.ended(hand);
            return;
        }
        let patience = self.policy.kill_timeout;
        let signal = if run.give_up_at.is_some() {
            // SIGKILL again, for what the first one missed, with a time of its own.
            run.give_up_at = Some(hand.now + patience.max(SIGKILL_PATIENCE));
            run.given_up = false;
            SIGKILL
        } else {
            run.kill_at.get_or_insert(hand.now + patience);
            SIGTERM
        };
        hand.order(Expected::Signal { run: run.id, signal, tree: true });
    }

    /// Nothing of the run is left, or nothing that could be ended.
    fn ended(&mut self, hand: &mut Hand<'_>) {
        let Some(run) = self.run.take() else {
            return;
        };
        hand.order(Expected::Release(run.id));
        self.rest = Rest::Stopped;
        if hand.closing || self.wanted != Wanted::Up {
            return;
        }
        match run.exit {
            Some((status, lived)) if !run.ordered => {
                let next = self.history.after_crash(&self.policy, status, lived);
                self.follow(next, hand);
            }
            Some(_) | None => hand.order(Expected::Spawn(hand.id)),
        }
    }

    fn follow(&mut self, next: Next, hand: &mut Hand<'_>) {
        match next {
            Next::Stopped => self.wanted = Wanted::Down,
            Next::Errored => self.rest = Rest::Errored,
            Next::Again(0) => self.again(hand),
            Next::Again(delay) => self.rest = Rest::Waiting { until: hand.now + delay },
        }
    }

    fn again(&mut self, hand: &mut Hand<'_>) {
        self.restarts = self.restarts.saturating_add(1);
        self.rest = Rest::Stopped;
        hand.order(Expected::Spawn(hand.id));
    }

    pub(super) fn tick(&mut self, hand: &mut Hand<'_>) {
        let due = |at: Option<Time>| at.is_some_and(|at| at <= hand.now);
        let Some(run) = &mut self.run else {
            if matches!(self.rest, Rest::Waiting { until } if until <= hand.now) {
                self.again(hand);
            }
            return;
        };
        if due(run.ready_by) {
            self.online(hand);
        } else if run.give_up_at.is_none() && due(run.kill_at) {
            run.give_up_at = Some(hand.now + self.policy.kill_timeout.max(SIGKILL_PATIENCE));
            // The process itself may be gone: then it is the rest that is to end.
            let tree = self.policy.treekill || run.exit.is_some();
            hand.order(Expected::Signal { run: run.id, signal: SIGKILL, tree });
        } else if !run.given_up && due(run.give_up_at) {
            run.given_up = true;
            hand.order(Expected::CannotBeKilled(run.id));
            if run.exit.is_some() {
                self.ended(hand);
            } else {
                hand.news(News::CannotBeKilled);
            }
        }
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        match (&self.run, self.rest) {
            (None, Rest::Waiting { until }) => Some(until),
            (None, Rest::Stopped | Rest::Errored) => None,
            (Some(run), _) if run.given_up => None,
            (Some(run), _) => run.give_up_at.or(run.kill_at).or(run.ready_by),
        }
    }
}

impl RunBook {
    pub(super) fn new(id: RunId) -> Self {
        Self {
            id,
            born: None,
            online: None,
            ready_by: None,
            ordered: false,
            kill_at: None,
            give_up_at: None,
            given_up: false,
            exit: None,
        }
    }
}
