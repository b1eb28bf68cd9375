//! Descriptors that the runtime watches. The one place that registers them.

use std::io;
use std::os::fd::AsRawFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Watches a descriptor for what `interest` names. Its owner must answer `as_raw_fd` with the same descriptor for ever, as every
/// owner in this crate does: none can be given another one.
///
/// # Errors
/// When the kernel refuses (no memory, too many watches).
pub(crate) fn watched<T: AsRawFd>(owner: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    #[expect(deprecated, reason = "the successor is `unsafe` for owners that change their descriptor; ours do not")]
    AsyncFd::with_interest(owner, interest)
}
