//! What a reader of the rules notes of a slot's reload: the run that is to replace its own, the one that was replaced, and who
//! waits for it. Never looks into the core.

use rewake_core::{CallId, Exit, ExitStatus, Fact, Failure, Policy, ReloadFailure, RunId, Time, Wanted};

use super::book::Expected;
use super::restart::History;
use super::run_book::RunBook;
use super::slot_book::{Hand, SlotBook};
use super::turns::{Spared, Stood};

/// A run that is to replace its slot's own.
#[derive(Debug, Clone)]
pub struct Heir {
    pub run: RunBook,
    /// How long it must live after it was ready.
    pub soak: u64,
    /// What it must do, once it is born.
    pub trial: Option<Trial>,
    pub soaked: Option<Time>,
}

/// What the new run of a reload must do.
#[derive(Debug, Clone, Copy)]
pub struct Trial {
    pub must: Must,
    /// It must do so until then.
    pub by: Time,
    /// It has lived for `min_uptime`.
    pub grown: Time,
}

/// What makes an heir ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Must {
    SayReady,
    Listen,
    Live,
}

/// A reload that has begun with a slot.
#[derive(Debug, Clone)]
pub struct Claim {
    pub call: CallId,
    pub waits: Waits,
}

/// What a reload waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    /// The new run in its place and the old one gone.
    Rolling { failed: Option<ReloadFailure> },
    /// The slot up for so long; known until when once it is up.
    Up { settle: u64, until: Option<Time> },
    /// The new run, which the old one has left the slot to, ready and living on for so long.
    Alone { soak: u64, until: Option<Time> },
}

impl Trial {
    pub(super) fn of(policy: &Policy, born: Time) -> Self {
        let must = match () {
            () if policy.wait_ready => Must::SayReady,
            () if policy.listens => Must::Listen,
            () => Must::Live,
        };
        Self { must, by: born + policy.ready_timeout, grown: born + policy.min_uptime }
    }

    /// Whether it is enough to live for `min_uptime`.
    fn may_grow(self, old_listened: bool) -> bool {
        self.must == Must::Live || (self.must == Must::Listen && !old_listened)
    }

    /// When it is over.
    fn ends(self, old_listened: bool) -> Time {
        if self.may_grow(old_listened) { self.grown } else { self.by }
    }
}

impl RunBook {
    /// Its slot's reload has left it alone: it has yet to be ready, as it would have had beside the old run.
    pub(super) fn on_trial(&mut self, trial: Trial, old_listened: bool) {
        self.must = trial.must;
        self.may_grow = trial.may_grow(old_listened);
        self.ready_by = Some(trial.ends(old_listened));
    }
}

impl SlotBook {
    /// Whether a reload can begin with it.
    #[must_use]
    pub fn is_free(&self) -> bool {
        let alone = |claim: &Claim| matches!(claim.waits, Waits::Alone { .. });
        self.heir.is_none()
            && !self.claims.iter().any(alone)
            && self.leaver.as_ref().is_none_or(|leaver| leaver.given_up)
    }

    /// Its turn in a reload has come.
    pub(super) fn reload(&mut self, call: CallId, spared: Spared, hand: &mut Hand<'_>) {
        if self.leaver.is_some() {
            hand.settled(call, Err(Failure::CannotBeKilled));
            return;
        }
        if self.policy.rolling && self.online_since().is_some() {
            self.wanted = Wanted::Up;
            let run = RunBook::unnumbered();
            let soak = if spared.soak { 0 } else { self.policy.reload_soak };
            self.heir = Some(Heir { run, soak, trial: None, soaked: None });
            hand.order(Expected::Spawn(hand.id));
            self.claims.push(Claim { call, waits: Waits::Rolling { failed: None } });
            return;
        }
        if self.run.is_none() {
            self.start(hand);
        } else {
            self.restart(hand);
        }
        if self.run.as_ref().is_some_and(|run| run.given_up) {
            hand.settled(call, Err(Failure::CannotBeKilled));
        } else {
            let settle = if spared.settling { 0 } else { self.policy.reload_soak };
            let waits = Waits::Up { settle, until: None };
            self.claims.push(Claim { call, waits });
        }
    }

