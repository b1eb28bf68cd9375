//! Holds every step against the rules: the orders against the book, the book against the world's truth, the answers against
//! what has happened. Never changes what it judges.

use rewake_core::{
    Awaits, CallId, Change, Command, Effect, Input, Leaving, Phase, RunId, Second, Slot, SlotId, SlotOutcome,
    StopStage, Stopping, Successor, Time, Wanted,
};

use super::book::{Book, Expected, Follows};
use super::calls::Calls;
use super::heir_book::Must;
use super::process::Process;
use super::rule::{Breach, Rule, breach};
use super::run_book::RunBook;
use super::slot_book::{Rest, SlotBook};
use super::steering::Steering;
use super::subject::Subject;
use super::world::World;

const SIGKILL: i32 = 9;

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
    steering: Steering,
    /// This step's signals are the user's own and ask for nothing.
    users_signals: bool,
}

impl Judge {
    /// Notes a new or changed list that no step has made.
    pub fn list_changed(&mut self) {
        self.saved = self.list();
    }

    /// A judge for the next daemon's life, which begins with this list and knows nobody who waits.
    #[must_use]
    pub fn of_the_next_life(&self, book: Book) -> Self {
        let steering = Steering::taken_over(&book);
        let mut judge = Self { book, steering, newest_run: self.newest_run, ..Self::default() };
        judge.list_changed();
        judge
    }

    /// Before a step: works out what must follow from it.
    pub fn before(&mut self, now: Time, input: &Input) {
        self.calls.look(now, &self.book);
        self.just_asked = None;
        self.users_signals = matches!(input, Input::Command(_, Command::Signal { .. }));
        if let Input::Command(call, command) = input {
            self.just_asked = Some(*call);
            self.calls.opened(*call, command, &self.book);
        }
        self.follows.beside.clear();
        self.book.input(now, input, &mut self.follows);
        for (slot, news) in self.follows.news.drain(..) {
            self.calls.news(slot, news);
        }
    }

    /// A run of an earlier daemon's is about to be told to go.
    pub fn retired(&mut self, now: Time, slot: SlotId, run: RunId, since: Time) {
        self.book.retired(now, slot, run, since, &mut self.follows);
    }

    /// One order, before it is carried out.
    pub fn effect(&mut self, now: Time, effect: &Effect, world: &World) -> Result<(), Breach> {
        match effect {
            Effect::Spawn { slot, run } => self.spawn(*slot, *run, world),
            Effect::Release { run } => self.release(*run, world),
            Effect::Signal { run, signal, tree } => {
                known(*run, effect, world)?;
                if *signal != SIGKILL && self.was_replaced(*run) {
                    self.served_by_another(*run, world)?;
                }
                if !self.users_signals {
                    self.steering.leaves(*run);
                }
                self.expected(Expected::Signal { run: *run, signal: *signal, tree: *tree })
            }
            Effect::SendShutdown { run } => {
                known(*run, effect, world)?;
                if self.was_replaced(*run) {
                    self.served_by_another(*run, world)?;
                }
                self.steering.leaves(*run);
                self.expected(Expected::SendShutdown(*run))
            }
            Effect::Serve { slot, run } => {
                known(*run, effect, world)?;
                self.steering.serve(*slot, *run, world)?;
                self.expected(Expected::Serve(*slot, *run))
            }
            Effect::Drain { run } => {
                known(*run, effect, world)?;
                self.saved_first(self.book.slot_of(*run), effect)?;
                self.served_by_another(*run, world)?;
                self.steering.leaves(*run);
                self.expected(Expected::Drain(*run))
            }
            Effect::Reply { call, slots } => {
                // What an earlier step changed was saved by its end.
                let at_once = self.just_asked == Some(*call);
                if at_once && slots.iter().any(|outcome| outcome.result.is_ok() && !self.is_saved(outcome.slot)) {
                    return breach(Rule::Saved, format!("call {call} is answered before its change would survive"));
                }
                self.calls.replied(*call, slots, self.book.closing)?;
                if self.calls.is_reload(*call) {
                    return self.reloaded(*call, slots);
                }
                Ok(())
            }
            Effect::Changed { slot, run, change, .. } => self.changed(now, *slot, *run, change, world),
            Effect::Save => {
                self.list_changed();
                self.follows.save_due.clear();
                Ok(())
            }
            Effect::Removed { slot } => {
                self.steering.removed(*slot);
                self.expected(Expected::Removed(*slot))
            }
            Effect::Never { what } => breach(Rule::Never, *what),
        }
    }

