//! What a careful reader of the rules notes of one slot while inputs go by. Written apart from the core: flags and dates
//! instead of phases. Never looks into the core.

use rewake_core::{CallId, Command, ExitStatus, Fact, Failure, Policy, ReloadFailure, RunId, SlotId, Time, Wanted};

use super::book::{Expected, Follows, News};
use super::heir_book::{Claim, Heir, Must, Trial};
use super::restart::{History, Next};
use super::run_book::RunBook;

/// One slot as it ought to be.
#[derive(Debug, Clone)]
pub struct SlotBook {
    pub app: String,
    pub policy: Policy,
    pub wanted: Wanted,
    pub run: Option<RunBook>,
    /// The run that is to replace it.
    pub heir: Option<Heir>,
    /// The run that was replaced, or was to replace it and will not.
    pub leaver: Option<RunBook>,
    pub rest: Rest,
    pub restarts: u32,
    /// Runs below this are on their way out.
    pub oldest: Option<RunId>,
    /// The run that has yet to get its number will be that.
    pub(super) next_is_oldest: bool,
    /// Reloads that have begun with it.
    pub claims: Vec<Claim>,
    /// Somebody waits for it to be down, so it must be that once.
    pub(super) must_go_down: bool,
    pub(super) history: History,
}

/// What a slot without a run is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    Stopped,
    Errored,
    Waiting { until: Time },
}

/// What a slot needs to know to write down what follows.
pub(super) struct Hand<'a> {
    pub(super) now: Time,
    pub(super) id: SlotId,
    pub(super) closing: bool,
    pub(super) follows: &'a mut Follows,
}

impl Hand<'_> {
    pub(super) fn order(&mut self, order: Expected) {
        self.follows.orders.push(order);
    }

    pub(super) fn news(&mut self, news: News) {
        self.follows.news.push((self.id, news));
    }

    pub(super) fn settled(&mut self, call: CallId, result: Result<(), Failure>) {
        self.follows.settled.push((call, self.id, result));
    }
}

impl SlotBook {
    /// A slot that is stopped.
    #[must_use]
    pub fn new(app: &str, policy: Policy, wanted: Wanted, restarts: u32) -> Self {
        Self {
            app: app.into(),
            policy,
            wanted,
            run: None,
            heir: None,
            leaver: None,
            rest: Rest::Stopped,
            restarts,
            oldest: None,
            next_is_oldest: false,
            claims: Vec::new(),
            must_go_down: false,
            history: History::default(),
        }
    }

    /// All its runs.
    pub fn runs(&self) -> impl Iterator<Item = &RunBook> {
        self.run.iter().chain(self.heir.as_ref().map(|heir| &heir.run)).chain(&self.leaver)
    }

    /// The one that the core has yet to give a number.
    pub(super) fn unnumbered(&mut self) -> Option<&mut RunBook> {
        let heir = self.heir.as_mut().map(|heir| &mut heir.run);
        self.run.iter_mut().chain(heir).find(|run| run.id.is_none())
    }

    /// How many others it may have when it gets a new run.
    pub(super) fn room_for_others(&mut self) -> usize {
        if self.unnumbered().is_none() { 0 } else { self.runs().count() - 1 }
    }

    /// The run that is up.
    #[must_use]
    pub fn online_since(&self) -> Option<Time> {
        self.run.as_ref().filter(|run| !run.leaves()).and_then(|run| run.online)
    }

    pub(super) fn command(&mut self, command: &Command, hand: &mut Hand<'_>) {
        let gone = self.wanted == Wanted::Gone;
        match command {
            Command::Delete { .. } => {
                self.wanted = Wanted::Gone;
                self.overtaken(hand);
                self.take_down(hand);
            }
            Command::Retire { .. } => {
                self.wanted = Wanted::Gone;
                self.overtaken(hand);
                self.retire(hand);
            }
            Command::Shutdown => {
                self.overtaken(hand);
                self.take_down(hand);
            }
            Command::Stop { .. } if !gone => {
                self.wanted = Wanted::Down;
                self.overtaken(hand);
                self.take_down(hand);
                self.must_go_down = self.run.as_ref().is_some_and(|run| !run.given_up);
            }
            Command::Start { .. } if !gone && !hand.closing => self.start(hand),
            Command::Restart { .. } if !gone && !hand.closing => self.restart(hand),
            Command::Reset { .. } if !gone => {
                self.restarts = 0;
                self.history = History::default();
            }
            Command::Signal { signal, .. } if !gone => {
                if let Some(run) = self.run.as_ref().filter(|run| run.born.is_some() && run.exit.is_none()) {
                    hand.order(Expected::Signal { run: run.number(), signal: *signal, tree: false });
                }
            }
            // Its slots take turns; see `Book`.
            Command::Reload { .. }
            | Command::Start { .. }
            | Command::Restart { .. }
            | Command::Stop { .. }
            | Command::Reset { .. }
            | Command::Signal { .. } => {}
        }
    }

