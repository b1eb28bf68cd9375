//! One log file being written. A file that cannot be written costs its lines, exactly counted, never the app or the daemon.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rewake_unix::file;

/// How long a file that could not be opened is left alone; a missing folder is not looked for at every line.
const REOPEN_AFTER: Duration = Duration::from_secs(1);

/// Where one stream of one run is written.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    state: State,
    /// Bytes that could not be written since the last success.
    lost: u64,
}

#[derive(Debug)]
enum State {
    Open(File),
    Closed { since: Instant },
}

impl LogFile {
    /// Opens (or makes) the file and its folder for appending. When that fails the object is still good: it counts what is
    /// lost and tries again.
    pub(crate) fn open(path: PathBuf) -> (Self, io::Result<()>) {
        match open(&path) {
            Ok(file) => (Self { path, state: State::Open(file), lost: 0 }, Ok(())),
            Err(error) => {
                let state = State::Closed { since: Instant::now() };
                (Self { path, state, lost: 0 }, Err(error))
            }
        }
    }

    /// Appends bytes, all or (counted) some.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.reopen_if_due();
        let State::Open(file) = &mut self.state else {
            self.lost += bytes.len() as u64;
            return;
        };
        if self.lost > 0 {
            // The note comes first, where the bytes are missing; if even that cannot be written, they stay counted.
            let note =
                format!("\n[rewake] {} bytes of output were lost here: the log could not be written\n", self.lost);
            if file.write_all(note.as_bytes()).is_err() {
                self.lost += bytes.len() as u64;
                return;
            }
            self.lost = 0;
        }
        let written = write_some(file, bytes);
        if written < bytes.len() {
            tracing::warn!(path = %self.path.display(), "log cannot be written: {}", io::Error::last_os_error());
            self.lost += (bytes.len() - written) as u64;
        }
    }

    fn reopen_if_due(&mut self) {
        if let State::Closed { since } = &self.state
            && since.elapsed() >= REOPEN_AFTER
        {
            self.state = match open(&self.path) {
                Ok(file) => State::Open(file),
                Err(_) => State::Closed { since: Instant::now() },
            };
        }
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

/// How many bytes could be written.
fn write_some(file: &mut File, bytes: &[u8]) -> usize {
    let mut done = 0;
    while done < bytes.len() {
        match file.write(&bytes[done..]) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_missing_is_made_and_a_file_in_its_place_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let (mut log, opened) = LogFile::open(dir.path().join("a/b/out.log"));
        opened.unwrap();
        log.append(b"x\n");
        assert_eq!(std::fs::read(dir.path().join("a/b/out.log")).unwrap(), b"x\n");
        std::fs::write(dir.path().join("f"), b"").unwrap();
        let (mut log, opened) = LogFile::open(dir.path().join("f/out.log"));
        assert!(opened.is_err());
        log.append(b"lost");
        assert_eq!(log.lost, 4);
    }

    #[test]
    fn a_full_disk_costs_lines_that_are_counted() {
        let (mut log, opened) = LogFile::open(PathBuf::from("/dev/full"));
        opened.unwrap();
        log.append(b"12345");
        log.append(b"678");
        assert_eq!(log.lost, 8);
    }
}
