//! One process, named so that it cannot be confused with a later one of the same pid. Never signals by number.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::OnceLock;

use nix::libc;

use crate::poll::{self, Interest};
use crate::proc;
use crate::reap::{self, Ended};
use crate::sys::{check, check_long, retry};

/// `PIDFD_SIGNAL_PROCESS_GROUP` of Linux 6.9, which libc does not name for every target.
const SIGNAL_PROCESS_GROUP: libc::c_uint = 1 << 2;

/// `PIDFD_GET_INFO`: `_IOWR(0xFF, 11, struct pidfd_info)` with the struct's first size.
const GET_INFO: libc::Ioctl = 0xC040_FF0B_u32 as libc::Ioctl;

/// `PIDFD_INFO_EXIT` of Linux 6.15.
const INFO_EXIT: u64 = 1 << 3;

/// `struct pidfd_info` in its first size: the mask, what we do not ask for, the exit status.
#[repr(C)]
#[derive(Default)]
struct Info {
    mask: u64,
    _not_asked_for: [u32; 13],
    exit_code: i32,
}

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

/// How a process ended that need not be our child; `None` while it runs, and where nobody tells: the kernel does once somebody has
/// reaped it, from Linux 6.15 on; before that `/proc` does, as long as nobody has.
#[must_use]
pub fn ended(pidfd: BorrowedFd<'_>, pid: u32) -> Option<Ended> {
    told_by_kernel(pidfd).or_else(|| {
        let ended =
            has_ended(pidfd).ok().filter(|ended| *ended).and_then(|_| proc::zombie_status(pid).ok().flatten())?;
        // The pid may have passed on between the two looks; while it is still this zombie's, it can be signalled.
        send(pidfd, 0).is_ok().then_some(ended)
    })
}

fn told_by_kernel(pidfd: BorrowedFd<'_>) -> Option<Ended> {
    let mut info = Info { mask: INFO_EXIT, ..Info::default() };
    // SAFETY: the request's number holds the size of `Info`, of which the kernel writes no more; it is ours and outlives the call.
    check(unsafe { libc::ioctl(pidfd.as_raw_fd(), GET_INFO, &raw mut info) }).ok()?;
    (info.mask & INFO_EXIT != 0).then(|| Ended::of_status(info.exit_code))
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

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_end_of_a_process_is_told_while_it_is_a_zombie_and_where_the_kernel_can_also_after() {
        for (script, expected) in [
            ("read x; exit 7", Ended::Code(7)),
            ("read x; kill -9 $$", Ended::Signal { number: 9, core_dumped: false }),
        ] {
            let mut child =
                Command::new("sh").args(["-c", script]).stdin(std::process::Stdio::piped()).spawn().unwrap();
            let pidfd = open(child.id()).unwrap();
            assert_eq!(ended(pidfd.as_fd(), child.id()), None, "it runs");
            drop(child.stdin.take());
            poll::wait(&[(pidfd.as_fd(), Interest::Read)], Some(std::time::Duration::from_secs(60))).unwrap();
            assert_eq!(ended(pidfd.as_fd(), child.id()), Some(expected), "a zombie");
            child.wait().unwrap();
            let told = ended(pidfd.as_fd(), child.id());
            assert!(told.is_none() || told == Some(expected), "{told:?}");
        }
    }
}
