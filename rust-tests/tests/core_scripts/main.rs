//! The core's rules one by one, as stories: what comes in, and the orders that follow. The simulation mixes them.

mod alone;
mod counters;
mod crash;
mod delete;
mod reload;
mod restart;
mod retire;
mod shutdown;
mod soak;
mod start;
mod stop;
mod targets;

use rewake_core::Policy;

pub(crate) const NOTHING: [&str; 0] = [];

pub(crate) fn plain() -> Policy {
    Policy::default()
}

pub(crate) fn wait_ready() -> Policy {
    Policy { wait_ready: true, ..plain() }
}
