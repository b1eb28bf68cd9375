//! The log that this process's stdout and stderr are: bounded, and always the file of its path. Never loses a line; where a step fails
//! things stay as they are until the next one.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::file;

const STDOUT: &str = "/proc/self/fd/1";
const STDERR: &str = "/proc/self/fd/2";

/// A log of several processes that add whole lines to it. One of them bounds it, the others follow.
#[derive(Debug)]
pub struct OwnLog {
    path: PathBuf,
    aside: PathBuf,
    most_bytes: u64,
    /// One thread at a time: a second one would put aside what the first has just begun.
    turn: Mutex<()>,
}

impl OwnLog {
    /// A log that another process bounds.
    #[must_use]
    pub fn followed(path: &Path) -> Self {
        Self::bounded(path, u64::MAX)
    }

    /// A log that is put aside, as `<path>.1`, when it has more bytes than this. One process at a time may.
    #[must_use]
    pub fn bounded(path: &Path, most_bytes: u64) -> Self {
        // As the kernel names it.
        let folder = path.parent().and_then(|folder| fs::canonicalize(folder).ok());
        let path = folder.zip(path.file_name()).map_or_else(|| path.to_owned(), |(folder, name)| folder.join(name));
        Self { aside: file::with_suffix(&path, ".1"), path, most_bytes, turn: Mutex::new(()) }
    }

    /// To be called before a line: from then on stdout and stderr are the file that has the path now, made if absent.
    /// Without effect on a stderr that has never been this log.
    pub fn settle(&self) {
        let _turn = self.turn.lock();
        let Ok(behind) = fs::read_link(STDERR) else { return };
        let stdout_too = fs::read_link(STDOUT).is_ok_and(|stdout| stdout == behind);
        let goes_on = if behind == self.path { self.put_aside() } else { self.was_this(behind.as_os_str()) };
        if !goes_on {
            return;
        }
        // No space or no descriptor: the line goes where the last one went.
        let Ok(fresh) = file::open_append(&self.path) else { return };
        // Fails for no reason that another try would mend.
        let _ = nix::unistd::dup2_stderr(&fresh);
        if stdout_too {
            let _ = nix::unistd::dup2_stdout(&fresh);
        }
    }

    /// Whether it was long enough, and is no longer there.
    fn put_aside(&self) -> bool {
        let long = fs::metadata(STDERR).is_ok_and(|file| file.len() > self.most_bytes);
        long && fs::rename(&self.path, &self.aside).is_ok()
    }

    /// The kernel's name for a file that has been put aside, removed, or both.
    fn was_this(&self, name: &OsStr) -> bool {
        let name = name.as_bytes();
        let rest = name.strip_prefix(self.path.as_os_str().as_bytes());
        rest.is_some_and(|rest| matches!(rest, b".1" | b" (deleted)" | b".1 (deleted)"))
    }
}
