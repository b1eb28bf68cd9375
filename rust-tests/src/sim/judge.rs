//! Holds every step against the rules: the orders against the book, the book against the world's truth, the answers against
//! what has happened. Never changes what it judges.

use rewake_core::{CallId, Change, Effect, Input, Phase, RunId, Slot, SlotId, Time, Wanted};

use super::book::{Book, Expected, Follows};
use super::calls::Calls;
use super::rule::{Breach, Rule, breach};
use super::slot_book::{Rest, SlotBook};
use super::subject::Subject;
use super::world::World;

/// The rules, and all that has to be remembered to check them.
#[derive(Debug, Default)]
pub struct Judge {
    pub book: Book,
    pub calls: Calls,
    newest_run: Option<RunId>,
    follows: Follows,
    /// What would survive the daemon now.
    saved: Vec<(SlotId, Wanted)>,
    /// The call that this step began with.
    just_asked: Option<CallId>,
}

impl Judge {
    /// Notes a new or changed list that no step has made.
    pub fn list_changed(&mut self) {
        self.saved = self.list();
    }

    /// A judge for the next daemon's life, which begins with this list and knows nobody who waits.
    #[must_use]
    pub fn of_the_next_life(&self, book: Book) -> Self {
        let mut judge = Self { book, newest_run: self.newest_run, ..Self::default() };
        judge.list_changed();
        judge
    }

    /// Before a step: works out what must follow from it.
    pub fn before(&mut self, now: Time, input: &Input) {
        self.calls.look(now, &self.book);
        self.just_asked = None;
        if let Input::Command(call, command) = input {
            self.just_asked = Some(*call);
            self.calls.opened(*call, command, &self.book);
        }
        self.book.input(now, input, &mut self.follows);
        for (slot, news) in self.follows.news.drain(..) {
            self.calls.news(slot, news);
        }
    }

    /// One order, before it is carried out.
    pub fn effect(&mut self, now: Time, effect: &Effect, world: &World) -> Result<(), Breach> {
        match effect {
            Effect::Spawn { slot, run } => self.spawn(*slot, *run, world),
            Effect::Release { run } => self.release(*run, world),
            Effect::Signal { run, signal, tree } => {
                known(*run, effect, world)?;
                self.expected(Expected::Signal { run: *run, signal: *signal, tree: *tree })
            }
            Effect::SendShutdown { run } => {
                known(*run, effect, world)?;
                self.expected(Expected::SendShutdown(*run))
            }
            Effect::Reply { call, slots } => {
                // What an earlier step changed was saved by its end.
                let at_once = self.just_asked == Some(*call);
                if at_once && slots.iter().any(|outcome| outcome.result.is_ok() && !self.is_saved(outcome.slot)) {
                    return breach(Rule::Saved, format!("call {call} is answered before its change would survive"));
                }
                self.calls.replied(*call, slots, self.book.closing)
            }
            Effect::Changed { slot, run, change, .. } => self.changed(now, *slot, *run, change, world),
            Effect::Save => {
                self.list_changed();
                Ok(())
            }
            Effect::Removed { slot } => self.expected(Expected::Removed(*slot)),
            Effect::Never { what } => breach(Rule::Never, *what),
        }
    }

    /// After a step: everything that was due has come, and the core sees what the book sees.
    pub fn after(&mut self, now: Time, ticked: bool, subject: &dyn Subject) -> Result<(), Breach> {
        if let Some(missing) = self.follows.orders.first() {
            return breach(Rule::Missing(missing.order()), format!("{missing:?} did not follow"));
        }
        if self.list() != self.saved {
            return breach(Rule::Saved, format!("{:?} became {:?}, not saved", self.saved, self.list()));
        }
        self.calls.in_time(now, &self.book, ticked)?;
        self.deadlines(now, ticked, subject.next_deadline())?;
        self.state(subject)
    }

    fn spawn(&mut self, slot: SlotId, run: RunId, world: &World) -> Result<(), Breach> {
        if let Some(other) = world.held_in(slot).next() {
            return breach(Rule::OneRunPerSlot, format!("slot {slot} is to get run {run} while it has run {other}"));
        }
        if self.newest_run.is_some_and(|newest| run <= newest) {
            return breach(Rule::FreshRunNumber, format!("run {run} follows {:?}", self.newest_run));
        }
        self.expected(Expected::Spawn(slot))?;
        self.newest_run = Some(run);
        self.book.spawned(slot, run);
        Ok(())
    }

    fn release(&mut self, run: RunId, world: &World) -> Result<(), Breach> {
        let Some(process) = world.process(run).filter(|process| !process.is_released()) else {
            return breach(Rule::KnownNames, format!("release of run {run}, which is not held"));
        };
        if process.is_alive() {
            return breach(Rule::ReleaseWhenGone, format!("run {run} is alive"));
        }
        self.calls.released(process.slot());
        self.expected(Expected::Release(run))
    }

