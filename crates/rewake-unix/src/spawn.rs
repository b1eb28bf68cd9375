//! Making a process without waiting for it: fork, set-up, exec, and the failing step as data.
//! The child must never allocate, lock or return between fork and exec.

mod child;
mod command;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::libc;

pub use command::{Command, NulError};

use crate::sys::check;
use crate::{fd, pidfd, pipe};

/// The descriptors that the new program gets; everything else is closed there.
#[derive(Debug, Clone, Copy)]
pub struct Streams<'a> {
    pub stdin: BorrowedFd<'a>,
    pub stdout: BorrowedFd<'a>,
    pub stderr: BorrowedFd<'a>,
    /// What it finds from number 3 on.
    pub extra: &'a [BorrowedFd<'a>],
}

/// A process on its way to the program.
#[derive(Debug)]
pub struct Spawned {
    pub pid: u32,
    pub pidfd: OwnedFd,
    /// Readable once it has become the program or failed: ask [`progress`] then.
    pub status: OwnedFd,
}

/// How far a new process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    Pending,
    /// It has become the program (or was killed on the way: its exit tells).
    Running,
    /// It could not; it ends by itself with 127 and has to be reaped.
    Failed(SpawnError),
}

/// The step that failed, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{step}: {}", io::Error::from_raw_os_error(*errno))]
pub struct SpawnError {
    pub step: Step,
    pub errno: i32,
}

/// The steps of making a process, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The pipe for the result.
    Pipe,
    Fork,
    Pidfd,
    Setsid,
    /// Putting the descriptors in their places.
    Stdio,
    Setgid,
    Setuid,
    Chdir,
    Exec,
}

impl std::fmt::Display for Step {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Pipe => "pipe",
            Self::Fork => "fork",
            Self::Pidfd => "pidfd_open",
            Self::Setsid => "setsid",
            Self::Stdio => "dup2",
            Self::Setgid => "setgid",
            Self::Setuid => "setuid",
            Self::Chdir => "chdir",
            Self::Exec => "execve",
        })
    }
}

/// Forks a process that becomes the program: own session and group, no signal blocked or ignored, only these descriptors.
/// Returns as soon as it exists.
///
/// # Errors
/// When there is no process: out of descriptors, processes or memory.
pub fn spawn(command: &Command, streams: Streams<'_>) -> Result<Spawned, SpawnError> {
    let failed = |step| move |error: io::Error| SpawnError { step, errno: error.raw_os_error().unwrap_or(0) };
    let (status, report) = pipe::new().map_err(failed(Step::Pipe))?;
    fd::set_nonblocking(&status).map_err(failed(Step::Pipe))?;
    let plan = child::Plan::new(command, streams, report.as_fd());

    // Every signal is blocked across the fork, so that no handler of ours can run in the child.
    let old = all_signals_blocked().map_err(failed(Step::Fork))?;
    // SAFETY: the child runs `child::run` only, which is async-signal-safe and never returns; `plan` and all it
    // points at are alive in the child's copy of the memory.
    let forked = check(unsafe { libc::fork() });
    if let Ok(0) = forked {
        // SAFETY: this is the new child of a fork, and `plan` was made for it.
        unsafe { child::run(&plan) };
    }
    restore_signals(&old);
    let pid = forked.map_err(failed(Step::Fork))?.unsigned_abs();

    match pidfd::open(pid) {
        Ok(pidfd) => Ok(Spawned { pid, pidfd, status }),
        Err(error) => {
            // It is our child and not reaped, so the number is still its.
            // SAFETY: kill and waitpid take integers; a null status is allowed.
            unsafe {
                libc::kill(pid.cast_signed(), libc::SIGKILL);
                libc::waitpid(pid.cast_signed(), std::ptr::null_mut(), 0);
            }
            Err(failed(Step::Pidfd)(error))
        }
    }
}

/// How far the process is whose `status` this is. Never blocks.
#[must_use]
pub fn progress(status: BorrowedFd<'_>) -> Progress {
    let mut bytes = [0; 8];
    match fd::read(status, &mut bytes) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Progress::Pending,
        Ok(8) => {
            let [step, _, _, _, errno @ ..] = bytes;
            Progress::Failed(SpawnError { step: child::step_of(step), errno: i32::from_ne_bytes(errno) })
        }
        // The end: exec has closed the pipe. A pipe delivers the 8 bytes at once or not at all.
        Ok(_) | Err(_) => Progress::Running,
    }
}

fn all_signals_blocked() -> io::Result<libc::sigset_t> {
    // SAFETY: both sets are plain data, filled by the calls before they are read.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut old: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        match libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut old) {
            0 => Ok(old),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }
}

fn restore_signals(old: &libc::sigset_t) {
    // SAFETY: `old` is a mask that pthread_sigmask gave us; it cannot fail with it.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, old, std::ptr::null_mut()) };
}
