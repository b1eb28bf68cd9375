//! What comes in: commands of clients, and facts about runs. Every fact names its run.

use alloc::vec::Vec;

use crate::{CallId, ExitStatus, RunId, SlotId};

/// One thing that happened; `step` takes one at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A client asks; exactly one [`Effect::Reply`](crate::Effect::Reply) with this id follows, now or later.
    Command(CallId, Command),
    /// The outside reports.
    Fact(Fact),
    /// A deadline may have passed.
    Tick,
}

/// What a client may ask of listed slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Bring these up; those that are up already are left alone. Done when each has been online for `settle` ms.
    Start { slots: Vec<SlotId>, settle: u64 },
    /// Done when none of them has a process.
    Stop { slots: Vec<SlotId> },
    /// Stop what runs, then start all. Done as `Start`.
    Restart { slots: Vec<SlotId>, settle: u64 },
    /// New runs in place of the present ones, one slot after the other, `parallel` (at least 1) at a time. Done when the old runs
    /// are gone. The first failure ends it: slots that were not begun are [`NotReloaded`](crate::Failure::NotReloaded). Once a new run
    /// has lived through `reload_soak`, the slots of its app that begin later need not wait for that.
    Reload { slots: Vec<SlotId>, parallel: usize },
    /// Stop and forget. Done when they are gone.
    Delete { slots: Vec<SlotId> },
    /// As `Delete`, but what can be drained is drained first: for scaling down.
    Retire { slots: Vec<SlotId> },
    /// Zero the counters.
    Reset { slots: Vec<SlotId> },
    /// Send one signal to each process, not to its tree.
    Signal { slots: Vec<SlotId>, signal: i32 },
    /// Stop everything but remember what was wanted; refuse new starts from here on.
    Shutdown,
}

/// What the outside reports. A fact about a run that is not (or no longer) known changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// The process exists.
    Spawned { run: RunId },
    /// The process could not be made. `retry`: the cause may pass (no memory, no descriptors).
    SpawnFailed { run: RunId, retry: bool },
    /// The process ended. `tree_gone`: and so has everything it started in its group.
    Exited { run: RunId, status: ExitStatus, tree_gone: bool },
    /// The last of an ended run's tree is gone.
    TreeGone { run: RunId },
    /// The app said `'ready'`.
    Ready { run: RunId },
    /// It has begun to listen. Told again it changes nothing.
    Listening { run: RunId },
    /// It accepts nothing any more and has served what it had: its channel has ended.
    Drained { run: RunId },
    /// The `'shutdown'` message could not be delivered.
    ShutdownUndeliverable { run: RunId },
}