    fn changed(
        &mut self,
        now: Time,
        slot: SlotId,
        run: Option<RunId>,
        change: &Change,
        world: &World,
    ) -> Result<(), Breach> {
        let leaving = self.follows.orders.contains(&Expected::Removed(slot));
        if !leaving && !self.book.slots.contains_key(&slot) {
            return breach(Rule::KnownNames, format!("{change:?} of slot {slot}, which is not there"));
        }
        match (change, run) {
            (Change::Online, Some(run)) => {
                self.calls.came_up(slot);
                self.expected(Expected::Online(run))
            }
            (Change::Exit(exit), _) => {
                let own = world.process(exit.run).is_some_and(|process| process.slot() == slot);
                if exit.at != now || !own {
                    return breach(Rule::State, format!("slot {slot} was told {exit:?}"));
                }
                self.calls.exited(exit.run, slot, exit.status);
                self.expected(Expected::Exit(exit.run, exit.status))
            }
            (Change::CannotBeKilled, Some(run)) => self.expected(Expected::CannotBeKilled(run)),
            (Change::Online | Change::CannotBeKilled, None) => {
                breach(Rule::KnownNames, format!("{change:?} of slot {slot} names no run"))
            }
            (
                Change::Start
                | Change::ReadyTimeout
                | Change::Stop
                | Change::Restart
                | Change::Delete
                | Change::RestartOverlimit
                | Change::SpawnFailed,
                _,
            ) => Ok(()),
        }
    }

    /// Crosses one order off the list of what must follow.
    fn expected(&mut self, order: Expected) -> Result<(), Breach> {
        match self.follows.orders.iter().position(|expected| *expected == order) {
            Some(at) => {
                self.follows.orders.swap_remove(at);
                Ok(())
            }
            None => {
                let instead = &self.follows.orders;
                breach(Rule::Unasked(order.order()), format!("{order:?}, while these were due: {instead:?}"))
            }
        }
    }

    fn deadlines(&self, now: Time, ticked: bool, next: Option<Time>) -> Result<(), Breach> {
        if ticked && next.is_some_and(|next| next <= now) {
            return breach(Rule::DeadlineAhead, format!("after a tick at {} the next is {next:?}", now.0));
        }
        match self.book.deadline() {
            Some(due) if next.is_none_or(|next| next > due) => {
                breach(Rule::DeadlineKnown, format!("{due:?} is due, the core says {next:?}"))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn state(&self, subject: &dyn Subject) -> Result<(), Breach> {
        let core = subject.core();
        let ids = core.slots().map(|slot| slot.id);
        if !ids.eq(self.book.slots.keys().copied()) {
            return breach(Rule::State, "the core lists other slots");
        }
        for (slot, noted) in core.slots().zip(self.book.slots.values()) {
            if !agrees(slot, noted) {
                return breach(Rule::State, format!("the core has {slot:?}, by the rules it is {noted:?}"));
            }
        }
        Ok(())
    }

    /// Whether what is wanted of a slot now would survive.
    fn is_saved(&self, slot: SlotId) -> bool {
        let wanted = |list: &[(SlotId, Wanted)]| list.iter().find(|(id, _)| *id == slot).map(|(_, wanted)| *wanted);
        wanted(&self.list()) == wanted(&self.saved)
    }

    /// What must survive. A slot that is being deleted need not.
    fn list(&self) -> Vec<(SlotId, Wanted)> {
        let stays = |slot: &SlotBook| slot.wanted != Wanted::Gone;
        self.book.slots.iter().filter(|(_, slot)| stays(slot)).map(|(id, slot)| (*id, slot.wanted)).collect()
    }
}

fn known(run: RunId, effect: &Effect, world: &World) -> Result<(), Breach> {
    if world.process(run).is_some_and(|process| !process.is_released()) {
        return Ok(());
    }
    breach(Rule::KnownNames, format!("{effect:?} names a run that is not held"))
}

fn agrees(slot: &Slot, noted: &SlotBook) -> bool {
    let run = noted.run.as_ref();
    let alike = match &slot.phase {
        Phase::Stopped => run.is_none() && noted.rest == Rest::Stopped,
        Phase::Errored => run.is_none() && noted.rest == Rest::Errored,
        Phase::WaitingRestart { until } => run.is_none() && noted.rest == Rest::Waiting { until: *until },
        Phase::Spawning { .. } => run.is_some_and(|run| run.born.is_none()),
        Phase::Launching { ready_by, .. } => run.is_some_and(|run| run.ready_by == Some(*ready_by)),
        Phase::Online { .. } => noted.online_since().is_some(),
        Phase::Stopping(stopping) => {
            run.is_some_and(|run| run.kill_at.is_some() && stopping.exit.is_some() == run.exit.is_some())
        }
    };
    alike && slot.run() == run.map(|run| run.id) && slot.wanted == noted.wanted && slot.restarts == noted.restarts
}
