//! System calls as small safe functions: processes, descriptors, sockets, files, `/proc`. Linux only.
//! The one crate besides the Node addon that may hold `unsafe`; it must never know policy.

pub mod clock;
pub mod detach;
pub mod double;
pub mod errno;
pub mod events;
pub mod fd;
pub mod fdpass;
pub mod file;
pub mod home;
pub mod journal;
pub mod limits;
pub mod listen;
pub mod lock;
pub mod memfd;
pub mod notify;
pub mod own_log;
pub mod pidfd;
pub mod pipe;
pub mod poll;
pub mod proc;
pub mod program;
pub mod reap;
pub mod signal;
pub mod socket;
pub mod spawn;
pub mod spool;
pub mod terminal;
pub mod this;
pub mod user;

mod sys;

#[cfg(test)]
mod testing;
