//! What waits to be written to one run, and what the next daemon must know of it. An answer is never forgotten, and never given twice.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::{cell::RefCell, rc::Rc};

use rewake_nodeipc::{Full, Happening, Outbox};
use rewake_unix::fdpass;
use rewake_unix::journal::{Journal, NOTES, State};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// What waits to be written, and the descriptors that go with some of it. With a journal, all but frames with descriptors are in it, too.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    pub(crate) journal: Option<Journal>,
    frames: Outbox,
    next_tag: u64,
    descriptors: BTreeMap<u64, Rc<OwnedFd>>,
    /// So much of the frame under way is not in the journal: it was a frame with a descriptor.
    beside_journal: usize,
}

/// What is noted in a journal, true where its input begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Notes {
    pub(crate) skipping: u64,
    /// So many of the handle messages in the input have their answer.
    pub(crate) answered: u64,
    /// Descriptors that have come and belong to none of them.
    pub(crate) waiting: u64,
    /// Which [`Once`]s were said.
    pub(crate) said: u64,
}

/// What is said to a process once, also by one daemon after the other: said twice, it ends or closes before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Once {
    /// The message `'shutdown'`.
    Shutdown,
    /// To a worker: accept nothing any more.
    Drain,
}

impl Once {
    fn bit(self) -> u64 {
        match self {
            Self::Shutdown => 1,
            Self::Drain => 2,
        }
    }
}

impl From<[u64; NOTES]> for Notes {
    fn from([skipping, answered, waiting, said]: [u64; NOTES]) -> Self {
        Self { skipping, answered, waiting, said }
    }
}

impl From<Notes> for [u64; NOTES] {
    fn from(notes: Notes) -> Self {
        [notes.skipping, notes.answered, notes.waiting, notes.said]
    }
}

impl Outgoing {
    /// What an earlier daemon has left to be written, to begin with.
    pub(crate) fn new(journal: Option<Journal>) -> Self {
        let mut outgoing = Self { journal, ..Self::default() };
        let left = outgoing.journal.as_ref().map(Journal::unsent);
        match left {
            None => {}
            Some(Ok(left)) => {
                // An empty queue takes it, whatever its size.
                let _ = outgoing.frames.push(left);
            }
            Some(Err(error)) => outgoing.give_up_journal(&error),
        }
        outgoing
    }

    /// Queues a frame.
    ///
    /// # Errors
    /// When there is no room.
    pub(crate) fn push(&mut self, bytes: Vec<u8>, once: Option<Once>) -> Result<(), Full> {
        let state = self.write_down(&bytes, once);
        self.frames.push(bytes)?;
        self.commit(state);
        Ok(())
    }

    /// Queues a frame of Node's own.
    pub(crate) fn push_own(&mut self, bytes: Vec<u8>, descriptor: Option<Rc<OwnedFd>>, once: Option<Once>) {
        let Some(descriptor) = descriptor else {
            let state = self.write_down(&bytes, once);
            self.frames.push_own(bytes, None);
            return self.commit(state);
        };
        let tag = self.next_tag;
        self.next_tag += 1;
        self.descriptors.insert(tag, descriptor);
        self.frames.push_own(bytes, Some(tag));
    }

    /// Takes the answers out of what has happened and queues them, noting that they were given.
    pub(crate) fn answer(&mut self, happenings: &mut Vec<Happening>) {
        happenings.retain_mut(|happening| {
            let Happening::Answer(bytes) = happening else { return true };
            let mut state = self.write_down(bytes, None);
            if let Some(state) = &mut state {
                let notes = Notes::from(state.notes);
                state.notes = Notes { answered: notes.answered + 1, ..notes }.into();
            }
            self.frames.push_answer(std::mem::take(bytes));
            self.commit(state);
            false
        });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub(crate) fn is_clogged(&self) -> bool {
        self.frames.is_clogged()
    }

    /// Whether it was said, by this daemon or an earlier one.
    pub(crate) fn has_said(&self, once: Once) -> bool {
        let said = self.journal.as_ref().map_or(0, |journal| Notes::from(journal.state().notes).said);
        said & once.bit() != 0
    }

    /// Whether a frame waits that the next daemon could not send.
    pub(crate) fn owes_handles(&self) -> bool {
        !self.descriptors.is_empty()
    }

    /// Nothing of it can be written any more.
    pub(crate) fn clear(&mut self) {
        self.frames = Outbox::default();
        self.descriptors.clear();
        self.beside_journal = 0;
        if let Some(journal) = &mut self.journal {
            journal.drop_unsent();
        }
    }

    /// Puts bytes into the journal. They count once the state is committed.
    fn write_down(&mut self, bytes: &[u8], once: Option<Once>) -> Option<State> {
        let journal = self.journal.as_mut()?;
        let mut state = journal.state();
        let notes = Notes::from(state.notes);
        state.notes = Notes { said: notes.said | once.map_or(0, Once::bit), ..notes }.into();
        match journal.put(&mut state, bytes) {
            Ok(()) => Some(state),
            Err(error) => {
                self.give_up_journal(&error);
                None
            }
        }
    }

    fn commit(&mut self, state: Option<State>) {
        if let (Some(journal), Some(state)) = (&mut self.journal, state) {
            journal.commit(state);
        }
    }

    fn give_up_journal(&mut self, error: &io::Error) {
        tracing::error!("messages to an app would not outlive this daemon: {error}");
        self.journal = None;
    }

    fn write_one(&mut self, fd: &AsyncFd<OwnedFd>) -> io::Result<()> {
        let tag = self.frames.front_tag();
        let front = self.frames.front();
        let journalled = tag.is_none() && self.beside_journal == 0;
        let n = match &mut self.journal {
            Some(journal) if journalled => fd.try_io(Interest::WRITABLE, |fd| journal.send(fd.as_fd(), front))?,
            Some(_) | None => {
                let beside: Vec<BorrowedFd<'_>> =
                    tag.and_then(|tag| self.descriptors.get(&tag)).map(|fd| fd.as_fd()).into_iter().collect();
                let n = fd.try_io(Interest::WRITABLE, |fd| fdpass::send(fd.as_fd(), front, &beside))?;
                self.beside_journal = if journalled { 0 } else { front.len() - n };
                n
            }
        };
        self.frames.advance(n);
        if let Some(tag) = tag {
            self.descriptors.remove(&tag);
        }
        Ok(())
    }
}

/// Writes until the queue is empty. `WouldBlock` when the app does not read.
pub(crate) fn write_out(fd: &AsyncFd<OwnedFd>, outgoing: &RefCell<Outgoing>) -> io::Result<()> {
    let outgoing = &mut *outgoing.borrow_mut();
    while !outgoing.frames.is_empty() {
        outgoing.write_one(fd)?;
    }
    if let Some(journal) = &mut outgoing.journal {
        journal.spare();
    }
    Ok(())
}