    /// After a step: everything that was due has come, and the core sees what the book sees.
    pub fn after(&mut self, now: Time, ticked: bool, subject: &dyn Subject) -> Result<(), Breach> {
        if let Some(missing) = self.follows.orders.first() {
            return breach(Rule::Missing(missing.order()), format!("{missing:?} did not follow"));
        }
        if let Some((call, outcomes)) = self.follows.answers.first() {
            return breach(Rule::ReplyInTime, format!("call {call} was not answered with {outcomes:?}"));
        }
        if !self.follows.save_due.is_empty() {
            return breach(Rule::Saved, "which runs are on their way out is not saved");
        }
        if self.list() != self.saved {
            return breach(Rule::Saved, format!("{:?} became {:?}, not saved", self.saved, self.list()));
        }
        self.steering.after(subject.core())?;
        self.calls.in_time(now, &self.book, ticked)?;
        self.deadlines(now, ticked, subject.next_deadline())?;
        self.state(subject)
    }

    fn spawn(&mut self, slot: SlotId, run: RunId, world: &World) -> Result<(), Breach> {
        let leaving = |run: &RunId| self.follows.beside.contains(run);
        let others: Vec<RunId> = world.held_in(slot).filter(|run| !leaving(run)).collect();
        if others.len() > self.book.slots.get_mut(&slot).map_or(0, SlotBook::room_for_others) {
            return breach(Rule::OneRunPerSlot, format!("slot {slot} is to get run {run} while it has {others:?}"));
        }
        self.saved_first(Some(slot), &Effect::Spawn { slot, run })?;
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
        if world.held_in(process.slot()).eq([run]) {
            self.calls.is_down(process.slot());
        }
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
                self.steering.leaves(exit.run);
                self.expected(Expected::Exit(exit.run, exit.status))
            }
            (Change::CannotBeKilled, Some(run)) => self.expected(Expected::CannotBeKilled(run)),
            (Change::ReloadFailed { alone, .. }, Some(run)) => {
                self.expected(Expected::ReloadFailed { run, alone: *alone })
            }
            (Change::Online | Change::CannotBeKilled | Change::ReloadFailed { .. }, None) => {
                breach(Rule::KnownNames, format!("{change:?} of slot {slot} names no run"))
            }
            (
                Change::Start
                | Change::ReadyTimeout
                | Change::Stop
                | Change::Restart
                | Change::Delete
                | Change::RestartOverlimit
                | Change::SpawnFailed
                | Change::Reload,
                _,
            ) => Ok(()),
        }
    }

    /// The one right answer to a reload.
    fn reloaded(&mut self, call: CallId, outcomes: &[SlotOutcome]) -> Result<(), Breach> {
        let Some(at) = self.follows.answers.iter().position(|(due, _)| *due == call) else {
            return breach(Rule::ReplyIsTrue, format!("reload {call} is not over, but answered {outcomes:?}"));
        };
        let (_, right) = self.follows.answers.swap_remove(at);
        if right == outcomes {
            return Ok(());
        }
        breach(Rule::ReplyIsTrue, format!("reload {call} was answered {outcomes:?}, it went {right:?}"))
    }

    /// The next daemon must know which run is which before the old one is touched or a new one made.
    fn saved_first(&self, slot: Option<SlotId>, effect: &Effect) -> Result<(), Breach> {
        if slot.is_some_and(|slot| self.follows.save_due.contains(&slot)) {
            return breach(Rule::Saved, format!("{effect:?} before what it follows from would survive"));
        }
        Ok(())
    }

    /// Whether a run has served its slot and is on its way out while another one is up.
    fn was_replaced(&self, run: RunId) -> bool {
        self.book.slots.values().any(|slot| {
            let old = slot.leaver.as_ref().filter(|leaver| leaver.id == Some(run));
            old.is_some_and(|old| old.online.is_some()) && slot.online_since().is_some()
        })
    }

    /// Nobody takes a run's connections away from it unless another one has them, or the whole slot goes.
    fn served_by_another(&self, run: RunId, world: &World) -> Result<(), Breach> {
        // What has ended by itself serves nobody: its tree is cleaned up.
        let Some(slot) = world.process(run).filter(|process| !process.is_known_dead()).map(Process::slot) else {
            return Ok(());
        };
        let goes = self.book.slots.get(&slot).is_none_or(|noted| noted.wanted != Wanted::Up || noted.run.is_none());
        let another = self.steering.of(slot).filter(|serving| *serving != run);
        if goes || another.is_some_and(|other| world.process(other).is_some_and(|other| !other.is_reported_dead())) {
            return Ok(());
        }
        breach(Rule::NeverUnserved, format!("run {run} of slot {slot} is let go, and {another:?} serves"))
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
    let own = match &slot.phase {
        Phase::Stopped => run.is_none() && noted.rest == Rest::Stopped,
        Phase::Errored => run.is_none() && noted.rest == Rest::Errored,
        Phase::WaitingRestart { until } => run.is_none() && noted.rest == Rest::Waiting { until: *until },
        Phase::Spawning { .. } => run.is_some_and(|run| run.born.is_none()),
        Phase::Launching { awaits, .. } => run.is_some_and(|run| waits_for(*awaits, run)),
        Phase::Online { listened, .. } => {
            noted.online_since().is_some() && run.is_some_and(|run| run.listened == *listened)
        }
        Phase::Stopping(stopping) => run.is_some_and(|run| alike(stopping, run)),
    };
    own && agrees_beside(slot, noted)
        && slot.run() == run.and_then(|run| run.id)
        && slot.wanted == noted.wanted
        && slot.restarts == noted.restarts
        && noted.oldest.is_none_or(|oldest| slot.oldest_run == oldest)
}

