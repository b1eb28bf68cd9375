//! The beginning and the end of a daemon's life: takes back what the table and the keeper hold; stops everything.

use std::collections::BTreeMap;

use rewake_core::{Command, Fact, Input, RunId, SlotId, Wanted};
use rewake_wire::keeper::{Exit, Notice, Order};
use rewake_wire::store::Table;
use tokio::sync::oneshot;

use crate::effects::Outgoing;
use crate::engine::{Begin, Ended, Engine};
use crate::holding::copies;
use crate::pending::Then;
use crate::reports::HeldRun;
use crate::run::Run;
use crate::sheet::new_slot;
use crate::store::Found;
use crate::verbs::sheet_of;

/// `SIGKILL`: for a run that nobody knows any more.
const SIGKILL: i32 = 9;

/// What the end takes beside the apps' own times: the table's write, and a machine that swaps.
const END_MARGIN_MS: u64 = 15_000;

impl Engine {
    /// Restores the list, adopts what runs, and starts what ought to run and does not.
    /// `first`: nothing was ordered of this keeper before.
    pub(crate) fn take_back(&mut self, mut held: Vec<HeldRun>, first: bool) {
        let table = match self.begin {
            Begin::Empty if first => Table::default(),
            Begin::Empty | Begin::Listed | Begin::Booted => self.read_table(),
        };
        let in_order = table.ended_in_order && held.is_empty();
        self.saving.wanted = table.generation;
        self.saving.written = table.generation;
        self.core.use_runs_from(table.next_run);
        self.restore(table);
        let found = self.add_survivors(&mut held, in_order);
        let mut by_slot: BTreeMap<SlotId, Vec<HeldRun>> = BTreeMap::new();
        for run in held {
            match run.tag.parse().map(SlotId) {
                Ok(slot) if self.sheets.contains_key(&slot) => by_slot.entry(slot).or_default().push(run),
                Ok(_) | Err(_) => self.put_away(run.run, run.exit.is_some() && run.tree_gone),
            }
        }
        for (slot, held) in by_slot {
            self.adopt(slot, held);
        }
        self.settle_survivors(&found);
        if self.begin == Begin::Booted && first {
            return self.boot();
        }
        if self.begin == Begin::Booted {
            // Whoever waits for it may have been told by a daemon that has died, or not.
            self.order(Order::Notify { notice: Notice::Up });
        }
        let lost: Vec<SlotId> = self
            .core
            .slots()
            .filter(|slot| slot.wanted == Wanted::Up && slot.run().is_none())
            .map(|slot| slot.id)
            .collect();
        if !in_order && !lost.is_empty() {
            tracing::warn!(apps = lost.len(), "starting what ought to run and does not");
            let (nobody, _) = oneshot::channel();
            self.open(vec![Command::Start { slots: lost.clone(), settle: 0 }], &lost, Then::Answer, nobody);
        }
        if in_order && !self.sheets.is_empty() {
            // The file still says that the last daemon ended in order; for this one that is not so yet.
            self.save();
        }
    }

    /// Adds what runs and the keeper has never heard of.
    pub(crate) fn add_survivors(&mut self, held: &mut Vec<HeldRun>, in_order: bool) -> Vec<(SlotId, RunId)> {
        let survivors = self.survivors(held, in_order);
        let found = survivors.iter().filter_map(|run| Some((SlotId(run.tag.parse().ok()?), run.run))).collect();
        for survivor in &survivors {
            self.give_to_keeper(survivor);
        }
        held.extend(survivors);
        found
    }

    /// The keeper is a new one and has never heard of it.
    fn give_to_keeper(&mut self, survivor: &HeldRun) {
        let Ok(slot) = survivor.tag.parse().map(SlotId) else { return };
        let run =
            Run { pid: Some(survivor.pid), held: copies(&survivor.fds), ..Run::ordered(slot, survivor.started_at_ms) };
        let adoption = self.adoption(survivor.run, &run);
        self.holding.first.extend(adoption.map(|(adopted, fds)| Outgoing::Adopt { adopted: Box::new(adopted), fds }));
    }

    fn read_table(&self) -> Table {
        let Some(store) = &self.saving.store else { return Table::default() };
        match store.read_table() {
            Found::Whole(table) => table,
            Found::Nothing => Table::default(),
            Found::Earlier(table, why) => {
                tracing::error!("the list is damaged ({why}); going on from the one before");
                table
            }
            Found::Damaged(why) => {
                tracing::error!("the list cannot be used ({why}); beginning with an empty one");
                Table::default()
            }
        }
    }

    fn restore(&mut self, table: Table) {
        for stored in table.slots {
            let id = SlotId(stored.id);
            let wanted = if stored.up { Wanted::Up } else { Wanted::Down };
            self.core.restore(id, stored.instance, new_slot(&stored.spec), wanted, stored.restarts);
            let mut sheet = sheet_of(self, id, stored.spec, stored.created_at_ms);
            sheet.oldest_run = RunId(stored.oldest_run);
            self.sheets.insert(id, sheet);
        }
    }

