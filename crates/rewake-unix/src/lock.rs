//! One owner at a time, by a lock on a file that the kernel drops with its owner. Never removes the file.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A held lock; dropping it, or the end of the process, gives it up.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// The lock that this program's former self held: it belongs to the descriptor.
    #[must_use]
    pub fn inherited(fd: OwnedFd) -> Self {
        Self { file: fd.into() }
    }
}

impl AsFd for Lock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Takes the lock, or `None` when somebody else has it.
///
/// # Errors
/// When the file cannot be made or locked.
pub fn try_exclusive(path: &Path) -> io::Result<Option<Lock>> {
    let file = open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock { file })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Takes the lock, waiting for it as long as it takes.
///
/// # Errors
/// When the file cannot be made or locked.
pub fn exclusive(path: &Path) -> io::Result<Lock> {
    let file = open(path)?;
    file.lock()?;
    Ok(Lock { file })
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Scratch;

    #[test]
    fn the_second_gets_it_when_the_first_lets_go() {
        let scratch = Scratch::new();
        let path = scratch.path().join("lock");
        let first = try_exclusive(&path).unwrap().unwrap();
        assert!(try_exclusive(&path).unwrap().is_none());
        drop(first);
        drop(exclusive(&path).unwrap());
        assert!(try_exclusive(&path).unwrap().is_some());
    }
}
