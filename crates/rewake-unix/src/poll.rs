//! Waiting for descriptors and signals, for programs with one thread and no runtime. Never wakes without a reason.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// What a descriptor is watched for. Its end and its errors always count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    Read,
    Write,
    /// Only its end.
    End,
}

/// Waits until one of the descriptors is ready, or the time is over; tells for each whether it is.
/// Less than a millisecond is rounded up, so that a deadline has passed when this returns.
///
/// # Errors
/// When the kernel refuses (too many descriptors). A signal cuts the wait short: nothing is ready then.
pub fn wait(watched: &[(BorrowedFd<'_>, Interest)], timeout: Option<Duration>) -> io::Result<Vec<bool>> {
    let mut fds: Vec<PollFd<'_>> = watched.iter().map(|&(fd, interest)| PollFd::new(fd, flags(interest))).collect();
    let timeout = timeout.map_or(PollTimeout::NONE, |time| {
        let ms = time.as_millis() + u128::from(time.subsec_nanos() % 1_000_000 != 0);
        PollTimeout::try_from(ms).unwrap_or(PollTimeout::MAX)
    });
    match nix::poll::poll(&mut fds, timeout) {
        Ok(_) => Ok(fds.iter().map(|fd| fd.any() == Some(true)).collect()),
        Err(Errno::EINTR) => Ok(vec![false; watched.len()]),
        Err(error) => Err(error.into()),
    }
}

/// Whether a descriptor is ready this moment.
///
/// # Errors
/// When it cannot be polled.
pub fn ready_now(fd: BorrowedFd<'_>, interest: Interest) -> io::Result<bool> {
    Ok(wait(&[(fd, interest)], Some(Duration::ZERO))?.first() == Some(&true))
}

fn flags(interest: Interest) -> PollFlags {
    match interest {
        Interest::Read => PollFlags::POLLIN,
        Interest::Write => PollFlags::POLLOUT,
        Interest::End => PollFlags::empty(),
    }
}

/// Signals as something to read instead of handlers. They stay blocked in the calling thread for good.
#[derive(Debug)]
pub struct Signals(SignalFd);

impl Signals {
    /// Blocks these signals for the calling thread (and what it starts later) and collects them here.
    ///
    /// # Errors
    /// `EMFILE`, or `EINVAL` for a number that is no standard signal.
    pub fn collect(numbers: &[i32]) -> io::Result<Self> {
        let mut set = SigSet::empty();
        for &number in numbers {
            set.add(Signal::try_from(number)?);
        }
        set.thread_block()?;
        Ok(Self(SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?))
    }

    /// Number of the next signal that came, if any. Several of one kind may count as one.
    ///
    /// # Errors
    /// When the descriptor cannot be read.
    pub fn next(&self) -> io::Result<Option<i32>> {
        Ok(self.0.read_signal()?.and_then(|info| i32::try_from(info.ssi_signo).ok()))
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
