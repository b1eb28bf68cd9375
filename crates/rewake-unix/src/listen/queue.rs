//! What waits in the queue of a listening socket. Never looks unless asked.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use nix::libc;

use crate::socket;
use crate::sys::check;

/// Connections that are complete and wait to be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    pub waiting: u32,
    /// The backlog as the kernel granted it. It is full with one more than this; further ones are dropped and tried again by the
    /// client a second later.
    pub limit: u32,
}

/// The state of a listening TCP socket's queue.
///
/// # Errors
/// `EINVAL` when it does not listen, `EOPNOTSUPP` or `ENOPROTOOPT` when it is no TCP socket.
pub fn queue(listener: BorrowedFd<'_>) -> io::Result<Queue> {
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes, the size of `info`.
    check(unsafe {
        libc::getsockopt(
            listener.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    })?;
    // SAFETY: all fields are numbers, for which zero bytes are a value.
    let info = unsafe { info.assume_init() };
    // For a listening socket the kernel tells its queue in these two fields; for any other they mean something else.
    if info.tcpi_state != LISTEN {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    Ok(Queue { waiting: info.tcpi_unacked, limit: info.tcpi_sacked })
}

/// `TCP_LISTEN` of the kernel's `tcp_states.h`.
const LISTEN: u8 = 10;

/// The connection that waits longest, non-blocking and close-on-exec, of a non-blocking listening socket.
///
/// # Errors
/// `WouldBlock` when none waits, `EMFILE` and the like, `EINVAL` when the socket does not listen any more.
pub fn accept_nonblocking(listener: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    loop {
        match socket::accept(listener) {
            // These belong to a connection that died while it waited: the next may be well. Each takes one out of the queue.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ECONNABORTED | libc::EPROTO)) => {}
            other => return other,
        }
    }
}
