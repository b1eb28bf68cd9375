//! Flags and numbers of descriptors. Never opens anything.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::libc;

use crate::sys::{check, check_long};

/// Takes over a descriptor that was inherited under a number that a command line or an agreement names.
/// It gets another number, above 3, and is close-on-exec. Call it once for each number, before anything else is opened.
///
/// # Errors
/// `EBADF` when nothing was inherited there.
pub fn adopt(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: fcntl with F_DUPFD_CLOEXEC only makes a new descriptor, and fails for a number that is not open.
    let copy = check(unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 4) })?;
    nix::unistd::close(number)?;
    // SAFETY: the kernel just made this descriptor for us; nobody else knows it.
    Ok(unsafe { std::os::fd::FromRawFd::from_raw_fd(copy) })
}

/// Takes over a descriptor under the number that this program's former self names, which it keeps; it is close-on-exec from now on.
/// Call it once for each number, before anything else is opened.
///
/// # Errors
/// `EBADF` when nothing is open there.
pub fn take_over(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: sets a flag, and fails for a number that is not open.
    check(unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    // SAFETY: it is open, and by the agreement with the former self nobody else in this program owns it.
    Ok(unsafe { std::os::fd::FromRawFd::from_raw_fd(number) })
}

/// Whether programs that this one becomes find the descriptor.
///
/// # Errors
/// Never for an open descriptor.
pub fn set_inherited(fd: impl AsFd, inherited: bool) -> io::Result<()> {
    fcntl(fd.as_fd(), FcntlArg::F_SETFD(if inherited { FdFlag::empty() } else { FdFlag::FD_CLOEXEC }))?;
    Ok(())
}

/// A copy of a descriptor with a number of at least `lowest`, close-on-exec.
///
/// # Errors
/// `EMFILE`.
pub fn copy_above(fd: BorrowedFd<'_>, lowest: RawFd) -> io::Result<OwnedFd> {
    let copy = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(lowest))?;
    // SAFETY: the kernel just made this descriptor for us; nobody else knows it.
    Ok(unsafe { std::os::fd::FromRawFd::from_raw_fd(copy) })
}

/// Closes every inherited descriptor from `lowest` on that `keep` does not name. Only for the first moments of a program,
/// before it has opened anything that it does not name here.
///
/// # Errors
/// When `/proc/self/fd` cannot be read on a kernel without `close_range`.
pub fn close_inherited(lowest: RawFd, keep: &[BorrowedFd<'_>]) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let mut kept: Vec<RawFd> = keep.iter().map(AsRawFd::as_raw_fd).collect();
    kept.sort_unstable();
    let mut from = lowest;
    for fd in kept.into_iter().filter(|&fd| fd >= lowest) {
        if from < fd {
            close_range(from, fd - 1)?;
        }
        from = fd + 1;
    }
    close_range(from, RawFd::MAX)
}

fn close_range(first: RawFd, last: RawFd) -> io::Result<()> {
    // SAFETY: closes descriptors by number; the caller vouches that nothing in this program owns them.
    let done = check_long(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) });
    match done {
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => {
            for number in open_numbers()?.into_iter().filter(|&number| (first..=last).contains(&number)) {
                // The number by which the folder itself was read is gone already: EBADF is fine.
                let _ = nix::unistd::close(number);
            }
            Ok(())
        }
        other => other.map(drop),
    }
}

/// Has the kernel make room for so many descriptors now. It does so by itself whenever a number is too high for the table of the
/// process; where that has several threads by then, the call that opens the descriptor takes some 10 ms.
pub fn make_room(any: impl AsFd, descriptors: RawFd) {
    // Refused above the user's limit: then there will never be as many.
    drop(copy_above(any.as_fd(), descriptors - 1));
}

/// Numbers of all open descriptors of this process.
///
/// # Errors
/// When `/proc/self/fd` cannot be read.
pub fn open_numbers() -> io::Result<Vec<RawFd>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        if let Some(number) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) {
            numbers.push(number);
        }
    }
    Ok(numbers)
}

/// Makes reads and writes return `WouldBlock` instead of waiting. The flag is shared by all copies of the descriptor.
///
/// # Errors
/// When the descriptor has no such flag.
pub fn set_nonblocking(fd: impl AsFd) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(fd.as_fd(), FcntlArg::F_GETFL)?);
    fcntl(fd.as_fd(), FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// Makes reads and writes wait, as those of a new descriptor do. The flag is shared by all copies of the descriptor.
///
/// # Errors
/// When the descriptor has no such flag.
pub fn set_blocking(fd: impl AsFd) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(fd.as_fd(), FcntlArg::F_GETFL)?);
    fcntl(fd.as_fd(), FcntlArg::F_SETFL(flags - OFlag::O_NONBLOCK))?;
    Ok(())
}

/// Keeps the descriptor out of programs that are started later.
///
/// # Errors
/// Never for an open descriptor.
pub fn set_cloexec(fd: impl AsFd) -> io::Result<()> {
    fcntl(fd.as_fd(), FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Ok(())
}

/// Writes as much as fits; for non-blocking descriptors.
///
/// # Errors
/// `WouldBlock` when nothing fits, `EPIPE` when nobody reads (the caller's SIGPIPE is ignored).
pub fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    loop {
        match nix::unistd::write(fd, bytes) {
            Err(Errno::EINTR) => {}
            other => return Ok(other?),
        }
    }
}

/// Reads what there is; 0 is the end.
///
/// # Errors
/// `WouldBlock` when there is nothing yet on a non-blocking descriptor.
pub fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match nix::unistd::read(fd, buffer) {
            Err(Errno::EINTR) => {}
            other => return Ok(other?),
        }
    }
}