    /// A command wants it down.
    fn overtaken(&mut self, hand: &mut Hand<'_>) {
        hand.news(News::TakenDown);
        let why = if hand.closing && self.wanted != Wanted::Gone { Failure::ShuttingDown } else { Failure::Superseded };
        self.fail_claims(why, hand);
    }

    pub(super) fn start(&mut self, hand: &mut Hand<'_>) {
        self.wanted = Wanted::Up;
        match &mut self.run {
            None => {
                self.history = History::default();
                self.spawn(hand);
            }
            // What is on its way out is followed by a new run, whatever the policy says of how it ended.
            Some(run) if run.leaves() => {
                run.ordered = true;
                run.ask_once(&self.policy, hand);
            }
            Some(_) => {}
        }
    }

    pub(super) fn restart(&mut self, hand: &mut Hand<'_>) {
        self.wanted = Wanted::Up;
        self.history = History::default();
        self.fail_reloads(Failure::Superseded, hand);
        self.dismiss(hand);
        let Some(run) = &mut self.run else {
            self.spawn(hand);
            return;
        };
        run.ordered = true;
        if run.born.is_some() {
            if !run.leaves() {
                self.restarts = self.restarts.saturating_add(1);
                self.went_down();
            }
            if let Some(run) = &mut self.run {
                run.ask_once(&self.policy, hand);
            }
        }
    }

    fn take_down(&mut self, hand: &mut Hand<'_>) {
        self.dismiss(hand);
        if self.run.is_none() {
            self.rest = Rest::Stopped;
            self.fold(hand);
        }
        if let Some(run) = &mut self.run {
            run.ordered = true;
            if run.born.is_some() {
                run.ask_once(&self.policy, hand);
            }
        }
    }

    fn retire(&mut self, hand: &mut Hand<'_>) {
        if self.run.as_ref().is_some_and(|run| run.leaves() && !run.given_up) {
            return;
        }
        if self.online_since().is_some() {
            if self.heir.is_some() {
                self.dismiss(hand);
            }
            if let Some(run) = &mut self.run {
                run.ordered = true;
                run.let_go(&self.policy, hand);
            }
        } else {
            self.take_down(hand);
        }
    }

    pub(super) fn fact(&mut self, fact: Fact, hand: &mut Hand<'_>) {
        if self.run.as_ref().is_none_or(|run| run.id != Some(fact.run())) {
            return self.second_fact(fact, hand);
        }
        let Some(run) = &mut self.run else {
            return;
        };
        match fact {
            Fact::Spawned { .. } if run.born.is_none() => self.born(false, hand),
            Fact::SpawnFailed { retry, .. } if run.born.is_none() => self.stillborn(retry, hand),
            Fact::Exited { status, tree_gone, .. } if run.exit.is_none() => self.exited(status, tree_gone, hand),
            Fact::TreeGone { .. } if run.exit.is_some() => self.ended(hand),
            Fact::Ready { .. } if run.ready_by.is_some() && run.must == Must::SayReady => self.online(hand),
            Fact::Listening { .. } if run.born.is_some() => {
                run.listened = true;
                if run.ready_by.is_some() && run.must == Must::Listen {
                    self.online(hand);
                }
            }
            Fact::Drained { .. } => run.drained(&self.policy, hand),
            Fact::ShutdownUndeliverable { .. } => run.undeliverable(&self.policy, hand),
            Fact::Spawned { .. }
            | Fact::SpawnFailed { .. }
            | Fact::Exited { .. }
            | Fact::TreeGone { .. }
            | Fact::Listening { .. }
            | Fact::Ready { .. } => {}
        }
    }

    /// A process is to be made for it.
    pub(super) fn spawn(&mut self, hand: &mut Hand<'_>) {
        self.run = Some(RunBook::unnumbered());
        if self.leaver.is_some() {
            self.next_is_oldest = true;
            hand.follows.save_due.push(hand.id);
        }
        hand.order(Expected::Spawn(hand.id));
    }

    /// It exists. `dead`: but no more.
    fn born(&mut self, dead: bool, hand: &mut Hand<'_>) {
        let unwanted = hand.closing || self.wanted != Wanted::Up;
        let Some(run) = &mut self.run else {
            return;
        };
        run.born = Some(hand.now);
        if run.ordered || unwanted {
            run.ordered = true;
            run.ask(&self.policy, hand);
        } else if dead {
            // It was never up.
        } else if let Some(old_listened) = run.left_alone {
            run.on_trial(Trial::of(&self.policy, hand.now), old_listened);
        } else if self.policy.wait_ready {
            run.ready_by = Some(hand.now + self.policy.ready_timeout);
        } else {
            self.online(hand);
        }
    }

    pub(super) fn online(&mut self, hand: &mut Hand<'_>) {
        if let Some(run) = &mut self.run {
            run.online = Some(hand.now);
            run.ready_by = None;
            hand.order(Expected::Online(run.number()));
            hand.order(Expected::Serve(hand.id, run.number()));
            self.came_up(hand);
        }
    }

