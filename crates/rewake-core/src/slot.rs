//! One instance of an app: what is wanted of it and what it is doing. Holds facts; decides nothing.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::{Awaits, CallId, Exit, Policy, ReloadFailure, RunId, Second, SlotId, Streak, Time};

/// A slot. Read by anybody, written by the core alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    pub id: SlotId,
    pub name: String,
    pub namespace: String,
    /// Number among the slots of this name.
    pub instance: u32,
    pub policy: Policy,
    pub wanted: Wanted,
    /// What its own run is doing.
    pub phase: Phase,
    /// A run beside its own: there is none but for a reload.
    pub second: Option<Second>,
    /// Runs below this number are on their way out, should the next daemon find some.
    pub oldest_run: RunId,
    /// PM2's `restart_time`.
    pub restarts: u32,
    pub streak: Streak,
    pub last_exit: Option<Exit>,
    pub(crate) waiters: Vec<Waiter>,
}

/// What the user asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    Up,
    Down,
    /// Deleted as soon as its process is gone.
    Gone,
}

/// What a slot is doing. Each variant holds what is true in it and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    Stopped,
    /// Given up: too many failures, or the process could not be made.
    Errored,
    /// A process is being made. `restart`: a restart was asked for meanwhile, so what comes up is already out of date.
    Spawning {
        run: RunId,
        restart: bool,
        by: Cause,
    },
    /// It runs and has yet to be ready.
    Launching {
        run: RunId,
        since: Time,
        listened: bool,
        awaits: Awaits,
    },
    Online {
        run: RunId,
        since: Time,
        /// It has begun to listen at some time: its successor must, too.
        listened: bool,
    },
    Stopping(Stopping),
    WaitingRestart {
        until: Time,
    },
}

/// Who wanted a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    Command,
    Policy,
    /// A reload, whose old run has ended by itself: the new one has yet to prove itself. `listened`: so must it, as the old one did.
    Reload {
        listened: bool,
    },
}

/// A run on its way out, or an ended run whose tree is not yet gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopping {
    pub run: RunId,
    pub since: Time,
    pub stage: StopStage,
    /// Its exit, once it has happened; the tree may live on.
    pub exit: Option<Exit>,
    /// It ended by itself: what follows is the policy's to say, unless a command comes in between.
    pub crashed: bool,
}

/// How hard it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopStage {
    /// It serves what it has and accepts nothing; it is asked to end when it has done so. `told`: it has been sent the message that asks
    /// it, which would not reach it then.
    Draining { until: Time, told: bool },
    /// Politely; SIGKILL follows.
    Asked { kill_at: Time },
    /// SIGKILL was sent.
    Killed { give_up_at: Time },
    /// SIGKILL has not helped (uninterruptible sleep). It is watched, nothing else can be done.
    Stuck,
}

/// A command that waits for this slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Waiter {
    pub(crate) call: CallId,
    pub(crate) goal: Goal,
}

/// What a command waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Goal {
    /// Online for `settle` ms; `until` is known once it is online.
    Up { settle: u64, until: Option<Time> },
    /// No process.
    Down,
    /// Forgotten.
    Gone,
    /// Replaced, and the old run gone. `soak`: how long the new run must live after it was ready. `failed`: it will not replace the
    /// old one, and what is left of it is on its way out.
    Reload { soak: u64, failed: Option<ReloadFailure> },
    /// The same, but the old run has ended by itself: the new one is the slot's own, has yet to be ready, and must live for `soak` after
    /// that; `until` is known once it is ready.
    Alone { soak: u64, until: Option<Time> },
}

impl Slot {
    /// Its own run, which exists or is being made, if any. During a reload that is the old one until the new one takes over.
    #[must_use]
    pub fn run(&self) -> Option<RunId> {
        match &self.phase {
            Phase::Stopped | Phase::Errored | Phase::WaitingRestart { .. } => None,
            Phase::Spawning { run, .. } | Phase::Launching { run, .. } | Phase::Online { run, .. } => Some(*run),
            Phase::Stopping(stopping) => Some(stopping.run),
        }
    }

    /// All its runs: its own, and the one beside it.
    pub fn runs(&self) -> impl Iterator<Item = RunId> {
        self.run().into_iter().chain(self.second.as_ref().map(Second::run))
    }

    /// Its own run, whose process can be signalled or sent to.
    #[must_use]
    pub fn live_run(&self) -> Option<RunId> {
        match &self.phase {
            Phase::Launching { run, .. } | Phase::Online { run, .. } => Some(*run),
            Phase::Stopping(stopping) if stopping.exit.is_none() => Some(stopping.run),
            Phase::Stopping(_)
            | Phase::Stopped
            | Phase::Errored
            | Phase::Spawning { .. }
            | Phase::WaitingRestart { .. } => None,
        }
    }

    /// When this slot next wants a `Tick`.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        let settling = self.waiters.iter().filter_map(|waiter| match waiter.goal {
            Goal::Up { until, .. } | Goal::Alone { until, .. } => until,
            Goal::Down | Goal::Gone | Goal::Reload { .. } => None,
        });
        settling.chain(self.runs_due()).min()
    }

    /// When something is due with its runs, or the lack of one.
    pub(crate) fn runs_due(&self) -> Option<Time> {
        self.phase_due().into_iter().chain(self.second_due()).min()
    }

    /// When something is due with its own run, or the lack of one.
    pub(crate) fn phase_due(&self) -> Option<Time> {
        match &self.phase {
            Phase::Stopped | Phase::Errored | Phase::Spawning { .. } | Phase::Online { .. } => None,
            Phase::Launching { awaits, .. } => Some(awaits.due(false).0),
            Phase::Stopping(stopping) => stopping.due(),
            Phase::WaitingRestart { until } => Some(*until),
        }
    }
}
