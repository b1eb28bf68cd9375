//! A descriptor that tokio waits for. The one place that makes them.

use std::io;
use std::os::fd::AsRawFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Registers `owner` with the runtime, to wait until it is readable.
///
/// # Errors
/// When epoll refuses it.
pub(super) fn readable<T: AsRawFd>(owner: T) -> io::Result<AsyncFd<T>> {
    #[expect(
        deprecated,
        reason = "the successor is unsafe for types whose descriptor can change; ours own one for life"
    )]
    AsyncFd::with_interest(owner, Interest::READABLE)
}
