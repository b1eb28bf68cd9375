//! What goes out: orders to the outside, to be carried out in order. Never a question; answers come back as facts.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::{CallId, Exit, RunId, SlotId};

/// One order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Make a process for the slot; `Spawned` or `SpawnFailed` must follow.
    Spawn { slot: SlotId, run: RunId },
    /// Send a signal to the run's process, or to its whole tree.
    Signal { run: RunId, signal: i32, tree: bool },
    /// Send the message `'shutdown'`.
    SendShutdown { run: RunId },
    /// This run is the slot's own and up: new connections of the slot are for it from here on, and for no other, until it is told to go
    /// or ends. A run that is taken over from an earlier daemon counts as told.
    Serve { slot: SlotId, run: RunId },
    /// Tell the run to accept nothing any more and to serve what it has; `Drained` may follow.
    Drain { run: RunId },
    /// Nothing of this run is left: let go of all that belongs to it. The last order about it.
    Release { run: RunId },
    /// Answer a command.
    Reply { call: CallId, slots: Vec<SlotOutcome> },
    /// Tell whoever listens.
    Changed { slot: SlotId, run: Option<RunId>, change: Change, manually: bool },
    /// What must survive has changed: the list of slots, or what is wanted of one.
    Save,
    /// The slot is forgotten. The last order about it.
    Removed { slot: SlotId },
    /// Our own bug: log it; a test must fail.
    Never { what: &'static str },
}

/// A change in a slot's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Start,
    Online,
    ReadyTimeout,
    Exit(Exit),
    Stop,
    Restart,
    Delete,
    RestartOverlimit,
    SpawnFailed,
    CannotBeKilled,
    /// A run was ordered that is to replace the slot's own.
    Reload,
    /// The new run of a reload is no good. `alone`: the old one had ended by itself, so that it is the slot's own all the same.
    ReloadFailed {
        why: ReloadFailure,
        alone: bool,
    },
}

/// How a command went for one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotOutcome {
    pub slot: SlotId,
    pub result: Result<(), Failure>,
}

/// Why a command failed for one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// There is no such slot, or it is being deleted.
    Unknown,
    /// It has no process.
    NotRunning,
    /// A later command asked for the opposite.
    Superseded,
    /// The process could not be made.
    SpawnFailed,
    /// The process ended before it counted as up.
    ExitedEarly(Exit),
    /// SIGKILL does not end it.
    CannotBeKilled,
    /// The supervisor is ending.
    ShuttingDown,
    /// The new run was no good. The old one is untouched; or (`alone`) it had ended by itself before that could be seen.
    ReloadFailed { why: ReloadFailure, alone: bool },
    /// Its turn did not come: the reload ended at another slot.
    NotReloaded,
}

/// What was wrong with the new run of a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReloadFailure {
    /// It could not be made.
    SpawnFailed,
    /// It ended before it was ready.
    Exited(Exit),
    /// It was not ready within `ready_timeout`.
    NotReady,
    /// It was ready, and ended within `reload_soak`.
    DiedInSoak(Exit),
}
