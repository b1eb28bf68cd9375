//! One file that is followed, by its descriptor: how far it was read. Knows truncation, also where the file has grown beyond that place since.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::sync::Arc;

use crate::aside::Old;
use crate::source::{open_old, unpacked};

/// Bytes before the place that was reached that must still be the same.
const MARK: usize = 32;

/// A file, or a compressed one.
pub(super) enum Body {
    Plain(Plain),
    Compressed(Box<dyn Read + Send>),
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Plain(plain) => plain.fmt(f),
            Self::Compressed(_) => f.write_str("Compressed"),
        }
    }
}

#[derive(Debug)]
pub(super) struct Plain {
    pub(super) file: Arc<File>,
    pub(super) position: u64,
    pub(super) identity: (u64, u64),
    mark: Vec<u8>,
}

impl Plain {
    pub(super) fn new(file: Arc<File>, position: u64) -> io::Result<Self> {
        let found = file.metadata()?;
        let position = position.min(found.len());
        let mut mark = vec![0; MARK.min(usize::try_from(position).unwrap_or(MARK))];
        let before = position - mark.len() as u64;
        file.read_exact_at(&mut mark, before)?;
        Ok(Self { file, position, identity: (found.dev(), found.ino()), mark })
    }

    /// Whether what was read is no longer there: then the file is read from its beginning.
    pub(super) fn is_cut(&self) -> io::Result<bool> {
        let mut now = [0; MARK];
        let now = &mut now[..self.mark.len()];
        let before = self.position - now.len() as u64;
        match self.file.read_exact_at(now, before) {
            Ok(()) => Ok(now != self.mark.as_slice()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(true),
            Err(error) => Err(error),
        }
    }

    pub(super) fn start_again(&mut self) {
        self.position = 0;
        self.mark.clear();
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.position)?;
        self.position += count as u64;
        self.mark.extend_from_slice(&buffer[count.saturating_sub(MARK)..count]);
        self.mark.drain(..self.mark.len().saturating_sub(MARK));
        Ok(count)
    }
}

impl Body {
    /// What was put aside, from its beginning; `None`: it was removed.
    pub(super) fn of_old(old: &Old) -> io::Result<Option<Self>> {
        Ok(match open_old(old)? {
            None => None,
            Some((file, true)) => Some(Self::Compressed(unpacked(&file)?)),
            Some((file, false)) => Some(Self::Plain(Plain::new(Arc::new(file), 0)?)),
        })
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let result = match self {
                Self::Plain(plain) => plain.read(buffer),
                Self::Compressed(reader) => reader.read(buffer),
            };
            match result {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}
