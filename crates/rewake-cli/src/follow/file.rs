//! One followed file: how far it was read, and the line that is not finished. Knows truncation and replacement;
//! never loses what was appended before either.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Longest piece of a line that is kept until its newline comes; a longer line is given in pieces.
const MAX_PARTIAL: usize = 1 << 20;

/// A file by its path.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) path: PathBuf,
    open: Option<Open>,
    partial: Vec<u8>,
}

#[derive(Debug)]
struct Open {
    file: File,
    position: u64,
    identity: (u64, u64),
}

impl Followed {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, open: None, partial: Vec::new() }
    }

    /// Whether there is a file under the path that is read.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Opens what the path means, to be read from `position` (the end, if the file is shorter). No file is no error.
    pub(super) fn open_at(&mut self, position: u64) -> io::Result<()> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let found = file.metadata()?;
        self.open = Some(Open { file, position: position.min(found.len()), identity: (found.dev(), found.ino()) });
        Ok(())
    }

    /// Whether the path now means another file than the one that is read.
    pub(super) fn is_replaced(&self) -> bool {
        let now = std::fs::metadata(&self.path).ok().map(|found| (found.dev(), found.ino()));
        now.is_some() && now != self.open.as_ref().map(|open| open.identity)
    }

    /// Gives each whole line that was appended since the last call. A file that became shorter is read from its beginning.
    pub(super) fn read(&mut self, mut line: impl FnMut(&[u8])) -> io::Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        if open.file.metadata()?.len() < open.position {
            // Emptied (`flush`): the rest of an unfinished line will never come.
            give(&mut self.partial, &mut line);
            open.position = 0;
        }
        open.file.seek(SeekFrom::Start(open.position))?;
        let mut buffer = vec![0; 64 << 10];
        loop {
            let count = open.file.read(&mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            open.position += count as u64;
            split(&mut self.partial, &buffer[..count], &mut line);
        }
    }

    /// Ends with this file: its unfinished last line is one after all.
    pub(super) fn close(&mut self, mut line: impl FnMut(&[u8])) {
        self.open = None;
        give(&mut self.partial, &mut line);
    }

    pub(super) fn is_in(&self, folder: &Path, name: &std::ffi::OsStr) -> bool {
        self.path.parent() == Some(folder) && self.path.file_name() == Some(name)
    }
}

fn split(partial: &mut Vec<u8>, mut bytes: &[u8], line: &mut impl FnMut(&[u8])) {
    while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
        if partial.is_empty() {
            line(&bytes[..end]);
        } else {
            partial.extend_from_slice(&bytes[..end]);
            line(partial);
            partial.clear();
        }
        bytes = &bytes[end + 1..];
    }
    partial.extend_from_slice(bytes);
    if partial.len() > MAX_PARTIAL {
        give(partial, line);
    }
}

fn give(partial: &mut Vec<u8>, line: &mut impl FnMut(&[u8])) {
    if !partial.is_empty() {
        line(partial);
        partial.clear();
    }
}
