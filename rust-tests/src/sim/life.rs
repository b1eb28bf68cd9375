//! One life of a core, from its seed: chaos, then calm, then the end. Keeps to the rules of driving a core (one step at a
//! time, its orders carried out in order, time never going back) and to nothing else.

use rewake_core::{CallId, Command, Core, Effect, Fact, Input, NewSlot, RunId, SlotId, Time, Wanted};

use super::book::Book;
use super::client::{self, Wish};
use super::judge::Judge;
use super::rng::Rng;
use super::rule::{Breach, Rule, breach};
use super::run_book::RunBook;
use super::slot_book::{Rest, SlotBook};
use super::subject::Subject;
use super::table::{Stored, Table};
use super::trace::Trace;
use super::world::{Held, World};

/// What lies further ahead than this never comes, ms: ten minutes, more than any delay that is not meant as "never".
const HORIZON: u64 = 600_000;
/// Steps of chaos. An app that crashes at once for ever would go on and on.
const CHAOS: u32 = 500;
/// Steps in which a world that behaves comes to rest. Of 300,000 whole lives the longest had 386.
const PATIENCE: u32 = 5000;

/// One life.
struct Life<'a> {
    rng: Rng,
    now: Time,
    subject: &'a mut dyn Subject,
    world: World,
    judge: Judge,
    trace: Trace,
    next_call: u64,
    next_wish: Time,
    effects: Vec<Effect>,
    steps: u32,
    /// What the daemon has written down.
    table: Table,
    /// How many of a hundred wishes are for a reload, beside those that are for anything.
    releases: u64,
    /// The daemon may die.
    dangerous: bool,
    /// It dies after so many orders of its life, and at no other time.
    dies_after: Option<u64>,
    /// Orders so far.
    orders: u64,
    /// Runs that could not be made, which nobody has told.
    unmade: Vec<RunId>,
}

/// How a life went.
#[derive(Debug)]
pub struct Report {
    pub steps: u32,
    /// Orders that the core gave.
    pub orders: u64,
    pub breach: Option<Breach>,
    pub trace: Trace,
}

/// Lives the life of this seed.
pub fn live(seed: u64, subject: &mut dyn Subject, trace: Trace) -> Report {
    live_and_die(seed, None, subject, trace)
}

/// Lives the life of this seed with a daemon that dies once: when it has carried out so many orders. `None`: now and then.
pub fn live_and_die(seed: u64, dies_after: Option<u64>, subject: &mut dyn Subject, trace: Trace) -> Report {
    let mut life = Life {
        rng: Rng::new(seed),
        now: Time(0),
        subject,
        world: World::default(),
        judge: Judge::default(),
        trace,
        next_call: 0,
        next_wish: Time(0),
        effects: Vec::new(),
        steps: 0,
        table: Table::default(),
        releases: 0,
        dangerous: true,
        dies_after,
        orders: 0,
        unmade: Vec::new(),
    };
    let breach = life.whole().err();
    Report { steps: life.steps, orders: life.orders, breach, trace: life.trace }
}

