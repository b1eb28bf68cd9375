//! One followed log: the file that is read, those that come after it, and the line that is not finished. Loses nothing that was appended
//! before a file was moved, whether or not others have come and gone meanwhile.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::body::{Body, Plain};
use crate::forward::{PIECE, Piece};
use crate::{aside, source};

/// Bytes that are read at once.
const BLOCK: usize = 64 << 10;

/// Where following begins.
#[derive(Debug)]
pub enum Start {
    /// At this place of whatever file bears the name (its end, if it is shorter).
    At(u64),
    /// At this place of this file, which may have been moved meanwhile.
    In(Arc<File>, u64),
}

/// A log by its path.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) path: PathBuf,
    /// What is read, and then what is behind it; the last is the one that bears the name, as far as we know.
    bodies: VecDeque<Body>,
    partial: Vec<u8>,
    mid_line: bool,
}

impl Followed {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, bodies: VecDeque::new(), partial: Vec::new(), mid_line: false }
    }

    /// Begins; gives the file to be watched. No file is no error.
    pub(super) fn begin(&mut self, start: Start) -> io::Result<Option<Arc<File>>> {
        let (file, position) = match start {
            Start::In(file, position) => (file, position),
            Start::At(position) => match source::open(&self.path)? {
                Some((file, _)) => (Arc::new(file), position),
                None => return Ok(None),
            },
        };
        self.bodies.push_back(Body::Plain(Plain::new(Arc::clone(&file), position)?));
        Ok(Some(file))
    }

    /// Looks whether the name means another file now; gives that, to be watched.
    pub(super) fn look_for_successor(&mut self) -> io::Result<Option<Arc<File>>> {
        let now = fs::metadata(&self.path).ok().map(|found| (found.dev(), found.ino()));
        let known = match self.bodies.back() {
            Some(Body::Plain(plain)) => Some(plain.identity),
            Some(Body::Compressed(_)) | None => None,
        };
        if now.is_none() || now == known {
            return Ok(None);
        }
        // Opened before the others are looked for: what is put aside between the two is the one that we have.
        let Some((file, _)) = source::open(&self.path)? else { return Ok(None) };
        let successor = Plain::new(Arc::new(file), 0)?;
        if let Some(Body::Plain(plain)) = self.bodies.back() {
            let (since, known) = (plain.file.metadata()?.modified()?, plain.identity);
            self.take_between(since, known, successor.identity)?;
        }
        let file = Arc::clone(&successor.file);
        self.bodies.push_back(Body::Plain(successor));
        Ok(Some(file))
    }

    /// Files that bore the name between two looks, and were put aside.
    fn take_between(&mut self, since: SystemTime, known: (u64, u64), next: (u64, u64)) -> io::Result<()> {
        // Without the folder there is nothing between.
        for old in aside::olds(&self.path).unwrap_or_default() {
            let Ok(found) = fs::metadata(&old.path) else { continue };
            let identity = (found.dev(), found.ino());
            if old.age.0 > since && identity != known && identity != next {
                self.bodies.extend(Body::of_old(&old)?);
            }
        }
        Ok(())
    }

    /// Gives what was appended, at most `budget` bytes, which it takes from that. Whether there may be more.
    pub(super) fn read(&mut self, budget: &mut usize, give: &mut dyn FnMut(Piece<'_>)) -> io::Result<bool> {
        if let Some(Body::Plain(plain)) = self.bodies.front_mut()
            && plain.is_cut()?
        {
            // Emptied (`flush`, copytruncate): the rest of an unfinished line will never come.
            plain.start_again();
            self.end_line(give);
        }
        let mut buffer = vec![0; BLOCK];
        loop {
            if *budget == 0 {
                return Ok(true);
            }
            let Some(body) = self.bodies.front_mut() else { return Ok(false) };
            let count = body.read(&mut buffer[..BLOCK.min(*budget)])?;
            *budget -= count;
            if count > 0 {
                self.split(&buffer[..count], give);
            } else if !self.has_next()? {
                return Ok(false);
            } else if !self.has_more()? {
                self.bodies.pop_front();
                self.end_line(give);
            }
        }
    }

    /// Whether there is a next file with something in it. As long as that is empty, whoever writes may still have the old one open.
    fn has_next(&self) -> io::Result<bool> {
        Ok(match self.bodies.get(1) {
            None => false,
            Some(Body::Compressed(_)) => true,
            Some(Body::Plain(plain)) => self.bodies.len() > 2 || plain.file.metadata()?.len() > 0,
        })
    }

    /// Whether something was written to the present file before the first byte of the next.
    fn has_more(&self) -> io::Result<bool> {
        match self.bodies.front() {
            Some(Body::Plain(plain)) => Ok(plain.file.metadata()?.len() > plain.position),
            Some(Body::Compressed(_)) | None => Ok(false),
        }
    }

    fn split(&mut self, mut bytes: &[u8], give: &mut dyn FnMut(Piece<'_>)) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            if self.partial.is_empty() {
                give(Piece { bytes: &bytes[..end], begins: !self.mid_line, ends: true });
            } else {
                self.partial.extend_from_slice(&bytes[..end]);
                give(Piece { bytes: &self.partial, begins: !self.mid_line, ends: true });
                self.partial.clear();
            }
            self.mid_line = false;
            bytes = &bytes[end + 1..];
        }
        self.partial.extend_from_slice(bytes);
        if self.partial.len() >= PIECE {
            give(Piece { bytes: &self.partial, begins: !self.mid_line, ends: false });
            self.mid_line = true;
            self.partial.clear();
        }
    }

    /// An unfinished line is one after all.
    fn end_line(&mut self, give: &mut dyn FnMut(Piece<'_>)) {
        if !self.partial.is_empty() || self.mid_line {
            give(Piece { bytes: &self.partial, begins: !self.mid_line, ends: true });
            self.mid_line = false;
            self.partial.clear();
        }
    }

    pub(super) fn is_in(&self, folder: &Path, name: &std::ffi::OsStr) -> bool {
        self.path.parent() == Some(folder) && self.path.file_name() == Some(name)
    }
}