    fn stillborn(&mut self, may_pass: bool, hand: &mut Hand<'_>) {
        let Some(run) = self.run.take() else {
            return;
        };
        hand.order(Expected::Release(run.number()));
        self.rest = Rest::Stopped;
        let wanted = !hand.closing && self.wanted == Wanted::Up;
        if wanted && !run.ordered {
            hand.news(News::SpawnFailed);
        }
        if !wanted || !run.ordered {
            self.failed_alone(run.number(), ReloadFailure::SpawnFailed, hand);
            self.fail_claims(Failure::SpawnFailed, hand);
        }
        if self.fold(hand) {
            return;
        }
        self.must_go_down = false;
        if !wanted {
            return;
        }
        if run.ordered {
            self.spawn(hand);
        } else {
            let next = self.history.after_failed_spawn(&self.policy, may_pass);
            self.follow(next, hand);
        }
    }

    fn exited(&mut self, status: ExitStatus, tree_gone: bool, hand: &mut Hand<'_>) {
        if self.run.as_ref().is_some_and(|run| run.born.is_none()) {
            self.born(true, hand);
        }
        let Some(run) = &mut self.run else {
            return;
        };
        run.ended(status, hand);
        if !run.leaves() {
            hand.news(News::Crashed(run.number()));
            if self.heir.is_some() {
                return self.left_to_the_heir(tree_gone, hand);
            }
            let exit = self.exit_of_the_run(hand);
            let was_up = self.online_since().is_some();
            let why = if was_up { ReloadFailure::DiedInSoak(exit) } else { ReloadFailure::Exited(exit) };
            self.failed_alone(exit.run, why, hand);
            if was_up && is_done(&self.policy, status) {
                self.task_done(hand);
            }
            self.fail_claims(Failure::ExitedEarly(exit), hand);
        }
        if tree_gone {
            self.ended(hand);
        } else if let Some(run) = &mut self.run {
            run.clean_up(&self.policy, hand);
        }
    }

    /// Nothing of the run is left, or nothing that could be ended.
    fn ended(&mut self, hand: &mut Hand<'_>) {
        let Some(run) = self.run.take() else {
            return;
        };
        hand.order(Expected::Release(run.number()));
        self.rest = Rest::Stopped;
        if self.fold(hand) {
            return;
        }
        self.must_go_down = false;
        if hand.closing || self.wanted != Wanted::Up {
            return;
        }
        match run.exit {
            Some((status, lived)) if !run.ordered => {
                let next = self.history.after_crash(&self.policy, status, lived);
                self.follow(next, hand);
            }
            Some(_) | None => self.spawn(hand),
        }
    }

    fn follow(&mut self, next: Next, hand: &mut Hand<'_>) {
        match next {
            Next::Stopped => {
                self.wanted = Wanted::Down;
                self.fold(hand);
            }
            Next::Errored => self.rest = Rest::Errored,
            Next::Again(0) => self.again(hand),
            Next::Again(delay) => self.rest = Rest::Waiting { until: hand.now + delay },
        }
    }

    fn again(&mut self, hand: &mut Hand<'_>) {
        self.restarts = self.restarts.saturating_add(1);
        self.rest = Rest::Stopped;
        self.spawn(hand);
    }

    pub(super) fn tick(&mut self, hand: &mut Hand<'_>) {
        self.settle_claims(hand);
        let now = hand.now;
        let due = |at: Option<Time>| at.is_some_and(|at| at <= now);
        loop {
            if due(self.own_due()) {
                self.own_tick(hand);
            } else if due(self.second_due()) {
                self.second_tick(hand);
            } else {
                return;
            }
        }
    }

    fn own_tick(&mut self, hand: &mut Hand<'_>) {
        let Some(run) = &mut self.run else {
            return self.again(hand);
        };
        if run.ready_by.is_some() {
            if !run.may_grow && !self.policy.accept_unready {
                let run = run.number();
                self.failed_alone(run, ReloadFailure::NotReady, hand);
            }
            self.online(hand);
        } else if run.harder(&self.policy, hand) {
            if run.exit.is_some() {
                self.ended(hand);
            } else {
                self.nothing_helps(hand);
            }
        }
    }

    /// SIGKILL does not end its process: whoever waits is told.
    pub(super) fn nothing_helps(&mut self, hand: &mut Hand<'_>) {
        self.must_go_down = false;
        hand.news(News::CannotBeKilled);
        self.fail_claims(Failure::CannotBeKilled, hand);
    }

    fn own_due(&self) -> Option<Time> {
        match (&self.run, self.rest) {
            (None, Rest::Waiting { until }) => Some(until),
            (None, Rest::Stopped | Rest::Errored) => None,
            (Some(run), _) => run.end_due().or(run.ready_by),
        }
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.own_due().into_iter().chain(self.second_due()).min()
    }
}

/// Whether it was meant to end like this.
fn is_done(policy: &Policy, status: ExitStatus) -> bool {
    match status {
        ExitStatus::Code(code) => policy.stop_exit_codes.contains(&code) || (code == 0 && !policy.autorestart),
        ExitStatus::Signal(_) | ExitStatus::Unknown => false,
    }
}
