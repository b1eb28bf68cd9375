//! Every decision of Rewake: what to start, restart, stop and when. Facts and commands in, orders out.
//! Never does I/O, reads a clock, or knows a path, an environment variable, JSON or a file descriptor.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod balance;
mod calls;
mod commands;
mod core;
mod effect;
mod exit;
mod facts;
mod ids;
mod input;
mod policy;
mod second;
mod slot;
mod stopping;
mod succession;
mod target;
mod transitions;

pub use crate::core::{Core, Memory, NewSlot};
pub use balance::{Balancer, Look, Sample};
pub use effect::{Change, Effect, Failure, ReloadFailure, SlotOutcome};
pub use exit::{Exit, ExitStatus};
pub use ids::{CallId, RunId, SlotId, Time};
pub use input::{Command, Fact, Input};
pub use policy::{Policy, StopWith, Streak, Verdict};
pub use second::{Awaits, Leaving, Second, Successor};
pub use slot::{Goal, Phase, Slot, StopStage, Stopping, Wanted};
pub use target::{BadTarget, Target};
