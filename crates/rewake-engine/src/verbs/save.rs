//! `save` writes the dump that `resurrect` reads; and the table, which needs no verb, is written here, too.

use rewake_core::Wanted;
use rewake_wire::store::{StoredSlot, Table};
use rewake_wire::{ErrorCode, ErrorReply, Reply};

use crate::engine::{Begin, Ended, Engine, Saved};
use crate::pending::Held;

pub(crate) fn save(engine: &Engine, force: bool) -> Result<Reply, ErrorReply> {
    let Some(store) = &engine.saving.store else { return Err(no_home()) };
    let table = engine.table();
    if table.slots.is_empty() && !force {
        let error = ErrorReply::new(ErrorCode::NothingSaved, "nothing to save: no app is listed");
        return Err(error.with_hint("`rewake save --force` saves the empty list"));
    }
    let slots = u32::try_from(table.slots.len()).unwrap_or(u32::MAX);
    // A command that is rare and whose very purpose is the disk: it waits for it.
    store.write_dump(&table).map_err(|error| {
        let message = format!("cannot write `{}`: {error}", store.dump_path().display());
        ErrorReply::new(ErrorCode::Storage, message)
    })?;
    Ok(Reply::Saved { path: store.dump_path().display().to_string(), slots })
}

pub(crate) fn no_home() -> ErrorReply {
    ErrorReply::new(ErrorCode::Storage, "an embedded supervisor has no home to save in")
}

impl Engine {
    /// What must survive has changed.
    pub(crate) fn save(&mut self) {
        self.saving.wanted += 1;
        self.write_table();
    }

    /// Writes the newest table unless a write is under way; then that one's end begins the next.
    pub(crate) fn write_table(&mut self) {
        let Some(store) = self.saving.store.clone() else { return };
        if self.saving.in_flight || self.saving.written >= self.saving.wanted {
            return;
        }
        self.saving.in_flight = true;
        let (generation, table, saved) = (self.saving.wanted, self.table(), self.saving.saved.clone());
        tokio::task::spawn_blocking(move || {
            let result = store.write_table(&table);
            // The engine has gone: it wrote its last table itself.
            let _ = saved.send(Saved { generation, result });
        });
    }

    /// A write has ended: whoever waited for it hears.
    pub(crate) fn saved(&mut self, saved: Saved) {
        self.saving.in_flight = false;
        match saved.result {
            Ok(()) => {
                self.saving.written = saved.generation;
                self.release_held(None);
                self.write_table();
            }
            Err(error) => {
                tracing::error!("the list could not be written: {error}");
                self.note_save_failure();
                self.release_held(Some(&format!("the list could not be written to disk: {error}")));
            }
        }
    }

    /// Answers those whose change is on disk; with a warning, all.
    pub(crate) fn release_held(&mut self, warning: Option<&str>) {
        let written = self.saving.written;
        let ready = |held: &mut Held| warning.is_some() || held.generation <= written;
        for Held { answer, mut done, .. } in self.saving.held.extract_if(.., ready) {
            done.warnings.extend(warning.map(str::to_owned));
            // A client that has gone needs no answer.
            let _ = answer.send(Ok(Reply::Done(done)));
        }
    }

    /// The table as the next daemon is to find it; why not, if it cannot be written.
    pub(crate) fn write_last_table(&mut self, ended: Ended) -> Option<String> {
        let store = self.saving.store.clone()?;
        let mut table = self.table();
        table.ended_in_order = true;
        debug_assert!(ended == Ended::Terminated || table.slots.is_empty());
        if self.begin == Begin::Empty {
            // It was for a successor of this engine, and says what nobody will ask for.
            store.remove_table();
            self.saving.written = self.saving.wanted;
            return None;
        }
        match store.write_table(&table) {
            Ok(()) => {
                self.saving.written = self.saving.wanted;
                None
            }
            Err(error) => {
                tracing::error!("the list could not be written: {error}");
                Some(format!("the list could not be written to disk: {error}"))
            }
        }
    }

    /// Every slot as it is to be found again.
    pub(crate) fn table(&self) -> Table {
        let stored = |slot: &rewake_core::Slot| {
            let sheet = self.sheets.get(&slot.id)?;
            Some(StoredSlot {
                id: slot.id.0,
                instance: slot.instance,
                up: slot.wanted == Wanted::Up,
                created_at_ms: sheet.created_at_ms,
                restarts: slot.restarts,
                oldest_run: slot.oldest_run.0,
                spec: sheet.spec.clone(),
            })
        };
        let kept = self.core.slots().filter(|slot| slot.wanted != Wanted::Gone);
        Table {
            generation: self.saving.wanted,
            next_run: self.core.next_run(),
            ended_in_order: false,
            slots: kept.filter_map(stored).collect(),
        }
    }
}
