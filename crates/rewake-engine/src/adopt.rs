//! The beginning and the end of a daemon's life: takes back what the table and the keeper hold; stops everything.

use std::collections::BTreeMap;

use rewake_core::{Command, Input, RunId, SlotId, Wanted};
use rewake_wire::keeper::Order;
use rewake_wire::store::Table;
use tokio::sync::oneshot;

use crate::engine::{Ended, Engine};
use crate::pending::Then;
use crate::reports::HeldRun;
use crate::run::Run;
use crate::sheet::new_slot;
use crate::store::Found;
use crate::verbs::sheet_of;

/// `SIGKILL`: for a run that nobody knows any more.
const SIGKILL: i32 = 9;

impl Engine {
    /// Restores the list, adopts what runs, and starts what ought to run and does not.
    pub(crate) fn take_back(&mut self, held: Vec<HeldRun>) {
        let table = self.read_table();
        let in_order = table.ended_in_order && held.is_empty();
        self.saving.wanted = table.generation;
        self.saving.written = table.generation;
        self.core.use_runs_from(table.next_run);
        self.restore(table);
        for run in held {
            self.adopt(run);
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
            let sheet = sheet_of(self, id, stored.spec, stored.created_at_ms);
            self.sheets.insert(id, sheet);
        }
    }

    /// Takes back one run that the keeper holds.
    fn adopt(&mut self, held: HeldRun) {
        let slot = held.tag.parse().map(SlotId).ok();
        let since = self.clock.time_of(held.started_at_ms);
        let Some(slot) = slot.filter(|slot| self.core.adopt(*slot, held.run, since)) else {
            return self.put_away(held.run, held.exit.is_some() && held.tree_gone);
        };
        if let Some(sheet) = self.sheets.get_mut(&slot) {
            sheet.started_at_ms = Some(held.started_at_ms);
        }
        self.runs.insert(held.run, Run::ordered(slot, held.started_at_ms));
        self.take_over(held.run, held.pid, held.fds);
        if let Some(exit) = held.exit {
            self.exited(held.run, exit, held.tree_gone);
        } else if self.core.slot(slot).is_some_and(|slot| slot.wanted != Wanted::Up) {
            // It was being stopped when the daemon died.
            let (nobody, _) = oneshot::channel();
            self.open(vec![Command::Stop { slots: vec![slot] }], &[slot], Then::Answer, nobody);
        }
    }

    /// A run whose slot is no longer on the list.
    fn put_away(&mut self, run: RunId, gone: bool) {
        tracing::warn!(run = run.0, "ending a process that belongs to no app on the list");
        self.core.use_runs_from(run.0.saturating_add(1));
        if !gone {
            self.order(Order::Signal { run: run.0, signal: SIGKILL, tree: true });
        }
        self.order(Order::Release { run: run.0 });
    }

    /// Asks the core to stop (or stop and forget) everything.
    pub(crate) fn begin_end(&mut self, ended: Ended) {
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
}
