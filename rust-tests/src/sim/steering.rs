//! Whom each slot's new connections are for, as the orders say it, and the rules of that. Knows no orders but those it is told of.

use std::collections::{BTreeMap, BTreeSet};

use rewake_core::{Core, Phase, RunId, SlotId};

use super::book::Book;
use super::rule::{Breach, Rule, breach};
use super::world::World;

/// Who serves.
#[derive(Debug, Default)]
pub(super) struct Steering {
    serving: BTreeMap<SlotId, RunId>,
    /// The runs that were told to go, or have ended.
    leaving: BTreeSet<RunId>,
}

impl Steering {
    /// What the next daemon takes over counts as up, and nobody need be told.
    pub(super) fn taken_over(book: &Book) -> Self {
        let own = |(id, slot): (&SlotId, &super::slot_book::SlotBook)| Some((*id, slot.run.as_ref()?.id?));
        Self { serving: book.slots.iter().filter_map(own).collect(), leaving: BTreeSet::new() }
    }

    /// A slot's connections are for this run from here on.
    pub(super) fn serve(&mut self, slot: SlotId, run: RunId, world: &World) -> Result<(), Breach> {
        let own = world.process(run).is_some_and(|process| process.slot() == slot && !process.is_reported_dead());
        if !own || self.leaving.contains(&run) {
            return breach(Rule::Steered, format!("slot {slot} is to be served by run {run}, which is not fit to"));
        }
        self.serving.insert(slot, run);
        Ok(())
    }

    /// A run was told to go, or has ended.
    pub(super) fn leaves(&mut self, run: RunId) {
        self.leaving.insert(run);
    }

    /// A slot is forgotten.
    pub(super) fn removed(&mut self, slot: SlotId) {
        self.serving.remove(&slot);
    }

    /// Who was last said to serve a slot.
    pub(super) fn of(&self, slot: SlotId) -> Option<RunId> {
        self.serving.get(&slot).copied()
    }

    /// After a step a slot that is up is served by its own run, and any other by none.
    pub(super) fn after(&self, core: &Core) -> Result<(), Breach> {
        for slot in core.slots() {
            let serving = self.of(slot.id).filter(|run| !self.leaving.contains(run));
            let up = if let Phase::Online { run, .. } = slot.phase { Some(run) } else { None };
            if serving != up {
                return breach(Rule::Steered, format!("slot {} is served by {serving:?}, and {up:?} is up", slot.id));
            }
        }
        Ok(())
    }
}
