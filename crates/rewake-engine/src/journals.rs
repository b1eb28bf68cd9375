//! The journals of all channels, each held by the keeper, too, for as long as its run is. A channel without one works, and would lose
//! what was under way with this daemon.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use rewake_core::RunId;
use rewake_unix::journal::Journal;
use rewake_wire::keeper::Order;

use crate::effects::Outgoing;
use crate::engine::Engine;

/// What the keeper's names for them begin with.
const PREFIX: &str = "journal ";

/// Those that an earlier daemon has left and no channel has taken yet.
pub(crate) type Journals = BTreeMap<RunId, OwnedFd>;

impl Engine {
    /// Takes the journals out of what the keeper has held.
    pub(crate) fn take_journals(&mut self, kept: &mut Vec<(String, OwnedFd)>) {
        for (name, fd) in std::mem::take(kept) {
            match name.strip_prefix(PREFIX).and_then(|run| run.parse().ok()) {
                Some(run) => drop(self.journals.insert(RunId(run), fd)),
                None => kept.push((name, fd)),
            }
        }
    }

    /// The journal of a run's channel: the one that was left, or a new one.
    pub(crate) fn journal(&mut self, run: RunId) -> Option<Journal> {
        // An embedded engine ends with its host: nobody would go on.
        self.home.as_ref()?;
        if let Some(left) = self.journals.remove(&run) {
            match Journal::follow(left) {
                Ok(journal) => return Some(journal),
                Err(error) => {
                    tracing::error!(run = run.0, "what an app was saying to the last daemon is lost: {error}");
                }
            }
        }
        let begun =
            Journal::new("rewake-journal").and_then(|journal| Ok((journal.fd().try_clone_to_owned()?, journal)));
        match begun {
            Ok((copy, journal)) => {
                self.outgoing.push_back(Outgoing::Keep { name: name(run), socket: Rc::new(copy) });
                Some(journal)
            }
            Err(error) => {
                tracing::error!(run = run.0, "an app's messages would not outlive this daemon: {error}");
                None
            }
        }
    }

    /// The run is gone, and its channel was read to the end.
    pub(crate) fn drop_journal(&mut self, run: RunId) {
        let has = self.runs.get(&run).and_then(|run| run.ipc.as_ref()).is_some_and(crate::ipc::Ipc::has_journal);
        if self.journals.remove(&run).is_some() || has {
            self.order(Order::LetGo { name: name(run) });
        }
    }

    /// Lets go of the journals of runs that are no more.
    pub(crate) fn drop_journals_left(&mut self) {
        let left: Vec<RunId> = self.journals.keys().copied().collect();
        for run in left {
            self.drop_journal(run);
        }
    }
}

fn name(run: RunId) -> String {
    format!("{PREFIX}{run}")
}
