//! Waiting for many descriptors and files by name of who waits, for a thread without a runtime. Never wakes without a reason.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};

/// Taken at once; more come with the next wait.
const AT_ONCE: usize = 64;

/// What is waited for.
#[derive(Debug)]
pub struct Events(Epoll);

impl Events {
    /// Nothing yet.
    ///
    /// # Errors
    /// `EMFILE`.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?))
    }

    /// Tells of `fd` each time that it is readable.
    ///
    /// # Errors
    /// No memory, or too many watches.
    pub fn add(&self, fd: BorrowedFd<'_>, name: u64) -> io::Result<()> {
        Ok(self.0.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, name))?)
    }

    /// Tells of `fd` once, when it is readable or ended, then no more until [`Events::again`].
    ///
    /// # Errors
    /// As [`Events::add`].
    pub fn add_once(&self, fd: BorrowedFd<'_>, name: u64) -> io::Result<()> {
        Ok(self.0.add(fd, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLONESHOT, name))?)
    }

    /// Tells of `fd` once more.
    ///
    /// # Errors
    /// When it was never added.
    pub fn again(&self, fd: BorrowedFd<'_>, name: u64) -> io::Result<()> {
        Ok(self.0.modify(fd, &mut EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLONESHOT, name))?)
    }

    /// No longer tells of `fd`, which other processes may hold on to.
    pub fn remove(&self, fd: BorrowedFd<'_>) {
        // Fails only for one that was never added.
        let _ = self.0.delete(fd);
    }

    /// Waits; the names of what is ready, none when the time is over. Less than a millisecond is rounded up.
    ///
    /// # Errors
    /// Only when the kernel refuses the call.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<Vec<u64>> {
        let timeout = timeout.map_or(EpollTimeout::NONE, |time| {
            let ms = time.as_millis() + u128::from(time.subsec_nanos() % 1_000_000 != 0);
            EpollTimeout::try_from(ms).unwrap_or(EpollTimeout::MAX)
        });
        let mut ready = [EpollEvent::empty(); AT_ONCE];
        match self.0.wait(&mut ready, timeout) {
            Ok(count) => Ok(ready.iter().take(count).map(EpollEvent::data).collect()),
            Err(Errno::EINTR) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Wakes a thread that waits.
#[derive(Debug)]
pub struct Waker(EventFd);

impl Waker {
    /// A waker that nobody has used.
    ///
    /// # Errors
    /// `EMFILE`.
    pub fn new() -> io::Result<Self> {
        Ok(Self(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?))
    }

    /// It becomes readable, and stays so until [`Waker::clear`].
    pub fn wake(&self) {
        // Refused only when it has been used 2^64 times since it was cleared: it is readable then.
        let _ = self.0.write(1);
    }

    /// It is as if nobody had used it.
    pub fn clear(&self) {
        // Refused when nobody had.
        let _ = self.0.read();
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Tells of open files that are written to, and that nobody has open for writing any more.
#[derive(Debug)]
pub struct Writes(Inotify);

/// One file that is watched.
pub type Watch = WatchDescriptor;

/// What happened to a watched file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    Written(Watch),
    /// Somebody who had it open for writing has closed it, and so have all who shared that.
    Closed(Watch),
    /// More happened than could be told: look at all.
    Lost,
}

impl Writes {
    /// No file yet.
    ///
    /// # Errors
    /// `EMFILE` when the user has too many of these (`fs.inotify.max_user_instances`).
    pub fn new() -> io::Result<Self> {
        Ok(Self(Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?))
    }

    /// Watches an open file, whether it has a name or not: its writes if `written`, and its closing always.
    /// Called again it changes what is told, and gives the same watch.
    ///
    /// # Errors
    /// `ENOSPC` when the user watches too many files (`fs.inotify.max_user_watches`).
    pub fn watch(&self, file: BorrowedFd<'_>, written: bool) -> io::Result<Watch> {
        let mut events = AddWatchFlags::IN_CLOSE_WRITE;
        events.set(AddWatchFlags::IN_MODIFY, written);
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        Ok(self.0.add_watch(path.as_str(), events)?)
    }

    /// Watches it no more.
    pub fn forget(&self, watch: Watch) {
        // Fails only when the file is gone and its watch with it.
        let _ = self.0.rm_watch(watch);
    }

    /// What has happened since the last call.
    ///
    /// # Errors
    /// Only when the kernel refuses the call.
    pub fn read(&self) -> io::Result<Vec<Write>> {
        let mut all = Vec::new();
        loop {
            match self.0.read_events() {
                Ok(events) => all.extend(events.into_iter().filter_map(|event| {
                    if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                        Some(Write::Lost)
                    } else if event.mask.contains(AddWatchFlags::IN_CLOSE_WRITE) {
                        Some(Write::Closed(event.wd))
                    } else if event.mask.contains(AddWatchFlags::IN_MODIFY) {
                        Some(Write::Written(event.wd))
                    } else {
                        None
                    }
                })),
                Err(Errno::EAGAIN) => return Ok(all),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl AsFd for Writes {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::spool;
    use crate::testing::Scratch;

    #[test]
    fn writes_to_a_file_without_a_name_are_told_and_so_is_its_closing() {
        let scratch = Scratch::new();
        let (ours, theirs) = spool::create(scratch.path()).unwrap();
        let (writes, events) = (Writes::new().unwrap(), Events::new().unwrap());
        events.add(writes.as_fd(), 7).unwrap();
        let watch = writes.watch(ours.as_fd(), true).unwrap();
        let mut theirs = std::fs::File::from(theirs);
        theirs.write_all(b"x").unwrap();
        assert_eq!(events.wait(None).unwrap(), [7]);
        assert_eq!(writes.read().unwrap(), [Write::Written(watch)]);
        assert_eq!(writes.watch(ours.as_fd(), false).unwrap(), watch);
        theirs.write_all(b"x").unwrap();
        assert!(events.wait(Some(Duration::ZERO)).unwrap().is_empty());
        let second = theirs.try_clone().unwrap();
        drop(theirs);
        assert!(writes.read().unwrap().is_empty(), "another copy is open");
        drop(second);
        assert_eq!(writes.read().unwrap(), [Write::Closed(watch)]);
        writes.forget(watch);
    }

    #[test]
    fn a_waker_wakes_until_it_is_cleared_and_once_is_once() {
        let (waker, events) = (Waker::new().unwrap(), Events::new().unwrap());
        events.add_once(waker.as_fd(), 1).unwrap();
        waker.wake();
        assert_eq!(events.wait(None).unwrap(), [1]);
        assert!(events.wait(Some(Duration::ZERO)).unwrap().is_empty());
        events.again(waker.as_fd(), 1).unwrap();
        assert_eq!(events.wait(None).unwrap(), [1]);
        waker.clear();
        events.again(waker.as_fd(), 1).unwrap();
        assert!(events.wait(Some(Duration::ZERO)).unwrap().is_empty());
        events.remove(waker.as_fd());
    }
}
