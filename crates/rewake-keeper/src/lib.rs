//! The keeper: the small process that makes the others, reaps them, and holds the descriptors that must outlive the daemon.
//! It must never know policy, allocate without bound, or panic.

mod config;
mod error;
mod run;

mod keeper;

mod daemon;
mod ending;
mod exits;
mod foreign;
mod handover;
mod home;
mod orders;
mod outbox;
mod role;
mod runs;
mod service;
mod spawn;
mod take_over;
mod tree;
mod update;

mod log;

pub mod launch;
pub mod link;

pub use config::{
    BOOT_FLAG, CAN_GO_ON, CHECK_FLAG, Config, DAEMON_FLAG, EMBEDDED_FLAG, HANDOVER_FLAG, KEEPER_FLAG, LINK_FD,
    LINK_FD_FLAG, LOG_FILE, Mode, NOT_AGAIN, PID_FILE, READY_FD_FLAG, RUNS_FILES, SOCKET_FILE, SUCCESSOR_FLAG,
};
pub use error::{KeeperError, LaunchError};
pub use handover::check as check_handover;
pub use launch::{Embedded, launch, launch_embedded, launch_successor};
pub use link::Link;
pub use run::run;
