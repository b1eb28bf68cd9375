//! What the daemon has of what its keeper holds, so that another keeper can hold it when that one dies. Copies only; never decides.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use rewake_core::{RunId, SlotId};
use rewake_wire::keeper::{Adopted, FdKind, Order, Plan, Role, UpdateOutcome};
use tokio::time::Instant;

use crate::effects::Outgoing;
use crate::engine::Engine;
use crate::run::Run;

/// A run for a keeper that has not made it, and its descriptors.
pub(crate) type Adoption = (Adopted, Vec<Rc<OwnedFd>>);

/// The keeper as the daemon knows it.
#[derive(Debug, Default)]
pub(crate) struct Holding {
    /// Also read by the door, for clients that wait for the keeper's end.
    pub(crate) keeper_pid: Rc<Cell<u32>>,
    /// The listening RPC socket.
    pub(crate) listener: Option<OwnedFd>,
    /// Sockets and other descriptors, by the keeper's name for each.
    pub(crate) kept: BTreeMap<String, Rc<OwnedFd>>,
    /// Processes that were ordered and not reported yet.
    pub(crate) ordered: BTreeMap<RunId, (SlotId, Box<Plan>)>,
    /// What a new keeper is still to be told, before anything else: it is on no record, since the next daemon has it from that keeper.
    pub(crate) first: VecDeque<Outgoing>,
    /// What the keeper is beside one who holds.
    pub(crate) role: Role,
    /// Ended runs that the keeper must not forget yet: their output is not in the logs.
    pub(crate) draining: BTreeMap<RunId, Adoption>,
    /// Keepers in a row that were started in place of one and have ended without a word.
    pub(crate) failures: u32,
    /// There is no keeper, and another one is tried at this time.
    pub(crate) next_try: Option<Instant>,
    /// The keeper has taken the place of one that died under this daemon.
    pub(crate) succeeded: bool,
    /// How the last updates ended, the newest at the end.
    pub(crate) updates: Vec<UpdateOutcome>,
}

impl Holding {
    /// Something has been sent to the keeper.
    pub(crate) fn sent(&mut self, sent: Outgoing) {
        match sent {
            Outgoing::Spawn { slot, run, plan } => drop(self.ordered.insert(run, (slot, plan))),
            Outgoing::Keep { name, socket } => drop(self.kept.insert(name, socket)),
            Outgoing::Order(Order::LetGo { name }) => drop(self.kept.remove(&name)),
            Outgoing::Order(_) | Outgoing::Adopt { .. } | Outgoing::Shutdown { .. } | Outgoing::Drain { .. } => {}
        }
    }
}

/// Copies of a run's descriptors; fewer where this process has too many open, which another keeper then goes without.
pub(crate) fn copies(fds: &[(FdKind, OwnedFd)]) -> Vec<(FdKind, Rc<OwnedFd>)> {
    fds.iter().filter_map(|(kind, fd)| Some((*kind, Rc::new(fd.try_clone().ok()?)))).collect()
}

impl Engine {
    /// What a new keeper is told first: all that this daemon has.
    pub(crate) fn all_held(&self) -> VecDeque<Outgoing> {
        let succeed = Order::Succeed { next_run: self.core.next_run(), role: self.holding.role.clone() };
        let draining = self.holding.draining.values().cloned();
        let adopted = self.runs.iter().filter_map(|(id, run)| self.adoption(*id, run)).chain(draining);
        let adopted = adopted.map(|(adopted, fds)| Outgoing::Adopt { adopted: Box::new(adopted), fds });
        let kept = self.holding.kept.iter();
        let kept = kept.map(|(name, socket)| Outgoing::Keep { name: name.clone(), socket: Rc::clone(socket) });
        // What was ordered and not heard of is ordered again; the last keeper's try has been put an end to.
        let ordered = self.holding.ordered.iter();
        let ordered = ordered.map(|(run, (slot, plan))| Outgoing::Spawn { slot: *slot, run: *run, plan: plan.clone() });
        [Outgoing::Order(succeed)].into_iter().chain(adopted).chain(kept).chain(ordered).collect()
    }

    /// A run for a keeper that has not made it; `None` for one without a process.
    pub(crate) fn adoption(&self, id: RunId, run: &Run) -> Option<Adoption> {
        let policy = self.sheets.get(&run.slot).map(|sheet| sheet.spec.policy.clone()).unwrap_or_default();
        let adopted = Adopted {
            run: id.0,
            tag: run.slot.to_string(),
            pid: run.pid?,
            started_at_ms: run.started_at_ms,
            fds: run.held.iter().map(|(kind, _)| *kind).collect(),
            exit: run.exit,
            treekill: policy.treekill,
            orphan_signal: match policy.stop_with {
                rewake_wire::StopWith::Signal(signal) => signal,
                rewake_wire::StopWith::Message => crate::plan::SIGINT,
            },
            orphan_timeout_ms: policy.kill_timeout_ms,
        };
        let fds = run.held.iter().map(|(_, fd)| Rc::clone(fd)).collect();
        Some((adopted, fds))
    }
}

/// As the link wants them.
pub(crate) fn borrowed(fds: &[Rc<OwnedFd>]) -> Vec<BorrowedFd<'_>> {
    fds.iter().map(|fd| fd.as_fd()).collect()
}
