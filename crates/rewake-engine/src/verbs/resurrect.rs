//! `resurrect`: bring back what was saved, and what a supervisor that ended in order had running. What runs is left alone.

use std::collections::BTreeSet;

use rewake_core::{Command, Phase, Slot, SlotId, Wanted};
use rewake_wire::store::Table;
use rewake_wire::{ErrorCode, ErrorReply};

use super::save::no_home;
use super::start::add;
use crate::engine::Engine;
use crate::pending::{Answer, Then, tell};
use crate::store::Found;

pub(crate) fn resurrect(engine: &mut Engine, answer: Answer) {
    let waiting: Vec<SlotId> = engine.core.slots().filter(|slot| is_waiting(slot)).map(|slot| slot.id).collect();
    let dump = match read_dump(engine) {
        Ok(dump) => dump,
        Err(error) if waiting.is_empty() => return tell(answer, Err(error)),
        // The list itself says what to start; a missing or damaged dump is then no loss.
        Err(_) => Table::default(),
    };
    let mut start = waiting;
    start.extend(bring_back(engine, dump));
    let commands = (!start.is_empty()).then(|| Command::Start { slots: start.clone(), settle: 0 });
    engine.open(commands.into_iter().collect(), &start, Then::Answer, answer);
}

/// Wanted, and not running: as the list of a supervisor that was ended in order is found.
fn is_waiting(slot: &Slot) -> bool {
    slot.wanted == Wanted::Up && matches!(slot.phase, Phase::Stopped)
}

/// Puts what was saved on a list that is empty; the slots to start.
pub(crate) fn list_what_was_saved(engine: &mut Engine) -> Vec<SlotId> {
    match read_dump(engine) {
        Ok(dump) => return bring_back(engine, dump),
        Err(error) if error.code == ErrorCode::NothingSaved => {}
        Err(error) => tracing::error!("{}", error.message),
    }
    Vec::new()
}

fn read_dump(engine: &Engine) -> Result<Table, ErrorReply> {
    let store = engine.saving.store.as_ref().ok_or_else(no_home)?;
    let path = store.dump_path();
    match store.read_dump() {
        Found::Whole(dump) => Ok(dump),
        Found::Earlier(dump, why) => {
            tracing::warn!("the newest dump is damaged ({why}); the one before is used");
            Ok(dump)
        }
        Found::Nothing => {
            let message = format!("nothing was saved: there is no `{}`", path.display());
            Err(ErrorReply::new(ErrorCode::NothingSaved, message).with_hint("`rewake save` writes it"))
        }
        Found::Damaged(why) => {
            let error = ErrorReply::new(ErrorCode::Storage, format!("the dump cannot be used: {why}"));
            Err(error.with_hint(format!("the damaged file was kept as `{}.corrupt`", path.display())))
        }
    }
}

/// Adds what the dump has and the list has not; the slots to start.
fn bring_back(engine: &mut Engine, dump: Table) -> Vec<SlotId> {
    let key = |slot: &Slot| (slot.name.clone(), slot.namespace.clone());
    let listed: BTreeSet<_> = engine.core.slots().map(key).collect();
    let mut start = Vec::new();
    for stored in dump.slots {
        // Names that are on the list are left to it, as in PM2.
        if listed.contains(&(stored.spec.name.clone(), stored.spec.namespace.clone())) {
            continue;
        }
        let id = add(engine, &stored.spec);
        if stored.up {
            start.push(id);
        }
    }
    start
}
