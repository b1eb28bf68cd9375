//! What a stream has written and is not in its log yet: read from one position, released behind it. Never decides what is written where.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;

use rewake_unix::spool;

/// What may have been read and not yet be released. Less costs more calls; more holds up the program, which cannot write meanwhile.
const LAZY: u64 = 32 << 10;
/// What is kept behind the cursor: the last lines, for whoever asks how it ended.
const TAIL: u64 = 4 << 10;
/// What waits for a log that cannot be written, at most; then the oldest goes. Half of what is free, if that is less.
const MOST_WAITING: u64 = 256 << 20;
/// The same in memory that nothing else bounds.
const MOST_WAITING_IN_MEMORY: u64 = 64 << 20;
/// Below this nobody looks how much room there is.
const FEW: u64 = 8 << 20;
/// How far the beginning of a line is looked for.
const LONGEST_LINE: u64 = 256 << 10;
/// A pipe holds no more.
const PIPE_BYTES: usize = 1 << 20;

/// A stream's spool.
#[derive(Debug)]
pub(crate) struct Spool {
    file: File,
    /// Where its bytes come from; `None`: the program writes to it itself, or the pipe has ended.
    pub(crate) pipe: Option<OwnedFd>,
    released_to: u64,
}

impl Spool {
    pub(crate) fn new(file: OwnedFd, pipe: Option<OwnedFd>) -> Self {
        Self { file: file.into(), pipe, released_to: 0 }
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Its length: all that ever came.
    pub(crate) fn end(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Whether nobody has the program's end open, as far as that was not opened anew.
    pub(crate) fn is_closed(&self) -> bool {
        spool::is_closed(&self.file)
    }

    pub(crate) fn read(&self, at: u64, length: u64, buffer: &mut Vec<u8>) -> io::Result<()> {
        buffer.resize(usize::try_from(length).unwrap_or(0), 0);
        self.file.read_exact_at(buffer, at)
    }

    /// The last bytes that came, and whether they are all that ever came.
    pub(crate) fn tail(&self) -> (Vec<u8>, bool) {
        let end = self.end().unwrap_or(0);
        let from = end.saturating_sub(TAIL);
        let mut bytes = Vec::new();
        match self.read(from, end - from, &mut bytes) {
            Ok(()) => (bytes, from == 0),
            Err(_) => (Vec::new(), true),
        }
    }

    /// Takes out of the pipe what there is.
    pub(crate) fn take_in(&mut self, end: u64) -> io::Result<()> {
        let Some(pipe) = &self.pipe else { return Ok(()) };
        match spool::take_in(pipe.as_fd(), self.file.as_fd(), end, PIPE_BYTES) {
            Ok(0) => self.pipe = None,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// From where on it may go on waiting, when so much waits that the oldest has to go: the beginning of a line.
    pub(crate) fn too_much(&self, waiting: u64, end: u64) -> Option<u64> {
        if waiting <= FEW {
            return None;
        }
        let most = match spool::room(&self.file) {
            Some(room) => MOST_WAITING.min((room / 2).max(FEW)),
            None => MOST_WAITING_IN_MEMORY,
        };
        (waiting > most).then(|| self.line_from(end - most / 4 * 3, end))
    }

    /// Gives back the memory of what nobody will read.
    pub(crate) fn throw_away(&self, from: u64, to: u64) -> io::Result<()> {
        spool::release(&self.file, from, to)
    }

    /// Gives back the memory of what is in the log, but for the last lines.
    pub(crate) fn release(&mut self, cursor: u64) {
        let to = cursor.saturating_sub(TAIL);
        if to.saturating_sub(self.released_to) >= LAZY {
            // A file system that could not was not chosen; were it to fail now, only memory is lost.
            let _ = spool::release(&self.file, self.released_to, to);
            self.released_to = to - to % 4096;
        }
    }

    /// It has been cut, and is filled again from its beginning.
    pub(crate) fn begin_again(&mut self) {
        self.released_to = 0;
    }

    fn line_from(&self, at: u64, end: u64) -> u64 {
        let mut bytes = Vec::new();
        match self.read(at, (end - at).min(LONGEST_LINE), &mut bytes) {
            Ok(()) => memchr::memchr(b'\n', &bytes).map_or(at, |newline| at + newline as u64 + 1),
            Err(_) => at,
        }
    }
}