    /// Takes back the runs of one slot that the keeper holds, oldest first: more than one while a reload was under way.
    ///
    /// The slot's own is the oldest that lives, of those that were not on their way out: a reload whose new run had not taken over
    /// is given up. The others are told to go.
    fn adopt(&mut self, slot: SlotId, mut held: Vec<HeldRun>) {
        let floor = self.sheets.get(&slot).map_or(RunId(0), |sheet| sheet.oldest_run);
        held.sort_by_key(|held| held.run);
        let kept = |held: &HeldRun| held.run >= floor;
        let own =
            held.iter().position(|held| kept(held) && held.exit.is_none()).or_else(|| held.iter().rposition(kept));
        if let Some(own) = own {
            let own = held.remove(own);
            self.adopt_own(slot, own);
        }
        for other in held {
            self.retire(slot, other);
        }
        let unwanted =
            self.core.slot(slot).is_some_and(|slot| slot.wanted != Wanted::Up && slot.runs().next().is_some());
        if unwanted {
            // It was being stopped when the daemon died.
            let (nobody, _) = oneshot::channel();
            self.open(vec![Command::Stop { slots: vec![slot] }], &[slot], Then::Answer, nobody);
        }
    }

    fn adopt_own(&mut self, slot: SlotId, held: HeldRun) {
        let since = self.clock.time_of(held.started_at_ms);
        if !self.core.adopt(slot, held.run, since) {
            return self.put_away(held.run, held.exit.is_some() && held.tree_gone);
        }
        if let Some(sheet) = self.sheets.get_mut(&slot) {
            sheet.started_at_ms = Some(held.started_at_ms);
        }
        let run = held.run;
        let exit = self.take_held(slot, held);
        if self.worker_adopted(slot, run) {
            // Whether it listened is not known any more. That its successor must do so errs on the side of keeping it.
            self.step(Input::Fact(Fact::Listening { run }));
        }
        self.feed_exit(run, exit);
    }

    /// Takes over a run that is to go.
    fn retire(&mut self, slot: SlotId, held: HeldRun) {
        let since = self.clock.time_of(held.started_at_ms);
        let mut effects = Vec::new();
        if !self.core.retire(self.clock.now(), slot, held.run, since, &mut effects) {
            return self.put_away(held.run, held.exit.is_some() && held.tree_gone);
        }
        let run = held.run;
        let exit = self.take_held(slot, held);
        self.worker_adopted(slot, run);
        for effect in effects {
            self.carry_out(effect);
        }
        self.feed_exit(run, exit);
    }

    /// Takes a held run's descriptors; its exit, if it has ended.
    pub(crate) fn take_held(&mut self, slot: SlotId, held: HeldRun) -> Option<(Exit, bool)> {
        self.runs.insert(held.run, Run::ordered(slot, held.started_at_ms));
        self.adopting_ended = held.exit.is_some() && held.tree_gone;
        self.take_over(held.run, held.pid, held.fds);
        self.adopting_ended = false;
        held.exit.map(|exit| (exit, held.tree_gone))
    }

    fn feed_exit(&mut self, run: RunId, exit: Option<(Exit, bool)>) {
        if let Some((exit, tree_gone)) = exit {
            self.exited(run, exit, tree_gone);
        }
    }

    /// A run that no slot takes. Its end is answered with its release.
    pub(crate) fn put_away(&mut self, run: RunId, gone: bool) {
        tracing::warn!(run = run.0, "ending a process that belongs to no app on the list");
        self.core.use_runs_from(run.0.saturating_add(1));
        self.order(if gone {
            Order::Release { run: run.0 }
        } else {
            Order::Signal { run: run.0, signal: SIGKILL, tree: true }
        });
    }

    /// Kills what is still being stopped. The core hears of the ends as of any others.
    pub(crate) fn hurry(&mut self) {
        if self.ending.is_none() {
            return;
        }
        let kill = |(id, run): (&RunId, &Run)| {
            let tree = self.sheets.get(&run.slot).is_none_or(|sheet| sheet.spec.policy.treekill);
            Order::Signal { run: id.0, signal: SIGKILL, tree }
        };
        let orders: Vec<Order> = self.runs.iter().map(kill).collect();
        for order in orders {
            self.order(order);
        }
    }

    /// Asks the core to stop (or stop and forget) everything.
    pub(crate) fn begin_end(&mut self, ended: Ended) {
        self.order(Order::Notify { notice: Notice::Stopping { within_ms: self.ends_within_ms() } });
        let all: Vec<SlotId> = self.core.slots().map(|slot| slot.id).collect();
        let delete = (ended == Ended::Killed).then(|| Command::Delete { slots: all.clone() });
        let (nobody, _) = oneshot::channel();
        let pending = crate::pending::Pending {
            answer: nobody,
            calls_open: 1 + usize::from(delete.is_some()),
            outcomes: Vec::new(),
            names: BTreeMap::new(),
            then: Then::End,
        };
        let calls = self.requests.open(pending);
        let commands = delete.into_iter().chain([Command::Shutdown]);
        for (call, command) in calls.into_iter().zip(commands) {
            self.step(Input::Command(call, command));
        }
    }

    /// How long the end may take: the core waits for `kill_timeout` twice, once for each signal.
    fn ends_within_ms(&self) -> u64 {
        let longest = self.sheets.values().map(|sheet| sheet.spec.policy.kill_timeout_ms).max();
        longest.unwrap_or(0).saturating_mul(2).saturating_add(END_MARGIN_MS)
    }
}
