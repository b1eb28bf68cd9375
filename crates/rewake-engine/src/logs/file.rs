//! One log file being added to, by one stream or several. A file that cannot be written is tried again; what it was to hold waits
//! in the spools. Always adds at the end, wherever that is: others may cut, move or remove the file.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use rewake_unix::file;

use super::compress::Housekeeper;
use super::ledger::{Key, Spot};
use super::rotate::{self, Rules};

/// How long a file that cannot be written is left alone; a missing folder is not looked for at every line.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// How long a file that could not be put aside just grows.
const ROTATE_AGAIN: Duration = Duration::from_secs(60);

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
    /// To be put aside at the end of the line.
    rotate: bool,
    pub(crate) rules: Rules,
    /// Rotation has failed, and is not tried before.
    rotate_not_before: Option<Instant>,
    /// When the present file was begun.
    born: SystemTime,
    housekeeper: Housekeeper,
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
    pub(crate) fn new(path: PathBuf, housekeeper: Housekeeper) -> Self {
        Self {
            path,
            state: State::Closed { retry_at: Instant::now() },
            users: 0,
            reserved: None,
            reopen: false,
            rotate: false,
            rules: Rules::default(),
            rotate_not_before: None,
            born: SystemTime::now(),
            housekeeper,
            told: false,
        }
    }

    /// Where the next line goes, after putting the file aside if it is full or old; `None` when the file cannot be had now.
    pub(crate) fn end_for_line(&mut self, now: Instant) -> Option<Spot> {
        let spot = self.end(now)?;
        if self.reserved.is_some() || !self.is_due(spot.offset, now) {
            return Some(spot);
        }
        self.put_aside(now);
        self.end(now)
    }

    /// How many bytes it takes before it is full.
    pub(crate) fn room(&mut self, now: Instant) -> Option<u64> {
        let most = self.rules.rotation.as_ref()?.max_size?;
        Some(most.saturating_sub(self.end(now)?.offset))
    }

    fn is_due(&self, length: u64, now: Instant) -> bool {
        let Some(rotation) = &self.rules.rotation else { return false };
        let full = rotation.max_size.is_some_and(|most| length >= most);
        let aged = |most| self.born.elapsed().is_ok_and(|age| age >= Duration::from_millis(most));
        let due = full || rotation.max_age_ms.is_some_and(aged);
        length > 0 && due && self.rotate_not_before.is_none_or(|at| at <= now)
    }

    /// Puts the file aside as soon as no line is cut in two by that; its new name if that is now.
    pub(crate) fn rotate(&mut self, now: Instant) -> Option<PathBuf> {
        if self.reserved.is_some() {
            self.rotate = true;
            return None;
        }
        let empty = self.end(now).is_none_or(|spot| spot.offset == 0);
        if empty { None } else { self.put_aside(now) }
    }

    fn put_aside(&mut self, now: Instant) -> Option<PathBuf> {
        // Its place may have been taken by another file, which is not ours to move; a device has no place to go.
        let ours = match (&self.state, fs::metadata(&self.path)) {
            (State::Open { spot, .. }, Ok(found)) => {
                found.is_file() && (found.dev(), found.ino()) == (spot.device, spot.inode)
            }
            (State::Open { .. } | State::Closed { .. }, _) => false,
        };
        if !ours {
            self.rotate_not_before = Some(now + ROTATE_AGAIN);
            self.state = State::Closed { retry_at: now };
            return None;
        }
        match rotate::put_aside(&self.path) {
            Ok(name) => {
                let mode = self.mode();
                self.state = State::Closed { retry_at: now };
                if self.end(now).is_some() {
                    self.take_mode(mode);
                }
                self.housekeeper.look_after(&self.path, &self.rules);
                Some(name)
            }
            Err(error) => {
                tracing::warn!(path = %self.path.display(), "the log cannot be put aside: {error}");
                self.rotate_not_before = Some(now + ROTATE_AGAIN);
                None
            }
        }
    }

    fn mode(&self) -> Option<fs::Permissions> {
        match &self.state {
            State::Open { file, .. } => file.metadata().ok().map(|found| found.permissions()),
            State::Closed { .. } => None,
        }
    }

    /// Whoever could read the old file can read the new one.
    fn take_mode(&self, mode: Option<fs::Permissions>) {
        if let (State::Open { file, .. }, Some(mode)) = (&self.state, mode) {
            // A file system without rights has none to lose.
            let _ = file.set_permissions(mode);
        }
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
        if std::mem::take(&mut self.rotate) {
            self.rotate(Instant::now());
        }
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
                self.born = born(&file, spot.offset);
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

/// When a file was begun: an empty one now.
fn born(file: &File, length: u64) -> SystemTime {
    let found = if length > 0 { file.metadata().ok() } else { None };
    let made = found.and_then(|found| found.created().or_else(|_| found.modified()).ok());
    made.unwrap_or_else(SystemTime::now)
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
        fs::create_dir_all(folder)?;
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
        let mut log = LogFile::new(path.clone(), Housekeeper::default());
        let now = Instant::now();
        assert_eq!(log.end(now).unwrap().offset, 0);
        assert_eq!(log.add(b"x\n", now), 2);
        assert_eq!(log.end(now).unwrap().offset, 2);
        fs::remove_dir_all(dir.path().join("a")).unwrap();
        assert_eq!(log.end(now).unwrap().offset, 0);
        assert_eq!(log.add(b"y\n", now), 2);
        assert_eq!(fs::read(path).unwrap(), b"y\n");
    }

    #[test]
    fn what_cannot_be_written_is_tried_again_later_and_by_its_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        let mut log = LogFile::new(path.clone(), Housekeeper::default());
        let now = Instant::now();
        assert!(log.end(now).is_some());
        assert_eq!(log.add(b"12345", now), 0);
        assert!(log.end(now).is_none() && log.retry_at().is_some());
        fs::remove_file(&path).unwrap();
        assert!(log.end(later()).is_some());
        assert_eq!(log.add(b"12345", now), 5);
        assert_eq!(fs::read(path).unwrap(), b"12345");
    }

    #[test]
    fn a_file_in_place_of_the_folder_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("f"), b"").unwrap();
        let mut log = LogFile::new(dir.path().join("f/out.log"), Housekeeper::default());
        assert!(log.end(Instant::now()).is_none());
        fs::remove_file(dir.path().join("f")).unwrap();
        assert!(log.end(later()).is_some());
    }

    #[test]
    fn what_a_killed_daemon_wrote_is_found_and_what_others_wrote_is_not_taken_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = LogFile::new(dir.path().join("log"), Housekeeper::default());
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