    pub(super) fn second_fact(&mut self, fact: Fact, hand: &mut Hand<'_>) {
        if let Some(leaver) = &mut self.leaver {
            match fact {
                Fact::Spawned { .. } if leaver.born.is_none() => {
                    leaver.born = Some(hand.now);
                    leaver.ask(&self.policy, hand);
                }
                Fact::SpawnFailed { .. } if leaver.born.is_none() => self.leaver_gone(hand),
                Fact::Exited { status, tree_gone, .. } if leaver.exit.is_none() => {
                    if leaver.born.is_none() {
                        leaver.born = Some(hand.now);
                        leaver.ask(&self.policy, hand);
                    }
                    leaver.ended(status, hand);
                    if tree_gone { self.leaver_gone(hand) } else { leaver.clean_up(&self.policy, hand) }
                }
                Fact::TreeGone { .. } if leaver.exit.is_some() => self.leaver_gone(hand),
                Fact::Drained { .. } => leaver.drained(&self.policy, hand),
                Fact::ShutdownUndeliverable { .. } => leaver.undeliverable(&self.policy, hand),
                Fact::Spawned { .. }
                | Fact::SpawnFailed { .. }
                | Fact::Exited { .. }
                | Fact::TreeGone { .. }
                | Fact::Ready { .. }
                | Fact::Listening { .. } => {}
            }
        }
        if let Some(heir) = &mut self.heir {
            let must = heir.trial.filter(|_| heir.soaked.is_none()).map(|trial| trial.must);
            match fact {
                Fact::Spawned { .. } if heir.run.born.is_none() => self.heir_born(hand),
                Fact::SpawnFailed { .. } if heir.run.born.is_none() => {
                    let run = heir.run.number();
                    hand.order(Expected::Release(run));
                    self.heir = None;
                    self.heir_failed(run, ReloadFailure::SpawnFailed, hand);
                }
                Fact::Exited { status, tree_gone, .. } => self.heir_died(status, tree_gone, hand),
                Fact::Ready { .. } if must == Some(Must::SayReady) => self.heir_ready(hand),
                Fact::Listening { .. } if heir.run.born.is_some() => {
                    heir.run.listened = true;
                    if must == Some(Must::Listen) {
                        self.heir_ready(hand);
                    }
                }
                Fact::Spawned { .. }
                | Fact::SpawnFailed { .. }
                | Fact::TreeGone { .. }
                | Fact::Ready { .. }
                | Fact::Listening { .. }
                | Fact::Drained { .. }
                | Fact::ShutdownUndeliverable { .. } => {}
            }
        }
    }

    fn heir_born(&mut self, hand: &mut Hand<'_>) {
        if let Some(heir) = &mut self.heir {
            heir.run.born = Some(hand.now);
            heir.trial = Some(Trial::of(&self.policy, hand.now));
        }
    }

    fn heir_ready(&mut self, hand: &mut Hand<'_>) {
        match &mut self.heir {
            Some(heir) if heir.soak > 0 => heir.soaked = Some(hand.now + heir.soak),
            Some(_) | None => self.replace(hand),
        }
    }

    /// The new run takes the place of the old one.
    fn replace(&mut self, hand: &mut Hand<'_>) {
        let (Some(heir), Some(mut old)) = (self.heir.take(), self.run.take()) else {
            return;
        };
        self.restarts = self.restarts.saturating_add(1);
        self.history = History::default();
        self.oldest = heir.run.id;
        hand.follows.save_due.push(hand.id);
        self.run = Some(heir.run);
        self.online(hand);
        for claim in self.claims.iter().filter(|claim| matches!(claim.waits, Waits::Rolling { .. })) {
            hand.follows.stood.push((claim.call, Stood::TookOver));
        }
        old.ordered = true;
        old.let_go(&self.policy, hand);
        self.leaver = Some(old);
    }

    /// It will not take the place of the old one. What is left of it was noted before.
    fn heir_failed(&mut self, run: RunId, why: ReloadFailure, hand: &mut Hand<'_>) {
        hand.order(Expected::ReloadFailed { run, alone: false });
        for claim in &mut self.claims {
            if let Waits::Rolling { failed } = &mut claim.waits {
                *failed = Some(why);
                hand.follows.broken.push(claim.call);
            }
        }
        if self.leaver.is_none() {
            self.rolling_over(Ok(()), hand);
        }
    }

