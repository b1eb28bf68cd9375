//! The beginning of a daemon's life after one that died: goes on from its record in the middle of whatever that one was doing. Repeats the
//! orders that it had not carried out; what has happened since is told by the keeper.

use std::collections::BTreeSet;

use rewake_core::{Core, Fact, Input, Memory, RunId, Slot, SlotId};
use rewake_wire::keeper::{Notice, Order};
use rewake_wire::snapshot::{SavedEnding, SavedOrder, Snapshot};

use crate::effects::Outgoing;
use crate::engine::{Begin, Ended, Engine};
use crate::ipc_out::Once;
use crate::record::in_core;
use crate::reports::HeldRun;
use crate::verbs::sheet_of;

impl Engine {
    /// Goes on from a record. `false`: it does not hold together; nothing has been done.
    pub(crate) fn resume_from(&mut self, snapshot: Snapshot) -> bool {
        match self.try_resume(snapshot) {
            Ok(()) => true,
            Err(why) => {
                tracing::error!(
                    "the last daemon's record cannot be used ({why}); going on with the list and what can be seen"
                );
                false
            }
        }
    }

    fn try_resume(&mut self, snapshot: Snapshot) -> Result<(), String> {
        let memory = snapshot.memory.ok_or("it is not whole")?;
        let core: Memory = in_core(&memory.core).map_err(|error| error.to_string())?;
        let mut slots: Vec<Slot> = Vec::with_capacity(snapshot.slots.len());
        for (id, saved) in &snapshot.slots {
            let slot: Slot = in_core(&saved.slot).map_err(|error| error.to_string())?;
            if slot.id.0 != *id || !snapshot.descriptions.contains_key(id) {
                return Err(format!("slot {id} is not described"));
            }
            slots.push(slot);
        }
        self.core = Core::resume(slots, core);
        for (id, description) in snapshot.descriptions {
            let Some(saved) = snapshot.slots.get(&id) else { continue };
            let id = SlotId(id);
            let mut sheet = sheet_of(self, id, description.spec, description.created_at_ms);
            sheet.before_reload = description.before_reload;
            sheet.started_at_ms = saved.started_at_ms;
            sheet.reason.clone_from(&saved.reason);
            self.sheets.insert(id, sheet);
        }
        self.requests.resume(memory.next_request, memory.reloads);
        self.saving.wanted = memory.table_generation;
        self.saving.written = memory.table_generation;
        self.resume_ending = memory.ending.map(Ended::of);
        Ok(())
    }

    /// Takes the runs that the keeper holds, repeats what was ordered, and hears what has happened since. `next_run`: no run of this
    /// number or above was ever ordered from the keeper.
    pub(crate) fn catch_up(&mut self, mut held: Vec<HeldRun>, orders: Vec<SavedOrder>, next_run: u64) {
        self.core.use_runs_from(next_run);
        // The keeper may itself be one that was being told what there is when that daemon died.
        let found = self.add_survivors(&mut held, true);
        held.sort_by_key(|held| held.run);
        let mut known = Vec::new();
        for run in held {
            match self.core.slot_of(run.run).map(|slot| slot.id) {
                Some(slot) => {
                    let number = run.run;
                    let exit = self.take_held(slot, run);
                    self.worker_adopted(slot, number);
                    known.push((number, exit));
                }
                None => self.take_leavings(run),
            }
        }
        let missing = self.missing(&known.iter().map(|(run, _)| *run).collect());
        let mut repeated = BTreeSet::new();
        for order in orders {
            self.repeat(order, &missing, next_run, &mut repeated);
        }
        for (run, exit) in known {
            self.step(Input::Fact(Fact::Spawned { run }));
            if let Some((exit, tree_gone)) = exit {
                self.exited(run, exit, tree_gone);
                if tree_gone {
                    self.step(Input::Fact(Fact::TreeGone { run }));
                }
            }
        }
        for run in missing.difference(&repeated) {
            // The keeper had said that it could not be made, or that it has ended, and nobody heard.
            self.step(Input::Fact(Fact::SpawnFailed { run: *run, retry: true }));
            let status = rewake_core::ExitStatus::Unknown;
            self.step(Input::Fact(Fact::Exited { run: *run, status, tree_gone: true }));
        }
        self.settle_survivors(&found);
        // The file on the disk may be older.
        self.save();
        if self.begin == Begin::Booted {
            // Whoever waits for it may have been told by a daemon that has died, or not.
            self.order(Order::Notify { notice: Notice::Up });
        }
        if let Some(ended) = self.resume_ending.take() {
            self.end(ended, None);
        }
    }

    /// A run that the core has done with. Its output may not be in the logs yet; the keeper forgets it when it is. Should that have been
    /// ordered already, it is on the list of orders, and repeated without harm.
    fn take_leavings(&mut self, held: HeldRun) {
        let gone = held.exit.is_some() && held.tree_gone;
        match held.tag.parse().map(SlotId) {
            Ok(slot) if gone && self.sheets.contains_key(&slot) => self.carry_last_output(slot, held),
            // Of an app that was deleted: nobody knows its logs any more.
            Ok(_) | Err(_) if gone => self.order(Order::Release { run: held.run.0 }),
            Ok(_) | Err(_) => self.put_away(held.run, false),
        }
    }

    /// Runs that slots have and the keeper has not.
    fn missing(&self, held: &BTreeSet<RunId>) -> BTreeSet<RunId> {
        self.core.slots().flat_map(Slot::runs).filter(|run| !held.contains(run)).collect()
    }

    fn repeat(&mut self, order: SavedOrder, missing: &BTreeSet<RunId>, next_run: u64, repeated: &mut BTreeSet<RunId>) {
        match order {
            SavedOrder::Spawn { slot, run } => {
                // The keeper may have taken it before the daemon died.
                let run = RunId(run);
                if run.0 >= next_run && missing.contains(&run) {
                    repeated.insert(run);
                    self.spawn(SlotId(slot), run);
                }
            }
            SavedOrder::Keeper(order) => self.order(order),
            SavedOrder::Shutdown { run } if self.has_said(RunId(run), Once::Shutdown) => {}
            SavedOrder::Shutdown { run } => self.outgoing.push_back(Outgoing::Shutdown { run: RunId(run) }),
            SavedOrder::Drain { run } if self.has_said(RunId(run), Once::Drain) => {}
            SavedOrder::Drain { run } => self.outgoing.push_back(Outgoing::Drain { run: RunId(run) }),
        }
    }

    fn has_said(&self, run: RunId, once: Once) -> bool {
        let ipc = self.runs.get(&run).and_then(|run| run.ipc.as_ref());
        ipc.is_some_and(|ipc| ipc.has_said(once))
    }
}

impl Ended {
    /// What the next daemon is to go on with; nothing where it is to go on as if nothing had been.
    pub(crate) fn saved(self) -> Option<SavedEnding> {
        match self {
            Self::Killed => Some(SavedEnding::Killed),
            Self::Terminated => Some(SavedEnding::Terminated),
            Self::HandedOver => None,
        }
    }

    fn of(saved: SavedEnding) -> Self {
        match saved {
            SavedEnding::Killed => Self::Killed,
            SavedEnding::Terminated => Self::Terminated,
        }
    }
}
