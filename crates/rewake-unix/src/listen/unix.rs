//! Listening sockets in the file system, with the modes that an app asks for. Never removes what somebody else listens on.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::libc;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, bind, socket};

use super::address::start;
use crate::socket::{Short, connect_now};

/// A listening socket and the file by which it is found.
#[derive(Debug)]
pub struct Unix {
    pub socket: OwnedFd,
    /// For [`remove`].
    pub file: FileId,
}

/// A file whatever its name. No other file is the same as long as the socket that was bound to it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileId {
    pub device: u64,
    pub inode: u64,
}

/// A socket that listens at this path, of any length. Its mode is that of the umask, and 0444 or 0222 more for everybody's reading or
/// writing. What a crashed owner left behind is replaced; two programs that replace it in the same instant are not kept apart.
///
/// # Errors
/// With the error number of the kernel: `EADDRINUSE` when somebody listens there or when it is no socket, `ENOENT` without the
/// folder (where Node says `EACCES`), `EACCES`, `EINVAL` for an empty path or one with a null byte, `ENAMETOOLONG`, …
pub fn unix(path: &Path, readable_all: bool, writable_all: bool, backlog: u32) -> io::Result<Unix> {
    let more = if readable_all { 0o444 } else { 0 } | if writable_all { 0o222 } else { 0 };
    listen_at(path, |mode| mode | more, backlog)
}

/// As [`unix`], with exactly this mode, whatever the umask is.
///
/// # Errors
/// As for [`unix`].
pub fn unix_with_mode(path: &Path, mode: u32, backlog: u32) -> io::Result<Unix> {
    listen_at(path, |_| mode, backlog)
}

fn listen_at(path: &Path, mode: impl FnOnce(u32) -> u32, backlog: u32) -> io::Result<Unix> {
    let name = path.as_os_str().as_bytes();
    if name.is_empty() || name.contains(&0) {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    bind_or_replace(&socket, path)?;
    let pinned = Pinned::at(path)?;
    // The mode comes before `listen`, so that nobody connects by another.
    match pinned.set_mode(mode(pinned.mode)).and_then(|()| start(socket.as_fd(), backlog)) {
        Ok(()) => Ok(Unix { socket, file: pinned.id }),
        Err(error) => {
            // The error to tell is the first one.
            let _ = remove(path, pinned.id);
            Err(error)
        }
    }
}

/// Removes the file of a socket of ours, and tells whether it did: not when it is gone or another's by now. To be called before the
/// last copy of the socket is closed, as another file may be given the same number after that.
///
/// # Errors
/// When it cannot be looked at or removed.
pub fn remove(path: &Path, ours: FileId) -> io::Result<bool> {
    match file_id(path) {
        Ok(found) if found == ours => match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            other => other.map(|()| true),
        },
        Ok(_) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Gives the file of a socket of ours this mode, and tells whether it did: not when it is gone or another's by now.
///
/// # Errors
/// When it cannot be looked at or changed.
pub fn set_mode(path: &Path, ours: FileId, mode: u32) -> io::Result<bool> {
    match Pinned::at(path) {
        Ok(pinned) if pinned.id == ours => pinned.set_mode(mode).map(|()| true),
        Ok(_) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Which file is at this path; a symbolic link is itself.
///
/// # Errors
/// `NotFound`; no rights.
pub fn file_id(path: &Path) -> io::Result<FileId> {
    let found = fs::symlink_metadata(path)?;
    Ok(FileId { device: found.dev(), inode: found.ino() })
}

fn bind_or_replace(socket: &OwnedFd, path: &Path) -> io::Result<()> {
    let short = Short::new(path).map_err(numbered)?;
    let address = short.address()?;
    match bind(socket.as_raw_fd(), &address).map_err(io::Error::from) {
        Err(error) if error.raw_os_error() == Some(libc::EADDRINUSE) => {
            let Some(stale) = stale(path) else { return Err(error) };
            remove(path, stale)?;
            // Whoever was faster has it.
            Ok(bind(socket.as_raw_fd(), &address)?)
        }
        other => other,
    }
}

/// The socket that nobody listens on any more, if that is what is there.
fn stale(path: &Path) -> Option<FileId> {
    let found = fs::symlink_metadata(path).ok()?;
    if !found.file_type().is_socket() {
        return None;
    }
    match connect_now(path) {
        Err(error) if error.raw_os_error() == Some(libc::ECONNREFUSED) => {
            Some(FileId { device: found.dev(), inode: found.ino() })
        }
        // Connected, a full queue, no rights to ask, a socket of another kind: somebody's.
        Ok(_) | Err(_) => None,
    }
}

/// `std` has errors of its own for names; every error of ours has a number.
fn numbered(error: io::Error) -> io::Error {
    if error.raw_os_error().is_some() { error } else { io::Error::from_raw_os_error(libc::ENAMETOOLONG) }
}

/// A socket's file, held on to so that its mode cannot be given to another file that is put in its place.
struct Pinned {
    file: File,
    id: FileId,
    mode: u32,
}

impl Pinned {
    fn at(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_NOFOLLOW).open(path)?;
        let found = file.metadata()?;
        if !found.file_type().is_socket() {
            return Err(io::Error::from_raw_os_error(libc::EADDRINUSE));
        }
        let id = FileId { device: found.dev(), inode: found.ino() };
        Ok(Self { file, id, mode: found.mode() & 0o7777 })
    }

    fn set_mode(&self, mode: u32) -> io::Result<()> {
        if self.mode == mode {
            return Ok(());
        }
        let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        fs::set_permissions(path, Permissions::from_mode(mode))
    }
}
