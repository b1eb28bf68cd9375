//! Bytes in a descriptor of their own, to hand large things over beside a small packet. Never touches a disk.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use nix::sys::memfd::{MFdFlags, memfd_create};

/// A memfd that holds these bytes. The name shows in `/proc` only.
///
/// # Errors
/// `EMFILE`, or out of memory.
pub fn from_bytes(name: &str, bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create(name, MFdFlags::MFD_CLOEXEC)?);
    file.write_all(bytes)?;
    Ok(file.into())
}

/// All bytes of a memfd, from its start, whatever its position.
///
/// # Errors
/// `FileTooLarge` above `max_bytes`; `UnexpectedEof` when it shrinks meanwhile.
pub fn read_all(fd: BorrowedFd<'_>, max_bytes: usize) -> io::Result<Vec<u8>> {
    let file = File::from(fd.try_clone_to_owned()?);
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    if length > max_bytes {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn bytes_come_back_whole_and_a_maximum_holds() {
        let fd = from_bytes("test", b"hello").unwrap();
        assert_eq!(read_all(fd.as_fd(), 5).unwrap(), b"hello");
        assert_eq!(read_all(fd.as_fd(), 5).unwrap(), b"hello");
        assert_eq!(read_all(fd.as_fd(), 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
