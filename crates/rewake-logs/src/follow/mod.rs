//! What is appended to log files, wherever they are moved. Never polls, and never gives more at once than it is asked for.

mod body;
mod file;
mod follower;
mod watch;
mod watched;

pub use file::Start;
pub use follower::Follower;
