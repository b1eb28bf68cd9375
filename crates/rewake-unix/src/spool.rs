//! Files without a name that hold a stream of bytes on its way: written at one end, released at the other. Never has a name on disk
//! for longer than it takes to make one.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, SpliceFFlags, fallocate, splice};
use nix::libc;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};

use crate::sys::retry;

/// The unit in which memory and disk are released. Larger pages only release later.
const PAGE: u64 = 4096;

/// A spool for a program's output: our end, for reading and releasing, and the program's, for adding only.
///
/// # Errors
/// When the folder's file system cannot hold or release unnamed files; when files of this process may not grow without limit,
/// since a spool's length is all that was ever written to it.
pub fn create(folder: &Path) -> io::Result<(OwnedFd, OwnedFd)> {
    if getrlimit(Resource::RLIMIT_FSIZE)?.0 != RLIM_INFINITY {
        return Err(io::Error::from_raw_os_error(libc::EFBIG));
    }
    let ours = OpenOptions::new()
        .read(true)
        .write(true)
        .mode(0o600)
        .custom_flags(libc::O_TMPFILE | libc::O_EXCL)
        .open(folder)?;
    // Refused now rather than when the disk is full of what was read long ago.
    punch(&ours, 0, PAGE)?;
    // A second open of the same file: the flags of the first are not the program's business.
    let own_path = format!("/proc/self/fd/{}", ours.as_raw_fd());
    let theirs = OpenOptions::new().append(true).open(own_path)?;
    // Held by all copies of it together, until the last is closed. Where files cannot be locked, none is known to be closed.
    let _ = theirs.try_lock_shared();
    Ok((ours.into(), theirs.into()))
}

/// Whether all copies of the program's end are closed.
#[must_use]
pub fn is_closed(ours: &File) -> bool {
    ours.try_lock().is_ok_and(|()| ours.unlock().is_ok())
}

/// A spool in memory, for a reader that takes a stream out of a pipe and has nowhere to put it yet.
///
/// # Errors
/// `EMFILE`, or out of memory.
pub fn in_memory() -> io::Result<OwnedFd> {
    Ok(memfd_create("rewake-output", MFdFlags::MFD_CLOEXEC)?)
}

/// Gives the file to a user, so that a program that runs as that user may open its own output anew.
///
/// # Errors
/// `EPERM` without privilege.
pub fn give_to(spool: BorrowedFd<'_>, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
    let (uid, gid) = (uid.map(nix::unistd::Uid::from_raw), gid.map(nix::unistd::Gid::from_raw));
    Ok(nix::unistd::fchown(spool, uid, gid)?)
}

/// Moves bytes from a pipe to the end of a spool, none lost and none twice even if this process is killed meanwhile.
/// 0: the pipe has ended.
///
/// # Errors
/// `WouldBlock` when the pipe is empty; `ENOSPC`, `ENOMEM`.
pub fn take_in(pipe: BorrowedFd<'_>, spool: BorrowedFd<'_>, end: u64, most: usize) -> io::Result<usize> {
    let mut at = offset(end);
    retry(|| Ok(splice(pipe, None, spool, Some(&mut at), most, SpliceFFlags::SPLICE_F_NONBLOCK)?))
}

/// Releases the whole pages between two positions. The length and what is around stay; reading there gives zeros.
///
/// # Errors
/// `EOPNOTSUPP` where the file system cannot.
pub fn release(spool: &File, from: u64, to: u64) -> io::Result<()> {
    let (from, to) = (from.next_multiple_of(PAGE), to - to % PAGE);
    if from < to { punch(spool, from, to - from) } else { Ok(()) }
}

/// Bytes that are free where the spool lies; `None` where there is no such limit.
#[must_use]
pub fn room(spool: &File) -> Option<u64> {
    let stat = nix::sys::statvfs::fstatvfs(spool).ok()?;
    (stat.blocks() > 0).then(|| stat.blocks_available().saturating_mul(stat.fragment_size()))
}

/// Whether a folder lies in memory, not on a disk.
#[must_use]
pub fn is_in_memory(folder: &Path) -> bool {
    nix::sys::statfs::statfs(folder).is_ok_and(|stat| stat.filesystem_type() == nix::sys::statfs::TMPFS_MAGIC)
}

fn punch(spool: impl AsFd, at: u64, length: u64) -> io::Result<()> {
    let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
    loop {
        match fallocate(spool.as_fd(), flags, offset(at), offset(length)) {
            Err(Errno::EINTR) => {}
            other => return Ok(other?),
        }
    }
}

fn offset(at: u64) -> libc::off_t {
    libc::off_t::try_from(at).unwrap_or(libc::off_t::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::{FileExt, MetadataExt};

    use super::*;
    use crate::testing::Scratch;

    #[test]
    fn what_was_released_takes_no_room_and_what_follows_is_still_there() {
        let scratch = Scratch::new();
        let (ours, theirs) = create(scratch.path()).unwrap();
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0, "it has no name");
        let (ours, mut theirs) = (File::from(ours), File::from(theirs));
        theirs.write_all(&[b'x'; 100_000]).unwrap();
        theirs.write_all(b"last").unwrap();
        release(&ours, 0, 100_000).unwrap();
        assert!(ours.metadata().unwrap().blocks() * 512 <= 2 * PAGE, "{}", ours.metadata().unwrap().blocks());
        let mut last = [0; 4];
        ours.read_exact_at(&mut last, 100_000).unwrap();
        assert_eq!(&last, b"last");
    }

    #[test]
    fn it_is_closed_when_all_copies_of_the_programs_end_are() {
        let scratch = Scratch::new();
        let (ours, theirs) = create(scratch.path()).unwrap();
        let ours = File::from(ours);
        let copy = theirs.try_clone().unwrap();
        drop(theirs);
        assert!(!is_closed(&ours));
        drop(copy);
        assert!(is_closed(&ours) && is_closed(&ours));
    }

    #[test]
    fn bytes_go_from_a_pipe_to_a_spool() {
        let (read, write) = crate::pipe::new().unwrap();
        let spool = in_memory().unwrap();
        let take = |end| take_in(read.as_fd(), spool.as_fd(), end, 1 << 20);
        assert_eq!(take(0).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        crate::fd::write(write.as_fd(), b"hello").unwrap();
        assert_eq!(take(0).unwrap(), 5);
        crate::fd::write(write.as_fd(), b"!").unwrap();
        drop(write);
        assert_eq!(take(5).unwrap(), 1);
        assert_eq!(take(6).unwrap(), 0);
        assert_eq!(crate::memfd::read_all(spool.as_fd(), 10).unwrap(), b"hello!");
        assert_eq!(room(&File::from(spool)), None);
    }
}
