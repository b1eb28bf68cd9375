//! Reading log files: their last lines, and what is appended to them. Never asks the daemon for output.

mod file;
mod follower;
mod tail;
mod watch;

pub(crate) use follower::Follower;
pub(crate) use tail::{last_lines, start_of_last_lines};
