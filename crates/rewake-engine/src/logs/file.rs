//! One log file being added to, by one stream or several. A file that cannot be written is tried again; what it was to hold waits
//! in the spools. Always adds at the end, wherever that is: others may cut, move or remove the file.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rewake_unix::file;

use super::ledger::{Key, Spot};

/// How long a file that cannot be written is left alone; a missing folder is not looked for at every line.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// A log file.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    state: State,
    /// Streams that are written here.
    pub(crate) users: usize,
    /// The stream that is in the middle of a line. If there are others, they wait for the end of that line.
    pub(crate) reserved: Option<Key>,
    /// To be opened anew at the end of the line.
    reopen: bool,
    /// The trouble has been told; once is enough until it is over.
    told: bool,
}

#[derive(Debug)]
enum State {
    Open { file: File, spot: Spot },
    Closed { retry_at: Instant },
}

impl LogFile {
    /// A file that is opened when it is first written to.
    pub(crate) fn new(path: PathBuf) -> Self {
        let state = State::Closed { retry_at: Instant::now() };
        Self { path, state, users: 0, reserved: None, reopen: false, told: false }
    }

    /// Where the next byte goes; `None` when the file cannot be had now.
    pub(crate) fn end(&mut self, now: Instant) -> Option<Spot> {
        if let State::Open { file, spot } = &mut self.state {
            match file.metadata() {
                Ok(found) if found.nlink() > 0 => {
                    spot.offset = found.len();
                    return Some(*spot);
                }
                // Somebody has removed it, perhaps with its folder.
                Ok(_) | Err(_) => self.state = State::Closed { retry_at: now },
            }
        }
        match self.state {
            State::Closed { retry_at } if retry_at <= now => self.open(now),
            State::Closed { .. } | State::Open { .. } => None,
        }
    }

    /// When it is worth trying again.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        match self.state {
            State::Closed { retry_at } => Some(retry_at),
            State::Open { .. } => None,
        }
    }

    /// Adds bytes; how many. Fewer than all: it cannot be written now.
    pub(crate) fn add(&mut self, bytes: &[u8], now: Instant) -> usize {
        let mut done = 0;
        while done < bytes.len() {
            let State::Open { file, .. } = &mut self.state else { break };
            match file.write(&bytes[done..]) {
                Ok(0) => self.failed(&io::ErrorKind::WriteZero.into(), now),
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.failed(&error, now),
            }
        }
        if done == bytes.len() && self.told {
            self.told = false;
            tracing::info!(path = %self.path.display(), "the log can be written again");
        }
        done
    }

    /// How many of these bytes the file holds from a spot on: those that a killed daemon could still write.
    pub(crate) fn holds(&mut self, spot: Spot, bytes: &[u8], now: Instant) -> usize {
        let Some(end) = self.end(now) else { return 0 };
        if (end.device, end.inode) != (spot.device, spot.inode) || end.offset <= spot.offset {
            return 0;
        }
        let there = usize::try_from(end.offset - spot.offset).unwrap_or(usize::MAX).min(bytes.len());
        let mut found = vec![0; there];
        let read = File::open(&self.path).and_then(|file| file.read_exact_at(&mut found, spot.offset));
        let same = found.iter().zip(bytes).take_while(|(found, byte)| found == byte).count();
        // Part of it counts only where nothing follows: otherwise the likeness is chance.
        let counts =
            read.is_ok() && (same == bytes.len() || (same == there && end.offset == spot.offset + same as u64));
        if counts { same } else { 0 }
    }

    /// Opens it anew, by its path, as soon as no line is cut in two by that.
    pub(crate) fn reopen(&mut self) {
        self.reopen = true;
        if self.reserved.is_none() {
            self.at_line_end();
        }
    }

    /// What waits for the end of a line is done.
    pub(crate) fn at_line_end(&mut self) {
        if std::mem::take(&mut self.reopen) {
            self.state = State::Closed { retry_at: Instant::now() };
        }
    }

    fn open(&mut self, now: Instant) -> Option<Spot> {
        let opened = open(&self.path).and_then(|file| {
            let found = file.metadata()?;
            let spot = Spot { device: found.dev(), inode: found.ino(), offset: found.len() };
            Ok((file, spot))
        });
        match opened {
            Ok((file, spot)) => {
                self.state = State::Open { file, spot };
                Some(spot)
            }
            Err(error) => {
                self.failed(&error, now);
                None
            }
        }
    }

    fn failed(&mut self, error: &io::Error, now: Instant) {
        if !self.told {
            self.told = true;
            tracing::warn!(path = %self.path.display(), "the log cannot be written, output waits: {error}");
        }
        self.state = State::Closed { retry_at: now + TRY_AGAIN };
    }
}

/// Checks that a log can be written, making it and its folder.
///
/// # Errors
/// Why it cannot.
pub(crate) fn check(path: &Path) -> io::Result<()> {
    open(path).map(drop)
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    file::open_append(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later() -> Instant {
        Instant::now() + TRY_AGAIN
    }

    #[test]
    fn a_folder_that_is_missing_is_made_and_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/out.log");
        let mut log = LogFile::new(path.clone());
        let now = Instant::now();
        assert_eq!(log.end(now).unwrap().offset, 0);
        assert_eq!(log.add(b"x\n", now), 2);
        assert_eq!(log.end(now).unwrap().offset, 2);
        std::fs::remove_dir_all(dir.path().join("a")).unwrap();
        assert_eq!(log.end(now).unwrap().offset, 0);
        assert_eq!(log.add(b"y\n", now), 2);
        assert_eq!(std::fs::read(path).unwrap(), b"y\n");
    }

    #[test]
    fn what_cannot_be_written_is_tried_again_later_and_by_its_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        let mut log = LogFile::new(path.clone());
        let now = Instant::now();
        assert!(log.end(now).is_some());
        assert_eq!(log.add(b"12345", now), 0);
        assert!(log.end(now).is_none() && log.retry_at().is_some());
        std::fs::remove_file(&path).unwrap();
        assert!(log.end(later()).is_some());
        assert_eq!(log.add(b"12345", now), 5);
        assert_eq!(std::fs::read(path).unwrap(), b"12345");
    }

    #[test]
    fn a_file_in_place_of_the_folder_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("f"), b"").unwrap();
        let mut log = LogFile::new(dir.path().join("f/out.log"));
        assert!(log.end(Instant::now()).is_none());
        std::fs::remove_file(dir.path().join("f")).unwrap();
        assert!(log.end(later()).is_some());
    }

    #[test]
    fn what_a_killed_daemon_wrote_is_found_and_what_others_wrote_is_not_taken_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = LogFile::new(dir.path().join("log"));
        let now = Instant::now();
        log.end(now).unwrap();
        log.add(b"before\n", now);
        let spot = log.end(now).unwrap();
        assert_eq!(log.holds(spot, b"line\n", now), 0);
        log.add(b"li", now);
        assert_eq!(log.holds(spot, b"line\n", now), 2);
        log.add(b"ne\nmore\n", now);
        assert_eq!(log.holds(spot, b"line\n", now), 5);
        assert_eq!(log.holds(spot, b"line two\n", now), 0, "the likeness is chance");
        assert_eq!(log.holds(Spot { inode: 1, ..spot }, b"line\n", now), 0);
    }
}
