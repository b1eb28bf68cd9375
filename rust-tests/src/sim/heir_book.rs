//! What a reader of the rules notes of a slot's reload: the run that is to replace its own, the one that was replaced, and who
//! waits for it. Never looks into the core.

use rewake_core::{CallId, Exit, ExitStatus, Fact, Failure, ReloadFailure, RunId, Time, Wanted};

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
    pub must: Must,
    /// What it must do it must do until then.
    pub by: Option<Time>,
    /// It has lived for `min_uptime`.
    pub grown: Option<Time>,
    pub soaked: Option<Time>,
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
}

impl SlotBook {
    /// Whether a reload can begin with it.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.heir.is_none() && self.leaver.as_ref().is_none_or(|leaver| leaver.given_up)
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
            self.heir = Some(Heir { run, soak, must: Must::Live, by: None, grown: None, soaked: None });
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
            let waits = heir.run.born.is_some() && heir.soaked.is_none();
            match fact {
                Fact::Spawned { .. } if heir.run.born.is_none() => self.heir_born(hand),
                Fact::SpawnFailed { .. } if heir.run.born.is_none() => {
                    hand.order(Expected::Release(heir.run.number()));
                    self.heir = None;
                    self.heir_failed(ReloadFailure::SpawnFailed, hand);
                }
                Fact::Exited { status, tree_gone, .. } => self.heir_died(status, tree_gone, hand),
                Fact::Ready { .. } if waits && heir.must == Must::SayReady => self.heir_ready(hand),
                Fact::Listening { .. } if heir.run.born.is_some() => {
                    heir.run.listened = true;
                    if waits && heir.must == Must::Listen {
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
        let policy = &self.policy;
        if let Some(heir) = &mut self.heir {
            heir.run.born = Some(hand.now);
            heir.must = match () {
                () if policy.wait_ready => Must::SayReady,
                () if policy.listens => Must::Listen,
                () => Must::Live,
            };
            heir.by = Some(hand.now + policy.ready_timeout);
            heir.grown = Some(hand.now + policy.min_uptime);
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
    fn heir_failed(&mut self, why: ReloadFailure, hand: &mut Hand<'_>) {
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
        let exit = exit_of(&heir.run, hand);
        if tree_gone {
            hand.order(Expected::Release(heir.run.number()));
        } else {
            heir.run.clean_up(&self.policy, hand);
            self.leaver = Some(heir.run);
        }
        let why = if heir.soaked.is_some() { ReloadFailure::DiedInSoak(exit) } else { ReloadFailure::Exited(exit) };
        self.heir_failed(why, hand);
    }

    /// The old run has ended by itself: the heir is the slot's own run, ready or not.
    pub(super) fn left_to_the_heir(&mut self, tree_gone: bool, hand: &mut Hand<'_>) {
        let (Some(heir), Some(mut old)) = (self.heir.take(), self.run.take()) else {
            return;
        };
        let exit = exit_of(&old, hand);
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
            claim.waits = Waits::Up { settle: heir.soak, until: None };
        }
        let says_ready = heir.must == Must::SayReady && heir.soaked.is_none();
        let born = heir.run.born.is_some();
        self.run = Some(RunBook { ready_by: heir.by.filter(|_| says_ready), ..heir.run });
        if born && !says_ready {
            self.online(hand);
        }
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
        heir.soaked.or(match heir.must {
            Must::SayReady => heir.by,
            Must::Listen if old_listened => heir.by,
            Must::Listen | Must::Live => heir.grown,
        })
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
        } else if heir.must == Must::Live || (heir.must == Must::Listen && !old_listened) || self.policy.accept_unready
        {
            self.heir_ready(hand);
        } else if let Some(mut heir) = self.heir.take() {
            heir.run.ask(&self.policy, hand);
            self.leaver = Some(heir.run);
            self.heir_failed(ReloadFailure::NotReady, hand);
        }
    }

    pub(super) fn exit_of_the_run(&self, hand: &Hand<'_>) -> Exit {
        let none = RunBook::unnumbered();
        exit_of(self.run.as_ref().unwrap_or(&none), hand)
    }

    /// It is up: from now on it must stay so for those who want to see that.
    pub(super) fn came_up(&mut self, hand: &mut Hand<'_>) {
        for claim in &mut self.claims {
            if let Waits::Up { settle, until } = &mut claim.waits {
                *until = Some(hand.now + *settle);
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
        let due = |waits: Waits| matches!(waits, Waits::Up { until: Some(until), .. } if until <= now);
        for claim in self.claims.iter().filter(|claim| due(claim.waits)) {
            hand.follows.stood.push((claim.call, Stood::Started));
        }
        self.settle(due, |_| Ok(()), hand);
    }

    pub(super) fn fail_claims(&mut self, failure: Failure, hand: &mut Hand<'_>) {
        self.fail_up(failure, hand);
        self.fail_rolling(failure, hand);
    }

    fn fail_up(&mut self, failure: Failure, hand: &mut Hand<'_>) {
        self.settle(|waits| matches!(waits, Waits::Up { .. }), |_| Err(failure), hand);
    }

    pub(super) fn fail_rolling(&mut self, failure: Failure, hand: &mut Hand<'_>) {
        self.rolling_over(Err(failure), hand);
    }

    fn rolling_over(&mut self, result: Result<(), Failure>, hand: &mut Hand<'_>) {
        let answer = |waits| match waits {
            Waits::Rolling { failed: Some(why) } => Err(Failure::ReloadFailed { why }),
            Waits::Rolling { failed: None } | Waits::Up { .. } => result,
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
