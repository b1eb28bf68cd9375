//! Ends of child processes: who has ended and how. Never blocks.

use std::io;

use nix::libc;

use crate::sys::{check, retry};

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It exited with this code, 0 to 255.
    Code(i32),
    /// A signal ended it; real-time ones too.
    Signal { number: i32, core_dumped: bool },
}

impl Ended {
    /// From a status as `waitpid` gives it.
    #[must_use]
    pub fn of_status(status: i32) -> Self {
        match status & 0x7F {
            0 => Self::Code(status >> 8 & 0xFF),
            number => Self::Signal { number, core_dumped: status & 0x80 != 0 },
        }
    }
}

/// A child that has ended, any. With `leave` it stays a zombie, and is found again.
///
/// # Errors
/// Only when the kernel refuses the call; having no children is `None`.
pub fn any(leave: bool) -> io::Result<Option<(u32, Ended)>> {
    match wait_id(libc::P_ALL, 0, leave) {
        Err(error) if error.raw_os_error() == Some(libc::ECHILD) => Ok(None),
        other => other,
    }
}

/// The end of this child, if it has ended; it is reaped. `None` also when it is not our child.
///
/// # Errors
/// Only when the kernel refuses the call.
pub fn one(pid: u32) -> io::Result<Option<Ended>> {
    match wait_id(libc::P_PID, pid, false) {
        Err(error) if error.raw_os_error() == Some(libc::ECHILD) => Ok(None),
        other => Ok(other?.map(|(_, ended)| ended)),
    }
}

pub(crate) fn wait_id(kind: libc::idtype_t, id: libc::id_t, leave: bool) -> io::Result<Option<(u32, Ended)>> {
    let mut options = libc::WEXITED | libc::WNOHANG;
    if leave {
        options |= libc::WNOWAIT;
    }
    // SAFETY: siginfo_t is plain data for which all zeroes is a value; the kernel leaves si_pid 0 when nobody ended.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: `info` is a valid place for one siginfo_t for the time of the call.
    retry(|| check(unsafe { libc::waitid(kind, id, &raw mut info, options) }))?;
    // SAFETY: waitid returned 0, so these fields are either the child's or still zero.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    if pid == 0 {
        return Ok(None);
    }
    let ended = match info.si_code {
        libc::CLD_EXITED => Ended::Code(status),
        code => Ended::Signal { number: status, core_dumped: code == libc::CLD_DUMPED },
    };
    Ok(Some((pid.unsigned_abs(), ended)))
}
