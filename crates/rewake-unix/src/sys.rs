//! Return values of system calls as `io::Result`. Never decides what an error means.

use std::io;

use nix::libc::{c_int, c_long};

/// -1 becomes the error in `errno`.
pub(crate) fn check(returned: c_int) -> io::Result<c_int> {
    if returned == -1 { Err(io::Error::last_os_error()) } else { Ok(returned) }
}

/// As [`check`], for `syscall` and the calls that return a size.
pub(crate) fn check_long(returned: c_long) -> io::Result<c_long> {
    if returned == -1 { Err(io::Error::last_os_error()) } else { Ok(returned) }
}

/// Calls again as long as a signal cut the call short.
pub(crate) fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
