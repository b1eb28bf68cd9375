//! Pipes between processes, close-on-exec from birth. Never decides who reads.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

/// A pipe: read end, write end.
///
/// # Errors
/// `EMFILE`, `ENFILE`.
pub fn new() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(nix::unistd::pipe2(OFlag::O_CLOEXEC)?)
}

/// Asks for a pipe buffer of so many bytes.
///
/// # Errors
/// `EPERM` above the system's limit (`fs.pipe-max-size`, `fs.pipe-user-pages-soft`): the old size stays.
pub fn set_size(pipe: BorrowedFd<'_>, bytes: i32) -> io::Result<()> {
    fcntl(pipe, FcntlArg::F_SETPIPE_SZ(bytes))?;
    Ok(())
}

/// `/dev/null`, for reading and writing.
///
/// # Errors
/// When there is no such device, or `EMFILE`.
pub fn null() -> io::Result<OwnedFd> {
    let file = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    Ok(file.into())
}
