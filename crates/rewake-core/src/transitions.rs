//! The ways a slot goes from one phase to the next, shared by commands and facts. Each is one thing; none chooses for another.

use alloc::vec::Vec;

use crate::calls::Calls;
use crate::policy::{StopWith, Verdict};
use crate::slot::{Cause, Waiter};
use crate::{
    CallId, Change, Effect, Exit, Failure, Goal, Phase, RunId, Slot, StopStage, Stopping, Streak, Time, Wanted,
};

/// POSIX numbers; the same on every Linux.
pub(crate) const SIGINT: i32 = 2;
pub(crate) const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;

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
        let run = RunId(*self.next_run);
        *self.next_run += 1;
        slot.phase = Phase::Spawning { run, restart: false, by };
        self.tell(slot, Some(run), change, by.is_command());
        self.effects.push(Effect::Spawn { slot: slot.id, run });
    }

    /// The run counts as up.
    pub(crate) fn online(&mut self, slot: &mut Slot, run: RunId, since: Time) {
        slot.phase = Phase::Online { run, since };
        self.tell(slot, Some(run), Change::Online, false);
        for waiter in &mut slot.waiters {
            if let Goal::Up { settle, until } = &mut waiter.goal {
                *until = Some(self.now + *settle);
            }
        }
        self.settle_the_settled(slot);
    }

    /// Answers those whose process has been up for long enough.
    pub(crate) fn settle_the_settled(&mut self, slot: &mut Slot) {
        let now = self.now;
        self.answer(slot, Ok(()), |goal| matches!(goal, Goal::Up { until: Some(until), .. } if until <= now));
    }

    /// Asks a run to end; SIGKILL follows after `kill_timeout`.
    pub(crate) fn ask_to_stop(&mut self, slot: &mut Slot, run: RunId, since: Time) {
        let stage = StopStage::Asked { kill_at: self.now + slot.policy.kill_timeout };
        slot.phase = Phase::Stopping(Stopping { run, since, stage, exit: None, crashed: false });
        self.unsettle(slot);
        self.effects.push(match slot.policy.stop_with {
            StopWith::Signal(signal) => Effect::Signal { run, signal, tree: slot.policy.treekill },
            StopWith::Message => Effect::SendShutdown { run },
        });
    }

    /// The process has ended but what it started has not. SIGTERM, since background jobs of a shell ignore SIGINT
    /// and nobody is left who could pass a request on.
    pub(crate) fn ask_the_tree(&mut self, run: RunId) {
        self.effects.push(Effect::Signal { run, signal: SIGTERM, tree: true });
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
                self.tell(slot, None, Change::Stop, false);
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

    /// Fails those who wait for the slot to be up.
    pub(crate) fn fail_the_hopeful(&mut self, slot: &mut Slot, failure: Failure) {
        self.answer(slot, Err(failure), |goal| matches!(goal, Goal::Up { .. }));
    }

    /// The slot is about to be dropped: whoever still waits gets an answer.
    pub(crate) fn forget(&mut self, slot: &mut Slot) {
        self.answer(slot, Err(Failure::Superseded), |goal| matches!(goal, Goal::Up { .. }));
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
