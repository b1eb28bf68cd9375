//! Unix sockets in the file system, of any path length, for this user alone. Never trusts a name: peers are asked of the kernel.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::libc;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, accept4, bind, connect as nix_connect, getsockopt,
    listen as nix_listen, socket, sockopt::PeerCredentials,
};

use crate::sys::retry;

/// What the kernel says about the other end, as it was when it connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    pub pid: u32,
    pub uid: u32,
    pub gid: u32,
}

/// A listening stream socket at this path, mode 0600, non-blocking. A socket that is there already is replaced: the caller holds the
/// lock that says it is stale.
///
/// # Errors
/// `AddrInUse` when something else than a socket is there; no rights; a name that is too long even alone.
pub fn listen(path: &Path, backlog: i32) -> io::Result<OwnedFd> {
    remove_stale(path)?;
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    let short = Short::new(path)?;
    bind(fd.as_raw_fd(), &short.address()?)?;
    // Before `listen`, so that nobody connects while the mode is still the umask's.
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    nix_listen(&fd, Backlog::new(backlog)?)?;
    Ok(fd)
}

/// A connection to the socket at this path, blocking.
///
/// # Errors
/// `NotFound` when there is none, `ConnectionRefused` when nobody listens.
pub fn connect(path: &Path) -> io::Result<OwnedFd> {
    connect_with(path, SockFlag::SOCK_CLOEXEC)
}

/// A connection to the socket at this path, non-blocking: for a caller that must not hang where the other end does.
///
/// # Errors
/// As [`connect`]; `WouldBlock` when the queue of connections that wait to be accepted is full.
pub fn connect_now(path: &Path) -> io::Result<OwnedFd> {
    connect_with(path, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK)
}

fn connect_with(path: &Path, flags: SockFlag) -> io::Result<OwnedFd> {
    let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    let short = Short::new(path)?;
    let address = short.address()?;
    retry(|| Ok(nix_connect(fd.as_raw_fd(), &address)?))?;
    Ok(fd)
}

/// The next connection that waits, non-blocking and close-on-exec.
///
/// # Errors
/// `WouldBlock` when none waits.
pub fn accept(listener: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let fd = retry(|| Ok(accept4(listener.as_raw_fd(), SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK)?))?;
    // SAFETY: the kernel just made this descriptor for us; nobody else knows it.
    Ok(unsafe { std::os::fd::FromRawFd::from_raw_fd(fd) })
}

/// Who is at the other end of a connection.
///
/// # Errors
/// When it is no unix socket.
pub fn peer(socket: BorrowedFd<'_>) -> io::Result<Peer> {
    let found = getsockopt(&socket, PeerCredentials)?;
    Ok(Peer { pid: found.pid().unsigned_abs(), uid: found.uid(), gid: found.gid() })
}

fn remove_stale(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt;
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(found) if found.file_type().is_socket() => fs::remove_file(path),
        Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
    }
}

/// A path in the 107 bytes that an address holds. A longer one goes through a descriptor of its folder, which must stay open meanwhile.
pub(crate) struct Short {
    path: PathBuf,
    _folder: Option<File>,
}

impl Short {
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        if path.as_os_str().len() <= 107 {
            return Ok(Self { path: path.to_path_buf(), _folder: None });
        }
        let invalid = || io::Error::from(io::ErrorKind::InvalidFilename);
        let (folder, name): (&Path, &OsStr) = path.parent().zip(path.file_name()).ok_or_else(invalid)?;
        let folder = OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_DIRECTORY).open(folder)?;
        let path = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
        Ok(Self { path, _folder: Some(folder) })
    }

    pub(crate) fn address(&self) -> io::Result<UnixAddr> {
        Ok(UnixAddr::new(&self.path)?)
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;
    use crate::testing::Scratch;

    #[test]
    fn a_socket_is_private_and_says_who_connects_at_any_length_of_path() {
        let scratch = Scratch::new();
        let deep = scratch.path().join("x".repeat(200));
        fs::create_dir(&deep).unwrap();
        for folder in [scratch.path(), &deep] {
            let path = folder.join("rpc.sock");
            assert_eq!(connect(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
            let listener = listen(&path, 8).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(accept(listener.as_fd()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
            let client = connect(&path).unwrap();
            let accepted = accept(listener.as_fd()).unwrap();
            let expected =
                Peer { pid: std::process::id(), uid: crate::user::effective(), gid: nix::unistd::getegid().as_raw() };
            assert_eq!(peer(accepted.as_fd()).unwrap(), expected);
            assert_eq!(peer(client.as_fd()).unwrap(), expected);
            drop(listener);
            assert_eq!(connect(&path).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
            drop(listen(&path, 8).unwrap());
        }
    }

    #[test]
    fn a_file_in_its_place_is_not_removed() {
        let scratch = Scratch::new();
        let path = scratch.path().join("rpc.sock");
        fs::write(&path, "precious").unwrap();
        assert_eq!(listen(&path, 8).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }
}
