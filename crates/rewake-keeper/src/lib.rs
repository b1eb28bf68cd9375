//! The keeper: the small process that makes the others, reaps them, and holds the descriptors that must outlive the daemon.
//! It must never know policy, allocate without bound, or panic.

mod config;
mod error;
mod run;

mod keeper;

mod daemon;
mod ending;
mod exits;
mod orders;
mod outbox;
mod runs;
mod service;
mod spawn;
mod tree;

mod log;

pub mod launch;
pub mod link;

pub use config::{
    BOOT_FLAG, Config, DAEMON_FLAG, EMBEDDED_FLAG, KEEPER_FLAG, LINK_FD, LINK_FD_FLAG, LOG_FILE, Mode, PID_FILE,
    READY_FD_FLAG, SOCKET_FILE,
};
pub use error::{KeeperError, LaunchError};
pub use launch::{Embedded, launch, launch_embedded};
pub use link::Link;
pub use run::run;
