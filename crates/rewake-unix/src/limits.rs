//! The limit of open descriptors. Never lowers anybody else's.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Soft and hard limit of open descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenFiles {
    pub soft: u64,
    pub hard: u64,
}

/// The limits now.
///
/// # Errors
/// Only when the kernel refuses the call.
pub fn open_files() -> io::Result<OpenFiles> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(OpenFiles { soft, hard })
}

/// Raises the soft limit to the hard one and gives back what it was, for the programs that are started later:
/// some (those with `select`) break above 1024.
///
/// # Errors
/// Only when the kernel refuses the call.
pub fn raise_open_files() -> io::Result<OpenFiles> {
    let old = open_files()?;
    if old.soft < old.hard {
        set_open_files(OpenFiles { soft: old.hard, hard: old.hard })?;
    }
    Ok(old)
}

/// Sets both limits.
///
/// # Errors
/// `EPERM` when raising the hard limit without privilege, `EINVAL` when soft exceeds hard.
pub fn set_open_files(limits: OpenFiles) -> io::Result<()> {
    Ok(setrlimit(Resource::RLIMIT_NOFILE, limits.soft, limits.hard)?)
}
