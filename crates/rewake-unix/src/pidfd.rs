//! One process, named so that it cannot be confused with a later one of the same pid. Never signals by number.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::OnceLock;

use nix::libc;

use crate::poll::{self, Interest};
use crate::reap::{self, Ended};
use crate::sys::{check, check_long, retry};

/// `PIDFD_SIGNAL_PROCESS_GROUP` of Linux 6.9, which libc does not name for every target.
const SIGNAL_PROCESS_GROUP: libc::c_uint = 1 << 2;

/// A pidfd of a process, close-on-exec.
///
/// # Errors
/// `ESRCH` when there is none of that pid; `EMFILE`. The caller makes sure that the pid still means what it thinks:
/// its own child that it has not reaped, or a check of the start time afterwards.
pub fn open(pid: u32) -> io::Result<OwnedFd> {
    let pid = libc::pid_t::try_from(pid).map_err(|_| io::Error::from_raw_os_error(libc::ESRCH))?;
    // SAFETY: pidfd_open takes two integers and touches no memory of ours.
    let fd = check_long(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: the kernel just made this descriptor for us; nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Sends a signal to the process; signal 0 only asks whether it can be signalled.
///
/// # Errors
/// `ESRCH` when it has been reaped; `EPERM`; `EINVAL` for a number that is no signal.
pub fn send(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    send_flags(pidfd, signal, 0)
}

/// Sends a signal to every member of the group that the process leads, also after the leader was reaped.
///
/// # Errors
/// As [`send`]; `ESRCH` when the group is empty; `EINVAL` before Linux 6.9 (see [`can_signal_groups`]).
pub fn send_group(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    send_flags(pidfd, signal, SIGNAL_PROCESS_GROUP)
}

/// Sends a signal to every member of the group with this number, for kernels without [`send_group`].
/// Only while the group's leader is the caller's own child and not reaped: until then nobody else can have the number.
///
/// # Errors
/// `ESRCH` when the child does not lead a group yet; `EPERM`.
pub fn send_group_of_unreaped_child(pid: u32, signal: i32) -> io::Result<()> {
    let group = libc::pid_t::try_from(pid).ok().filter(|&pid| pid > 1);
    let group = group.ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))?;
    // SAFETY: kill takes two integers.
    check(unsafe { libc::kill(-group, signal) }).map(drop)
}

/// Whether this kernel has [`send_group`]. Asked once.
pub fn can_signal_groups() -> bool {
    static PROBED: OnceLock<bool> = OnceLock::new();
    *PROBED.get_or_init(|| {
        // Signal 0 to our own group: an old kernel refuses the flag, a new one answers (ESRCH if we lead no group).
        let probe = open(std::process::id()).and_then(|me| send_group(me.as_fd(), 0));
        !matches!(probe.map_err(|error| error.raw_os_error()), Err(Some(libc::EINVAL | libc::ENOSYS)))
    })
}

/// The end of a child, if it has ended. With `leave` it stays a zombie, so that its pid is not given away.
///
/// # Errors
/// `ECHILD` when it is not our child or was reaped before.
pub fn wait(pidfd: BorrowedFd<'_>, leave: bool) -> io::Result<Option<Ended>> {
    let found = reap::wait_id(libc::P_PIDFD, pidfd.as_raw_fd() as libc::id_t, leave)?;
    Ok(found.map(|(_, ended)| ended))
}

/// Whether the process has ended; it need not be our child.
///
/// # Errors
/// When the descriptor cannot be polled.
pub fn has_ended(pidfd: BorrowedFd<'_>) -> io::Result<bool> {
    poll::ready_now(pidfd, Interest::Read)
}

fn send_flags(pidfd: BorrowedFd<'_>, signal: i32, flags: libc::c_uint) -> io::Result<()> {
    retry(|| {
        let no_info = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: a null siginfo is allowed (the kernel fills one in); the rest are integers.
        let done = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, no_info, flags) };
        check_long(done).map(drop)
    })
}
