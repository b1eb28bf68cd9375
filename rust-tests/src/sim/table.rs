//! What a daemon writes down for the next one: the list, without what is being deleted. Never written but on `Save`.

use rewake_core::{Core, NewSlot, RunId, Slot, SlotId, Wanted};

/// What a daemon writes down.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    pub(super) slots: Vec<Stored>,
    pub(super) next_run: u64,
}

/// One slot of it.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) id: SlotId,
    pub(super) instance: u32,
    pub(super) new: NewSlot,
    pub(super) wanted: Wanted,
    pub(super) restarts: u32,
    /// Runs below this are on their way out.
    pub(super) oldest_run: RunId,
}

impl Table {
    /// What is worth writing of a core: nothing of what is being deleted.
    pub(super) fn of(core: &Core) -> Self {
        let stored = |slot: &Slot| Stored {
            id: slot.id,
            instance: slot.instance,
            new: NewSlot { name: slot.name.clone(), namespace: slot.namespace.clone(), policy: slot.policy.clone() },
            wanted: slot.wanted,
            restarts: slot.restarts,
            oldest_run: slot.oldest_run,
        };
        let slots = core.slots().filter(|slot| slot.wanted != Wanted::Gone).map(stored).collect();
        Self { slots, next_run: core.next_run() }
    }
}
