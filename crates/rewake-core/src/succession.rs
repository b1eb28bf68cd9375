//! A reload's steps for one slot: the new run takes over, is given up, or is left alone with the slot; and what becomes of the
//! run beside. Never leaves a slot without the run that serves.

use alloc::vec::Vec;

use crate::calls::Proof;
use crate::slot::{Cause, Waiter};
use crate::transitions::Step;
use crate::{
    Change, Effect, Exit, Failure, Goal, Leaving, Phase, ReloadFailure, RunId, Second, Slot, StopStage, Successor,
    Time, Wanted,
};

impl Step<'_> {
    /// The successor is ready, and has lived on for as long as was asked: it takes over, and the old run is let go.
    pub(crate) fn take_over(&mut self, slot: &mut Slot, run: RunId, since: Time, listened: bool) {
        let Phase::Online { run: old, since: old_since, .. } = slot.phase else {
            self.effects.push(Effect::Never { what: "a successor took over from a run that was not online" });
            return;
        };
        slot.restarts = slot.restarts.saturating_add(1);
        self.begin_anew(slot);
        // Before the old one is told to drain: the next daemon must not take it for the one that serves.
        self.set_oldest(slot, run);
        self.online(slot, run, since, listened);
        for waiter in slot.waiters.iter().filter(|waiter| matches!(waiter.goal, Goal::Reload { .. })) {
            self.calls.prove(waiter.call, slot, Proof::Soaked);
        }
        let stopping = self.drain(&slot.policy, old, old_since);
        slot.second = Some(Second::Leaving(Leaving::Stopping(stopping)));
    }

    /// The old run has ended by itself before it was replaced: the slot goes on with the successor's launch as its own. That must still
    /// prove itself, or the reload has failed.
    pub(crate) fn succeed(&mut self, slot: &mut Slot, successor: &Successor, exit: Exit, left: Option<Leaving>) {
        slot.second = left.map(Second::Leaving);
        self.answer(slot, Err(Failure::ExitedEarly(exit)), |goal| matches!(goal, Goal::Up { .. }));
        slot.restarts = slot.restarts.saturating_add(1);
        self.begin_anew(slot);
        self.set_oldest(slot, successor.run());
        let (soak, listened_before) = (slot.reload_soak(), slot.has_listened());
        for waiter in &mut slot.waiters {
            if matches!(waiter.goal, Goal::Reload { .. }) {
                waiter.goal = Goal::Alone { soak, until: None };
            }
        }
        match *successor {
            Successor::Spawning { run } => {
                let by = Cause::Reload { listened: listened_before };
                slot.phase = Phase::Spawning { run, restart: false, by };
            }
            Successor::Launching { run, since, listened, awaits } => {
                slot.phase = Phase::Launching { run, since, listened, awaits: awaits.alone(listened_before) };
            }
            Successor::Soaking { run, since, listened, until: soaked } => {
                self.online(slot, run, since, listened);
                // It was ready before: its time goes on.
                for waiter in &mut slot.waiters {
                    if let Goal::Alone { until, .. } = &mut waiter.goal {
                        *until = Some(soaked);
                    }
                }
            }
        }
    }

    /// The slot's own run is no good, and the old one that it was to replace has ended by itself. Nothing for any other run.
    pub(crate) fn fail_alone(&mut self, slot: &mut Slot, run: RunId, why: ReloadFailure) {
        if slot.is_alone() {
            self.tell(slot, Some(run), Change::ReloadFailed { why, alone: true }, false);
            let failure = Failure::ReloadFailed { why, alone: true };
            self.answer(slot, Err(failure), |goal| matches!(goal, Goal::Alone { .. }));
        }
    }

    /// The successor is no good. The old run is untouched; `left` is what has yet to go.
    pub(crate) fn give_up(&mut self, slot: &mut Slot, run: RunId, why: ReloadFailure, left: Option<Leaving>) {
        slot.second = left.map(Second::Leaving);
        self.tell(slot, Some(run), Change::ReloadFailed { why, alone: false }, false);
        for waiter in &mut slot.waiters {
            if let Goal::Reload { failed, .. } = &mut waiter.goal {
                *failed = Some(why);
                // Told when nothing is left of the new run; but no other slot is begun from here on.
                self.calls.break_off(waiter.call, self.effects);
            }
        }
        if slot.second.is_none() {
            self.reload_over(slot, Ok(()));
        }
    }

    /// Nothing is left of the run beside the slot's own.
    pub(crate) fn second_gone(&mut self, slot: &mut Slot, run: RunId) {
        self.effects.push(Effect::Release { run });
        slot.second = None;
        self.reload_over(slot, Ok(()));
    }

    /// Nobody wants what is beside the slot's own run, and it is not to take its time.
    pub(crate) fn dismiss_second(&mut self, slot: &mut Slot) {
        let Some(second) = slot.second.take() else {
            return;
        };
        slot.second = Some(Second::Leaving(match second {
            Second::Successor(Successor::Spawning { run }) => Leaving::Spawning { run },
            Second::Successor(Successor::Launching { run, since, .. } | Successor::Soaking { run, since, .. }) => {
                Leaving::Stopping(self.ask(&slot.policy, run, since))
            }
            Second::Leaving(Leaving::Stopping(mut stopping)) => {
                self.hurry(&slot.policy, &mut stopping);
                Leaving::Stopping(stopping)
            }
            Second::Leaving(leaving @ Leaving::Spawning { .. }) => leaving,
        }));
    }

    /// A slot that is to be down, or to go down once, and has no run of its own goes on with the one beside it. `true`: it did so.
    pub(crate) fn fold(&mut self, slot: &mut Slot) -> bool {
        let goes_down =
            self.closing || slot.wanted != Wanted::Up || slot.waiters.iter().any(|waiter| waiter.goal == Goal::Down);
        if slot.run().is_some() || !goes_down {
            return false;
        }
        let Some(Second::Leaving(leaving)) = slot.second.take_if(|second| matches!(second, Second::Leaving(_))) else {
            return false;
        };
        match leaving {
            Leaving::Spawning { run } => slot.phase = Phase::Spawning { run, restart: true, by: Cause::Command },
            Leaving::Stopping(mut stopping) => {
                stopping.crashed = false;
                let stuck = stopping.stage == StopStage::Stuck;
                slot.phase = Phase::Stopping(stopping);
                if stuck {
                    self.answer(slot, Err(Failure::CannotBeKilled), |_| true);
                }
            }
        }
        true
    }

    /// Answers those who wait for the slot's reload: what was wrong with the new run, else `result`.
    pub(crate) fn reload_over(&mut self, slot: &mut Slot, result: Result<(), Failure>) {
        let (answered, waiting): (Vec<Waiter>, Vec<Waiter>) =
            slot.waiters.drain(..).partition(|waiter| matches!(waiter.goal, Goal::Reload { .. }));
        slot.waiters = waiting;
        for waiter in answered {
            let why = match waiter.goal {
                Goal::Reload { failed, .. } => failed,
                Goal::Up { .. } | Goal::Down | Goal::Gone | Goal::Alone { .. } => None,
            };
            let result = why.map_or(result, |why| Err(Failure::ReloadFailed { why, alone: false }));
            self.calls.settle(waiter.call, slot.id, result, self.effects);
        }
    }

    /// A command wants something else of the slot: those who wait for it to be up or reloaded, or for its turn, are told.
    pub(crate) fn give_way(&mut self, slot: &mut Slot, failure: Failure) {
        self.fail_the_hopeful(slot, failure);
        self.calls.fail_waiting(slot.id, failure, self.effects);
    }

    /// From this run on a slot's runs are wanted; the next daemon must know.
    pub(crate) fn set_oldest(&mut self, slot: &mut Slot, run: RunId) {
        slot.oldest_run = run;
        self.effects.push(Effect::Save);
    }
}
