//! The first engine after a boot: what ought to run is started, and the keeper told when it is. Never starts what was stopped.

use rewake_core::{Command, SlotId, Wanted};
use rewake_wire::keeper::{Notice, Order};
use tokio::sync::oneshot;

use crate::engine::Engine;
use crate::pending::Then;
use crate::verbs;

/// What a start takes beside the apps' own times, on a machine where everything starts at once.
const START_MARGIN_MS: u64 = 60_000;

impl Engine {
    /// Starts what the list wants, however the last daemon ended; where it is empty, what was saved.
    pub(crate) fn boot(&mut self) {
        let slots: Vec<SlotId> = if self.sheets.is_empty() {
            verbs::list_what_was_saved(self)
        } else {
            let wanted = self.core.slots().filter(|slot| slot.wanted == Wanted::Up && slot.run().is_none());
            wanted.map(|slot| slot.id).collect()
        };
        // The file may still say that the last daemon ended in order; for this one that is not so yet.
        self.save();
        if slots.is_empty() {
            return self.order(Order::Notify { notice: Notice::Up });
        }
        tracing::info!(apps = slots.len(), "starting what ought to run");
        let longest = self.sheets.values().map(|sheet| &sheet.spec.policy).filter(|policy| policy.wait_ready);
        let longest = longest.map(|policy| policy.listen_timeout_ms).max().unwrap_or(0);
        let within_ms = longest.saturating_add(START_MARGIN_MS);
        self.order(Order::Notify { notice: Notice::Starting { within_ms } });
        let (nobody, _) = oneshot::channel();
        self.open(vec![Command::Start { slots: slots.clone(), settle: 0 }], &slots, Then::Booted, nobody);
    }
}
