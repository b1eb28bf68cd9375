//! Requests that wait for the core, and replies that wait for the disk. Each is answered once.

use std::collections::{BTreeMap, BTreeSet};

use rewake_core::{CallId, Failure, SlotId, SlotOutcome};
use rewake_wire::{Done, ErrorReply, Reply};
use tokio::sync::oneshot;

/// Where an answer goes.
pub(crate) type Answer = oneshot::Sender<Result<Reply, ErrorReply>>;

/// A request that opened one or more core calls.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) answer: Answer,
    pub(crate) calls_open: usize,
    pub(crate) outcomes: Vec<SlotOutcome>,
    /// Names of the slots when the request came: a deleted slot's is no longer known afterwards.
    pub(crate) names: BTreeMap<SlotId, String>,
    pub(crate) then: Then,
}

/// What follows when the core has replied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Answer,
    /// What ought to run after a boot has been started: the keeper is told.
    Booted,
    /// The answer is the last thing this engine says.
    End,
}

/// All open requests.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    next: u64,
    pending: BTreeMap<u64, Pending>,
    by_call: BTreeMap<CallId, u64>,
    /// The calls that are reloads.
    reloads: BTreeSet<CallId>,
}

impl Requests {
    /// Opens a request over so many core calls; their ids.
    pub(crate) fn open(&mut self, pending: Pending) -> Vec<CallId> {
        let request = self.next;
        let calls: Vec<CallId> = (0..pending.calls_open as u64).map(|n| CallId(request + n)).collect();
        self.next += calls.len().max(1) as u64;
        self.by_call.extend(calls.iter().map(|call| (*call, request)));
        self.pending.insert(request, pending);
        calls
    }

    /// What the next daemon needs to go on: the next call, and those that are reloads.
    pub(crate) fn memory(&self) -> (u64, Vec<u64>) {
        (self.next, self.reloads.iter().map(|call| call.0).collect())
    }

    /// Goes on from an earlier daemon's. Nobody waits for those calls any more.
    pub(crate) fn resume(&mut self, next: u64, reloads: Vec<u64>) {
        self.next = next;
        self.reloads = reloads.into_iter().map(CallId).collect();
    }

    /// Whether nothing is under way.
    pub(crate) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Notes that a call is a reload.
    pub(crate) fn is_reload(&mut self, call: CallId) {
        self.reloads.insert(call);
    }

    /// Whether a call that is being answered was a reload. Known once.
    pub(crate) fn was_reload(&mut self, call: CallId) -> bool {
        self.reloads.remove(&call)
    }

    /// Takes a core's reply; the whole request once the last has come.
    pub(crate) fn replied(&mut self, call: CallId, outcomes: Vec<SlotOutcome>) -> Option<Pending> {
        let request = self.by_call.remove(&call)?;
        let pending = self.pending.get_mut(&request)?;
        pending.outcomes.extend(outcomes);
        pending.calls_open -= 1;
        if pending.calls_open > 0 {
            return None;
        }
        self.pending.remove(&request)
    }
}

/// A reply that may go out once the table is on disk.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) generation: u64,
    pub(crate) answer: Answer,
    pub(crate) done: Done,
}

/// Whether an outcome says that the slot could not be started for a reason noted on its sheet.
pub(crate) fn has_reason(failure: Failure) -> bool {
    matches!(failure, Failure::SpawnFailed | Failure::ReloadFailed { why: rewake_core::ReloadFailure::SpawnFailed, .. })
}

/// Answers; a client that has gone needs none.
pub(crate) fn tell(answer: Answer, reply: Result<Reply, ErrorReply>) {
    let _ = answer.send(reply);
}