impl Life<'_> {
    fn whole(&mut self) -> Result<(), Breach> {
        self.releases = self.rng.pick(&[0, 40, 60]);
        // Where all is chaos no release ever gets far.
        self.world.grow_tame(self.rng.pick(&[0, 0, 50, 80]));
        for _ in 0..=self.rng.below(4) {
            let (app, policy) = (client::app(&mut self.rng), client::policy(&mut self.rng));
            self.grant(Wish::Add(app, policy))?;
        }
        self.chaos()?;
        self.trace.note(self.now, || "from here on the world behaves".into());
        self.world.grow_tame(100);
        self.dangerous = false;
        self.come_to_rest()?;
        self.at_rest()?;
        self.command(Command::Shutdown)?;
        self.come_to_rest()?;
        self.at_end()
    }

    fn chaos(&mut self) -> Result<(), Breach> {
        let mut wishes = 3 + self.rng.below(40);
        while wishes > 0 && self.steps < CHAOS {
            let due = [self.world.next(), self.subject.next_deadline(), Some(self.next_wish)];
            let next = due.into_iter().flatten().min().unwrap_or(self.next_wish);
            self.now = self.now.max(next);
            if self.rng.percent(3) {
                // A machine that was busy, or asleep.
                self.now = self.now + self.rng.pick(&[1, 50, 1600, 5000, 40_000]);
            }
            if self.rng.percent(4) {
                self.nuisance()?;
            }
            let [world, tick, wish] = due.map(|at| at.is_some_and(|at| at <= self.now));
            match self.rng.below(3) {
                0 if wish => {
                    wishes -= 1;
                    self.next_wish = self.now + client::pause(&mut self.rng);
                    let slots: Vec<SlotId> = self.judge.book.slots.keys().copied().collect();
                    let wish = client::wish(&mut self.rng, &slots, self.releases);
                    self.grant(wish)?;
                }
                1 if world => self.happen()?,
                2 if tick => self.step(Input::Tick)?,
                // Whatever else is due has its turn in the next round.
                _ => {}
            }
        }
        Ok(())
    }

    /// No wishes, no nuisances, and new processes do as they are told: goes on until nothing is due any more.
    fn come_to_rest(&mut self) -> Result<(), Breach> {
        for _ in 0..PATIENCE {
            self.help();
            let world = self.world.next();
            let tick = self.subject.next_deadline();
            let Some(next) = [world, tick].into_iter().flatten().min().filter(|next| *next - self.now <= HORIZON)
            else {
                return Ok(());
            };
            self.now = self.now.max(next);
            if world == Some(next) {
                self.happen()?;
            } else {
                self.step(Input::Tick)?;
            }
        }
        breach(Rule::ComesToRest, format!("not after {PATIENCE} steps"))
    }

    /// A process that may take for ever to obey, by its policy, is ended by somebody else.
    fn help(&mut self) {
        let now = self.now;
        for run in self.judge.book.slots.values().flat_map(SlotBook::runs) {
            if let Some(id) = run.id.filter(|_| run.end_due().is_some_and(|at| at - now > HORIZON)) {
                self.world.end(now, id);
            }
        }
    }

    fn at_rest(&self) -> Result<(), Breach> {
        for (id, slot) in &self.judge.book.slots {
            let is_stuck = |run: &RunBook| {
                let process = run.id.and_then(|id| self.world.process(id));
                run.kill_at.is_some() && process.is_some_and(|process| !process.is_mortal())
            };
            let stuck = slot.run.as_ref().is_some_and(is_stuck);
            if slot.leaver.as_ref().is_some_and(|run| !is_stuck(run)) {
                return breach(Rule::ComesToRest, format!("slot {id} rests with two runs: {slot:?}"));
            }
            // One that may take for ever to be ready.
            if slot.heir.is_some() && slot.second_due().is_none_or(|at| at - self.now <= HORIZON) {
                return breach(Rule::ComesToRest, format!("slot {id} rests in its reload: {slot:?}"));
            }
            let fine = match (&slot.run, slot.wanted) {
                (Some(run), Wanted::Up) => run.online.is_some() || run.ready_by.is_some() || self.judge.book.closing,
                (Some(_), Wanted::Down | Wanted::Gone) => false,
                (None, Wanted::Up) => slot.rest != Rest::Stopped || self.judge.book.closing,
                (None, Wanted::Down) => true,
                (None, Wanted::Gone) => false,
            };
            if !fine && !stuck {
                return breach(Rule::ComesToRest, format!("slot {id} rests as {slot:?}"));
            }
        }
        Ok(())
    }

    fn at_end(&self) -> Result<(), Breach> {
        if let Some(call) = self.judge.calls.waiting().next() {
            return breach(Rule::ReplyInTime, format!("call {call} was never answered"));
        }
        let left = self.world.alive().chain(self.world.lingering()).find(|(_, process)| process.is_mortal());
        left.map_or(Ok(()), |(run, process)| breach(Rule::NothingLeft, format!("run {run}: {process:?}")))
    }

    fn grant(&mut self, wish: Wish) -> Result<(), Breach> {
        match wish {
            Wish::Command(command) => self.command(command),
            Wish::Add(app, policy) => {
                let new = NewSlot { name: app.into(), namespace: "default".into(), policy: policy.clone() };
                let id = self.subject.core_mut().add(new);
                self.trace.note(self.now, || format!("slot {id} of {app} is added: {policy:?}"));
                if self.judge.book.slots.contains_key(&id) {
                    return breach(Rule::State, format!("slot {id} was added while it was there"));
                }
                self.judge.book.add(id, app, policy, Wanted::Down, 0);
                self.judge.list_changed();
                self.table = Table::of(self.subject.core());
                Ok(())
            }
            Wish::Redefine(id, policy) => {
                self.trace.note(self.now, || format!("slot {id} is redefined: {policy:?}"));
                self.subject.core_mut().redefine(id, policy.clone());
                self.judge.book.redefined(id, policy);
                self.table = Table::of(self.subject.core());
                Ok(())
            }
        }
    }

    fn command(&mut self, command: Command) -> Result<(), Breach> {
        let call = CallId(self.next_call);
        self.next_call += 1;
        self.step(Input::Command(call, command))
    }

    fn nuisance(&mut self) -> Result<(), Breach> {
        match self.world.nuisance(&mut self.rng) {
            Some(fact) => self.step(Input::Fact(fact)),
            None => Ok(()),
        }
    }

    fn happen(&mut self) -> Result<(), Breach> {
        match self.world.happen(self.now) {
            Some(fact @ Fact::Exited { run, tree_gone: true, .. }) => {
                self.step(Input::Fact(fact))?;
                // An exit that is told once more says of the tree what may not have been told before.
                self.step(Input::Fact(Fact::TreeGone { run }))
            }
            Some(fact) => self.step(Input::Fact(fact)),
            None => Ok(()),
        }
    }

    fn step(&mut self, input: Input) -> Result<(), Breach> {
        self.steps += 1;
        let ticked = input == Input::Tick;
        self.judge.before(self.now, &input);
        let mut effects = std::mem::take(&mut self.effects);
        self.subject.step(self.now, input.clone(), &mut effects);
        self.trace.step(self.now, &input, &effects);
        // In the middle of its orders: the first few are carried out, the others never are.
        let obeyed = match self.death(effects.len()) {
            None => self.obey(&effects),
            // There is no record, or another version's.
            Some((done, false)) => {
                self.obey(&effects[..done])?;
                return self.next_life();
            }
            Some((done, true)) => {
                let (done, left) = effects.split_at(done);
                self.obey(done).and_then(|()| self.resume(done.last(), left))
            }
        };
        effects.clear();
        self.effects = effects;
        obeyed?;
        self.judge.after(self.now, ticked, self.subject)?;
        self.tell_of_the_unmade()
    }

    /// Whether the daemon dies among these orders: after how many of them, and whether its record is found.
    fn death(&mut self, orders: usize) -> Option<(usize, bool)> {
        let before = self.orders;
        self.orders += orders as u64;
        if let Some(after) = self.dies_after {
            let here = (before..self.orders).contains(&after);
            return here.then(|| (usize::try_from(after - before).unwrap_or(0), true));
        }
        let dies = self.dangerous && self.rng.percent(1);
        dies.then(|| (self.rng.index(orders + 1), self.rng.percent(60)))
    }

    /// The daemon has died, and the next one goes on from its record, as the engine does: with the same core, repeating the orders that
    /// were not carried out, and perhaps the last that was.
    fn resume(&mut self, last: Option<&Effect>, left: &[Effect]) -> Result<(), Breach> {
        self.trace.note(self.now, || format!("the daemon dies and is resumed; left to do: {left:?}"));
        let before = self.subject.core().clone();
        *self.subject.core_mut() = on_record(&before);
        if *self.subject.core() != before {
            return breach(Rule::State, "the core is another one after it was resumed");
        }
        self.unmade = self.world.listener_changed(self.now);
        if let Some(last) = last.filter(|last| !matches!(last, Effect::Spawn { .. })) {
            // It cannot know that it was carried out.
            self.carry_out(last);
        }
        self.obey(left)
    }

    /// Nobody will say again that these could not be made.
    fn tell_of_the_unmade(&mut self) -> Result<(), Breach> {
        for run in std::mem::take(&mut self.unmade) {
            self.step(Input::Fact(Fact::SpawnFailed { run, retry: true }))?;
        }
        Ok(())
    }

    fn obey(&mut self, effects: &[Effect]) -> Result<(), Breach> {
        effects.iter().try_for_each(|effect| {
            self.judge.effect(self.now, effect, &self.world)?;
            self.carry_out(effect);
            Ok(())
        })
    }

    /// The daemon has died. The next one takes back what the table and the keeper hold, as the engine does.
    fn next_life(&mut self) -> Result<(), Breach> {
        let held = self.world.listener_died(self.now);
        self.trace.note(self.now, || format!("the daemon dies and comes back; held: {held:?}"));
        let mut book = Book::default();
        let core = self.subject.core_mut();
        *core = Core::default();
        // The table alone does not know: a restart by the policy writes nothing.
        core.use_runs_from(self.table.next_run.max(self.world.fresh_run()));
        let mut to_retire = Vec::new();
        for Stored { id, instance, new, wanted, restarts, oldest_run } in self.table.slots.clone() {
            book.add(id, &new.name, new.policy.clone(), wanted, restarts);
            core.restore(id, instance, new, wanted, restarts);
            let mut runs: Vec<Held> = held.iter().filter(|held| held.slot == id).copied().collect();
            if let Some(own) = own_run(&runs, oldest_run) {
                core.adopt(id, own.run, own.since);
                book.adopted(id, own.run, own.since);
                runs.retain(|held| held.run != own.run);
            }
            to_retire.extend(runs);
        }
        // Of slots that were being deleted.
        for orphan in held.iter().filter(|held| !book.slots.contains_key(&held.slot)) {
            core.use_runs_from(orphan.run.0 + 1);
            self.world.put_away(self.now, orphan.run);
        }
        self.judge = self.judge.of_the_next_life(book);
        for Held { run, slot, since, .. } in to_retire {
            self.judge.retired(self.now, slot, run, since);
            let mut effects = Vec::new();
            if !self.subject.core_mut().retire(self.now, slot, run, since, &mut effects) {
                return breach(Rule::OneRunPerSlot, format!("slot {slot} had three runs, run {run} among them"));
            }
            self.obey(&effects)?;
        }
        let noted = |keep: fn(&SlotBook) -> bool, book: &Book| -> Vec<SlotId> {
            book.slots.iter().filter(|(_, slot)| keep(slot)).map(|(id, _)| *id).collect()
        };
        let to_stop = noted(|slot| slot.wanted != Wanted::Up && slot.runs().next().is_some(), &self.judge.book);
        let to_start = noted(|slot| slot.wanted == Wanted::Up && slot.run.is_none(), &self.judge.book);
        self.command(Command::Stop { slots: to_stop })?;
        self.command(Command::Start { slots: to_start, settle: 0 })
    }

    fn carry_out(&mut self, effect: &Effect) {
        match effect {
            Effect::Spawn { slot, run } => {
                let watched = self.judge.book.slots.get(slot).is_some_and(|slot| slot.policy.treekill);
                self.world.spawn(self.now, *slot, *run, watched, &mut self.rng);
            }
            Effect::Signal { run, signal, tree } => self.world.signal(self.now, *run, *signal, *tree),
            Effect::SendShutdown { run } => self.world.send_shutdown(self.now, *run),
            Effect::Drain { run } => self.world.drain(self.now, *run),
            Effect::Release { run } => self.world.release(*run),
            Effect::Save => self.table = Table::of(self.subject.core()),
            Effect::Reply { .. }
            | Effect::Serve { .. }
            | Effect::Changed { .. }
            | Effect::Removed { .. }
            | Effect::Never { .. } => {}
        }
    }
}

/// A core that was written down and read again.
fn on_record(core: &Core) -> Core {
    let slots = core.slots().map(|slot| {
        let text = serde_json::to_string(slot).expect("JSON");
        serde_json::from_str(&text).expect("a slot")
    });
    let memory = serde_json::to_string(&core.memory()).expect("JSON");
    Core::resume(slots.collect::<Vec<_>>(), serde_json::from_str(&memory).expect("its memory"))
}

/// Which of a slot's runs is its own: the oldest that is alive and not known to be on its way out. A newer one has not taken over, or
/// that would be written down.
fn own_run(runs: &[Held], oldest: RunId) -> Option<Held> {
    let wanted = |held: &&Held| held.run >= oldest;
    let alive = runs.iter().filter(wanted).filter(|held| held.alive).min_by_key(|held| held.run);
    alive.or_else(|| runs.iter().filter(wanted).max_by_key(|held| held.run)).copied()
}
