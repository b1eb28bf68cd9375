//! The ways a slot goes from one phase to the next, shared by commands and facts. Each is one thing; none chooses for another.

use alloc::vec::Vec;

use crate::calls::{Calls, Proof};
use crate::policy::Verdict;
use crate::slot::{Cause, Waiter};
use crate::{CallId, Change, Effect, Exit, Failure, Goal, Phase, RunId, Slot, Streak, Time, Wanted};

/// POSIX numbers; the same on every Linux.
pub(crate) const SIGINT: i32 = 2;
pub(crate) const SIGKILL: i32 = 9;
pub(crate) const SIGTERM: i32 = 15;

/// One step's surroundings: everything but the slot itself.
pub(crate) struct Step<'a> {
    pub(crate) now: Time,
    pub(crate) closing: bool,
    pub(crate) calls: &'a mut Calls,
    pub(crate) next_run: &'a mut u64,
    pub(crate) effects: &'a mut Vec<Effect>,
}

impl Step<'_> {
    /// Orders a process. The slot must have none.
    pub(crate) fn launch(&mut self, slot: &mut Slot, by: Cause, change: Change) {
        if slot.run().is_some() {
            self.effects.push(Effect::Never { what: "a slot that has a run was launched" });
            return;
        }
        let run = self.number();
        slot.phase = Phase::Spawning { run, restart: false, by };
        if slot.second.is_some() {
            self.set_oldest(slot, run);
        }
        self.tell(slot, Some(run), change, by.is_command());
        self.effects.push(Effect::Spawn { slot: slot.id, run });
    }

    /// The next run's number.
    pub(crate) fn number(&mut self) -> RunId {
        let run = RunId(*self.next_run);
        *self.next_run += 1;
        run
    }

    /// Whether what was being made is to go as soon as it is there.
    pub(crate) fn is_unwanted(&self, slot: &Slot, restart: bool) -> bool {
        restart || self.closing || slot.wanted != Wanted::Up
    }

    /// The run is its slot's own and counts as up.
    pub(crate) fn online(&mut self, slot: &mut Slot, run: RunId, since: Time, listened: bool) {
        slot.phase = Phase::Online { run, since, listened };
        self.tell(slot, Some(run), Change::Online, false);
        self.effects.push(Effect::Serve { slot: slot.id, run });
        for waiter in &mut slot.waiters {
            if let Goal::Up { settle: time, until } | Goal::Alone { soak: time, until } = &mut waiter.goal {
                *until = Some(self.now + *time);
            }
        }
        self.settle_the_settled(slot);
    }

    /// Answers those whose process has been up for long enough.
    pub(crate) fn settle_the_settled(&mut self, slot: &mut Slot) {
        let now = self.now;
        let settled = |goal: Goal| match goal {
            Goal::Up { until: Some(until), .. } if until <= now => Some(Proof::Started),
            Goal::Alone { until: Some(until), .. } if until <= now => Some(Proof::Soaked),
            Goal::Up { .. } | Goal::Alone { .. } | Goal::Down | Goal::Gone | Goal::Reload { .. } => None,
        };
        for waiter in &slot.waiters {
            if let Some(proof) = settled(waiter.goal) {
                self.calls.prove(waiter.call, slot, proof);
            }
        }
        self.answer(slot, Ok(()), |goal| settled(goal).is_some());
    }

    /// Asks the slot's own run to end.
    pub(crate) fn ask_to_stop(&mut self, slot: &mut Slot, run: RunId, since: Time) {
        slot.phase = Phase::Stopping(self.ask(&slot.policy, run, since));
        self.unsettle(slot);
    }

    /// Notes how a run ended.
    pub(crate) fn note_exit(&mut self, slot: &mut Slot, exit: Exit) {
        slot.last_exit = Some(exit);
        self.tell(slot, Some(exit.run), Change::Exit(exit), false);
    }

    /// Nothing of the run is left: what next?
    pub(crate) fn ended(&mut self, slot: &mut Slot, run: RunId, crash: Option<Exit>) {
        self.effects.push(Effect::Release { run });
        slot.phase = Phase::Stopped;
        if self.fold(slot) {
            return;
        }
        self.answer(slot, Ok(()), |goal| goal == Goal::Down);
        if self.closing || slot.wanted != Wanted::Up {
            self.tell(slot, Some(run), Change::Stop, crash.is_none());
            return;
        }
        match crash {
            None => self.launch(slot, Cause::Command, Change::Restart),
            Some(exit) => {
                let verdict = slot.policy.after_exit(exit.status, exit.lived, &mut slot.streak);
                self.follow(slot, verdict);
            }
        }
    }

    /// Does what the policy says of a slot that has no run.
    pub(crate) fn follow(&mut self, slot: &mut Slot, verdict: Verdict) {
        match verdict {
            Verdict::Rest => {
                self.want(slot, Wanted::Down);
                if !self.fold(slot) {
                    self.tell(slot, None, Change::Stop, false);
                }
            }
            Verdict::GiveUp => {
                slot.phase = Phase::Errored;
                self.tell(slot, None, Change::RestartOverlimit, false);
            }
            Verdict::Again { delay: 0 } => self.launch_again(slot),
            Verdict::Again { delay } => slot.phase = Phase::WaitingRestart { until: self.now + delay },
        }
    }

    /// The policy's restart, now.
    pub(crate) fn launch_again(&mut self, slot: &mut Slot) {
        slot.restarts = slot.restarts.saturating_add(1);
        slot.phase = Phase::Stopped;
        self.launch(slot, Cause::Policy, Change::Restart);
    }

    /// A command begins the count of failures anew.
    pub(crate) fn begin_anew(&mut self, slot: &mut Slot) {
        slot.streak = Streak::default();
    }

    /// Sets what is wanted, and saves it if that is new.
    pub(crate) fn want(&mut self, slot: &mut Slot, wanted: Wanted) {
        if slot.wanted != wanted {
            slot.wanted = wanted;
            self.effects.push(Effect::Save);
        }
    }

    /// Lets a command wait for the slot.
    pub(crate) fn wait(&mut self, slot: &mut Slot, call: CallId, goal: Goal) {
        slot.waiters.push(Waiter { call, goal });
    }

    /// Answers the waiters whose goal is picked.
    pub(crate) fn answer(&mut self, slot: &mut Slot, result: Result<(), Failure>, pick: impl Fn(Goal) -> bool) {
        let (answered, waiting): (Vec<Waiter>, Vec<Waiter>) =
            slot.waiters.drain(..).partition(|waiter| pick(waiter.goal));
        slot.waiters = waiting;
        for waiter in answered {
            self.calls.settle(waiter.call, slot.id, result, self.effects);
        }
    }

    /// The slot's run was a task, and is done: a reload that has started it need not see it stay up, and goes on with other slots.
    pub(crate) fn answer_reloads_of_a_task(&mut self, slot: &mut Slot) {
        let done = |waiter: &Waiter, calls: &Calls| {
            matches!(waiter.goal, Goal::Up { until: Some(_), .. }) && calls.takes_turns(waiter.call)
        };
        let (answered, waiting): (Vec<Waiter>, Vec<Waiter>) =
            slot.waiters.drain(..).partition(|waiter| done(waiter, self.calls));
        slot.waiters = waiting;
        for waiter in answered {
            self.calls.settle(waiter.call, slot.id, Ok(()), self.effects);
        }
    }

    /// Fails those who wait for the slot to be up, or for its reload to be over.
    pub(crate) fn fail_the_hopeful(&mut self, slot: &mut Slot, failure: Failure) {
        self.answer(slot, Err(failure), |goal| matches!(goal, Goal::Up { .. } | Goal::Alone { .. }));
        self.reload_over(slot, Err(failure));
    }

    /// The slot is about to be dropped: whoever still waits gets an answer.
    pub(crate) fn forget(&mut self, slot: &mut Slot) {
        self.fail_the_hopeful(slot, Failure::Superseded);
        self.answer(slot, Ok(()), |_| true);
        self.tell(slot, None, Change::Delete, true);
        self.effects.push(Effect::Removed { slot: slot.id });
        self.effects.push(Effect::Save);
    }

    pub(crate) fn tell(&mut self, slot: &Slot, run: Option<RunId>, change: Change, manually: bool) {
        self.effects.push(Effect::Changed { slot: slot.id, run, change, manually });
    }

    /// Those who watched the old run settle now wait for the next one.
    fn unsettle(&mut self, slot: &mut Slot) {
        for waiter in &mut slot.waiters {
            if let Goal::Up { until, .. } = &mut waiter.goal {
                *until = None;
            }
        }
    }
}