    fn heir_died(&mut self, status: ExitStatus, tree_gone: bool, hand: &mut Hand<'_>) {
        if self.heir.as_ref().is_some_and(|heir| heir.run.born.is_none()) {
            self.heir_born(hand);
        }
        let Some(mut heir) = self.heir.take() else {
            return;
        };
        heir.run.ended(status, hand);
        let (run, exit) = (heir.run.number(), exit_of(&heir.run, hand));
        if tree_gone {
            hand.order(Expected::Release(heir.run.number()));
        } else {
            heir.run.clean_up(&self.policy, hand);
            self.leaver = Some(heir.run);
        }
        let why = if heir.soaked.is_some() { ReloadFailure::DiedInSoak(exit) } else { ReloadFailure::Exited(exit) };
        self.heir_failed(run, why, hand);
    }

    /// The old run has ended by itself: the heir is the slot's own run, ready or not.
    pub(super) fn left_to_the_heir(&mut self, tree_gone: bool, hand: &mut Hand<'_>) {
        let (Some(heir), Some(mut old)) = (self.heir.take(), self.run.take()) else {
            return;
        };
        let (exit, old_listened) = (exit_of(&old, hand), old.listened);
        if tree_gone {
            hand.order(Expected::Release(old.number()));
        } else {
            old.ordered = true;
            old.clean_up(&self.policy, hand);
            self.leaver = Some(old);
        }
        self.fail_up(Failure::ExitedEarly(exit), hand);
        self.restarts = self.restarts.saturating_add(1);
        self.history = History::default();
        self.oldest = heir.run.id;
        hand.follows.save_due.push(hand.id);
        for claim in &mut self.claims {
            claim.waits = Waits::Alone { soak: heir.soak, until: None };
        }
        let run = self.run.insert(heir.run);
        match (heir.trial, heir.soaked) {
            (None, _) => run.left_alone = Some(old_listened),
            (Some(trial), None) => run.on_trial(trial, old_listened),
            (Some(_), Some(soaked)) => {
                self.online(hand);
                for claim in &mut self.claims {
                    if let Waits::Alone { until, .. } = &mut claim.waits {
                        *until = Some(soaked);
                    }
                }
            }
        }
    }

    /// The run that the slot was left to is no good.
    pub(super) fn failed_alone(&mut self, run: RunId, why: ReloadFailure, hand: &mut Hand<'_>) {
        let failure = Failure::ReloadFailed { why, alone: true };
        if self.claims.iter().any(|claim| matches!(claim.waits, Waits::Alone { .. })) {
            hand.order(Expected::ReloadFailed { run, alone: true });
        }
        self.settle(|waits| matches!(waits, Waits::Alone { .. }), |_| Err(failure), hand);
    }

    /// What is beside the slot's own run is to end, without taking its time.
    pub(super) fn dismiss(&mut self, hand: &mut Hand<'_>) {
        if let Some(heir) = self.heir.take() {
            self.leaver = Some(heir.run);
        }
        if let Some(leaver) = &mut self.leaver {
            leaver.ordered = true;
            if leaver.born.is_some() {
                leaver.ask_once(&self.policy, hand);
            }
        }
    }

    /// A slot that is to be down is down when the other run is gone, too. `true`: it has one.
    pub(super) fn fold(&mut self, hand: &mut Hand<'_>) -> bool {
        let goes_down = hand.closing || self.wanted != Wanted::Up || self.must_go_down;
        if !goes_down || self.leaver.is_none() {
            return false;
        }
        self.run = self.leaver.take();
        if let Some(run) = &mut self.run {
            run.ordered = true;
            if run.given_up {
                self.nothing_helps(hand);
            }
        }
        true
    }

    fn leaver_gone(&mut self, hand: &mut Hand<'_>) {
        if let Some(leaver) = self.leaver.take() {
            hand.order(Expected::Release(leaver.number()));
            hand.follows.beside.push(leaver.number());
            self.rolling_over(Ok(()), hand);
        }
    }

    pub(super) fn second_due(&self) -> Option<Time> {
        if let Some(leaver) = &self.leaver {
            return leaver.end_due();
        }
        let heir = self.heir.as_ref()?;
        let old_listened = self.run.as_ref().is_some_and(|run| run.listened);
        heir.soaked.or(heir.trial.map(|trial| trial.ends(old_listened)))
    }