/// Whether a run that has yet to be ready waits for what it should.
fn waits_for(awaits: Awaits, run: &RunBook) -> bool {
    let (must, may_grow, until) = match awaits {
        Awaits::Ready { by } => (Must::SayReady, false, by),
        Awaits::Listening { by, grown_at: None } => (Must::Listen, false, by),
        Awaits::Listening { grown_at: Some(at), .. } => (Must::Listen, true, at),
        Awaits::Growing { until } => (Must::Live, true, until),
    };
    run.ready_by == Some(until) && run.must == must && run.may_grow == may_grow
}

fn agrees_beside(slot: &Slot, noted: &SlotBook) -> bool {
    let (heir, leaver) = (noted.heir.as_ref(), noted.leaver.as_ref());
    match &slot.second {
        None => heir.is_none() && leaver.is_none(),
        Some(Second::Successor(successor)) => heir.is_some_and(|heir| {
            let stage = match successor {
                Successor::Spawning { .. } => heir.run.born.is_none(),
                Successor::Launching { .. } => heir.run.born.is_some() && heir.soaked.is_none(),
                Successor::Soaking { until, .. } => heir.soaked == Some(*until),
            };
            stage && heir.run.id == Some(successor.run())
        }),
        Some(Second::Leaving(Leaving::Spawning { run })) => {
            leaver.is_some_and(|leaver| leaver.born.is_none() && leaver.id == Some(*run))
        }
        Some(Second::Leaving(Leaving::Stopping(stopping))) => {
            leaver.is_some_and(|leaver| alike(stopping, leaver) && leaver.id == Some(stopping.run))
        }
    }
}

fn alike(stopping: &Stopping, run: &RunBook) -> bool {
    let stage = match stopping.stage {
        StopStage::Draining { until, told } => run.drain_by == Some(until) && run.told == told && run.kill_at.is_none(),
        StopStage::Asked { kill_at } => run.kill_at == Some(kill_at) && run.give_up_at.is_none(),
        StopStage::Killed { give_up_at } => run.give_up_at == Some(give_up_at) && !run.given_up,
        StopStage::Stuck => run.given_up,
    };
    stage && stopping.exit.is_some() == run.exit.is_some()
}
