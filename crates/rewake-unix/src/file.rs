//! Files that must not be lost and files that are only added to. Never waits for a reader of a FIFO.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::libc;

/// Writes a file so that after a crash at any moment it is the old one or the new one, whole, and the new one once this returns.
/// With `previous`, the old file stays under that name. Mode 0600. One writer at a time (the caller holds a lock).
///
/// # Errors
/// When a step fails (no space, no rights); the old file is untouched then.
pub fn replace(path: &Path, bytes: &[u8], previous: Option<&Path>) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let fresh = with_suffix(path, ".new");
    let written = write_synced(&fresh, bytes).and_then(|()| match previous {
        Some(previous) => keep_previous(path, previous),
        None => Ok(()),
    });
    if let Err(error) = written.and_then(|()| fs::rename(&fresh, path)) {
        // A leftover would only waste space; the first error is the one to tell.
        let _ = fs::remove_file(&fresh);
        return Err(error);
    }
    // Without this the rename itself may be lost with the power.
    File::open(folder)?.sync_all()
}

/// Opens a log file for adding to, making it if absent. Existing content stays.
///
/// # Errors
/// `EISDIR` for a folder; `InvalidInput` for a FIFO or socket, which could block or refuse at any time.
pub fn open_append(path: &Path) -> io::Result<File> {
    // O_NONBLOCK: the open of a FIFO without a reader fails (ENXIO) instead of waiting; it changes nothing for files.
    let options = libc::O_NONBLOCK | libc::O_NOCTTY;
    let opened = OpenOptions::new().append(true).create(true).custom_flags(options).open(path);
    match opened {
        Ok(file) => refuse_fifo(&file).map(|()| file),
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => Err(not_a_file()),
        Err(error) => Err(error),
    }
}

/// Writes a file of mode 0600 without waiting for the disk: whole or not only for those who read it under another name later.
///
/// # Errors
/// When a step fails (no space, no rights).
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)
}

/// A program's file, to be run later by its descriptor: whatever happens to its name. The number is above those of the standard streams.
///
/// # Errors
/// When there is no such file.
pub fn open_program(path: &Path) -> io::Result<OwnedFd> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(path)?;
    crate::fd::copy_above(file.as_fd(), 10)
}

/// Empties a file that exists.
///
/// # Errors
/// `NotFound`; `InvalidInput` for a FIFO or socket; no rights.
pub fn truncate(path: &Path) -> io::Result<()> {
    let opened = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path);
    let file = match opened {
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => return Err(not_a_file()),
        other => other?,
    };
    refuse_fifo(&file)?;
    // A device such as /dev/null has no length to cut.
    if file.metadata()?.is_file() { file.set_len(0) } else { Ok(()) }
}

fn refuse_fifo(file: &File) -> io::Result<()> {
    let kind = file.metadata()?.file_type();
    if kind.is_fifo() || kind.is_socket() { Err(not_a_file()) } else { Ok(()) }
}

fn not_a_file() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "is a pipe or socket, not a file")
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The current file gets a second name, so that there is no moment without a file at `path`.
fn keep_previous(path: &Path, previous: &Path) -> io::Result<()> {
    let second = with_suffix(previous, ".new");
    match fs::remove_file(&second) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    match fs::hard_link(path, &second) {
        Ok(()) => fs::rename(&second, previous),
        // The first write: there is nothing to keep.
        Err(_) if !path.try_exists()? => Ok(()),
        // A file system without links (FAT, some network ones): for a moment only the previous name exists.
        Err(_) => fs::rename(path, previous),
    }
}

pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Scratch;

    #[test]
    fn a_replaced_file_keeps_its_previous_content_beside_it() {
        let scratch = Scratch::new();
        let (path, previous) = (scratch.path().join("table"), scratch.path().join("table.prev"));
        for round in ["one", "two", "three"] {
            replace(&path, round.as_bytes(), Some(&previous)).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "three");
        assert_eq!(fs::read_to_string(&previous).unwrap(), "two");
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_failed_replace_leaves_the_old_file() {
        let scratch = Scratch::new();
        let path = scratch.path().join("table");
        replace(&path, b"old", None).unwrap();
        let blocked = scratch.path().join("no/such/folder");
        replace(&path, b"new", Some(&blocked)).unwrap_err();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_log_is_added_to_and_emptied_and_a_fifo_or_folder_is_refused() {
        let scratch = Scratch::new();
        let log = scratch.path().join("log");
        open_append(&log).unwrap().write_all(b"a").unwrap();
        open_append(&log).unwrap().write_all(b"b").unwrap();
        assert_eq!(fs::read(&log).unwrap(), b"ab");
        truncate(&log).unwrap();
        assert_eq!(fs::read(&log).unwrap(), b"");
        assert_eq!(truncate(&scratch.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(open_append(scratch.path()).unwrap_err().kind(), io::ErrorKind::IsADirectory);
        let fifo = scratch.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(open_append(&fifo).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        let _reader = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&fifo).unwrap();
        assert_eq!(open_append(&fifo).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(truncate(&fifo).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        open_append(Path::new("/dev/null")).unwrap();
        truncate(Path::new("/dev/null")).unwrap();
    }
}