    pub(super) fn second_tick(&mut self, hand: &mut Hand<'_>) {
        if let Some(leaver) = &mut self.leaver {
            if leaver.harder(&self.policy, hand) {
                if leaver.exit.is_some() {
                    self.leaver_gone(hand);
                } else {
                    self.rolling_over(Err(Failure::CannotBeKilled), hand);
                }
            }
            return;
        }
        let old_listened = self.run.as_ref().is_some_and(|run| run.listened);
        let Some(heir) = &mut self.heir else {
            return;
        };
        if heir.soaked.is_some() {
            self.replace(hand);
        } else if heir.trial.is_some_and(|trial| trial.may_grow(old_listened)) || self.policy.accept_unready {
            self.heir_ready(hand);
        } else if let Some(mut heir) = self.heir.take() {
            heir.run.ask(&self.policy, hand);
            let run = heir.run.number();
            self.leaver = Some(heir.run);
            self.heir_failed(run, ReloadFailure::NotReady, hand);
        }
    }

    pub(super) fn exit_of_the_run(&self, hand: &Hand<'_>) -> Exit {
        let none = RunBook::unnumbered();
        exit_of(self.run.as_ref().unwrap_or(&none), hand)
    }

    /// It is up: from now on it must stay so for those who want to see that.
    pub(super) fn came_up(&mut self, hand: &mut Hand<'_>) {
        for claim in &mut self.claims {
            if let Waits::Up { settle: time, until } | Waits::Alone { soak: time, until } = &mut claim.waits {
                *until = Some(hand.now + *time);
            }
        }
        self.settle_claims(hand);
    }

    /// It is on its way out: those who watched it wait for the next run.
    pub(super) fn went_down(&mut self) {
        for claim in &mut self.claims {
            if let Waits::Up { until, .. } = &mut claim.waits {
                *until = None;
            }
        }
    }

    pub(super) fn settle_claims(&mut self, hand: &mut Hand<'_>) {
        let now = hand.now;
        let due = |until: Option<Time>| until.is_some_and(|until| until <= now);
        let stood = |waits: Waits| match waits {
            Waits::Up { until, .. } => due(until).then_some(Stood::Started),
            Waits::Alone { until, .. } => due(until).then_some(Stood::TookOver),
            Waits::Rolling { .. } => None,
        };
        for claim in &self.claims {
            hand.follows.stood.extend(stood(claim.waits).map(|what| (claim.call, what)));
        }
        self.settle(|waits| stood(waits).is_some(), |_| Ok(()), hand);
    }

    /// What a reload has started, and has been up, has done all that it was to do.
    pub(super) fn task_done(&mut self, hand: &mut Hand<'_>) {
        self.settle(|waits| matches!(waits, Waits::Up { .. }), |_| Ok(()), hand);
    }

    pub(super) fn fail_claims(&mut self, failure: Failure, hand: &mut Hand<'_>) {
        self.fail_up(failure, hand);
        self.fail_reloads(failure, hand);
    }

    fn fail_up(&mut self, failure: Failure, hand: &mut Hand<'_>) {
        self.settle(|waits| matches!(waits, Waits::Up { .. }), |_| Err(failure), hand);
    }

    /// Another command wants another run: no reload goes on.
    pub(super) fn fail_reloads(&mut self, failure: Failure, hand: &mut Hand<'_>) {
        self.rolling_over(Err(failure), hand);
        self.settle(|waits| matches!(waits, Waits::Alone { .. }), |_| Err(failure), hand);
    }

    fn rolling_over(&mut self, result: Result<(), Failure>, hand: &mut Hand<'_>) {
        let answer = |waits| match waits {
            Waits::Rolling { failed: Some(why) } => Err(Failure::ReloadFailed { why, alone: false }),
            Waits::Rolling { failed: None } | Waits::Up { .. } | Waits::Alone { .. } => result,
        };
        self.settle(|waits| matches!(waits, Waits::Rolling { .. }), answer, hand);
    }

    fn settle(
        &mut self,
        pick: impl Fn(Waits) -> bool,
        answer: impl Fn(Waits) -> Result<(), Failure>,
        hand: &mut Hand<'_>,
    ) {
        self.claims.retain(|claim| {
            let picked = pick(claim.waits);
            if picked {
                hand.settled(claim.call, answer(claim.waits));
            }
            !picked
        });
    }
}

fn exit_of(run: &RunBook, hand: &Hand<'_>) -> Exit {
    let (status, lived) = run.exit.unwrap_or((ExitStatus::Unknown, 0));
    Exit { run: run.id.unwrap_or(RunId(u64::MAX)), status, at: hand.now, lived }
}
