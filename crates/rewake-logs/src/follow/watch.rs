//! The kernel's word that files and folders changed (inotify). Never polls.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd, RawFd};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};
use tokio::io::unix::AsyncFd;

use super::watched;

/// What has happened.
#[derive(Debug)]
pub(super) enum Change {
    /// The watched file was written to or truncated.
    Written(WatchDescriptor),
    /// In the watched folder this name now means another file.
    Appeared(WatchDescriptor, OsString),
    /// The watch has ended with its file.
    Ended(WatchDescriptor),
    /// Changes were lost because there were too many: look at everything.
    Overflow,
}

/// One inotify instance.
#[derive(Debug)]
pub(super) struct Watch {
    inotify: AsyncFd<Raw>,
}

/// What tokio wants of a descriptor.
#[derive(Debug)]
struct Raw(Inotify);

impl AsRawFd for Raw {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Watch {
    pub(super) fn new() -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        Ok(Self { inotify: watched::readable(Raw(inotify))? })
    }

    /// Watches an open file, wherever it is moved to: by its descriptor, as its path may mean another one already.
    pub(super) fn file(&self, file: &File) -> io::Result<WatchDescriptor> {
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        Ok(self.inotify.get_ref().0.add_watch(path.as_str(), AddWatchFlags::IN_MODIFY)?)
    }

    /// Watches for new names in a folder.
    pub(super) fn folder(&self, path: &Path) -> io::Result<WatchDescriptor> {
        let flags = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_ONLYDIR;
        Ok(self.inotify.get_ref().0.add_watch(path, flags)?)
    }

    /// Waits for changes. Cancelling loses none.
    pub(super) async fn changes(&self) -> io::Result<Vec<Change>> {
        loop {
            let mut ready = self.inotify.readable().await?;
            match self.inotify.get_ref().0.read_events() {
                Ok(events) => return Ok(events.into_iter().filter_map(change).collect()),
                Err(Errno::EAGAIN) => ready.clear_ready(),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

fn change(event: InotifyEvent) -> Option<Change> {
    if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
        return Some(Change::Overflow);
    }
    if event.mask.contains(AddWatchFlags::IN_MODIFY) {
        return Some(Change::Written(event.wd));
    }
    if event.mask.contains(AddWatchFlags::IN_IGNORED) {
        return Some(Change::Ended(event.wd));
    }
    // What is left: a new name.
    event.name.map(|name| Change::Appeared(event.wd, name))
}
