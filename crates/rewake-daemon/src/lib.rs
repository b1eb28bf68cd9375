//! The daemon: the engine with a door. Serves clients on the home's socket; never decides anything itself.

mod daemon;
mod files;
mod server;
mod session;

pub use daemon::{DaemonError, run, run_with};
pub use rewake_engine::{Begin, Handle, Options, Subscription};
