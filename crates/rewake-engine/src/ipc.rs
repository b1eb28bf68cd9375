//! One run's IPC channel: the loop reads and writes it, a small task only tells when it is readable or writable.
//! Never waits for the app: what it does not read stays in a bounded queue. What was read counts as read when it was acted upon
//! ([`Ipc::acted`]); until then it is in a journal that outlives this process.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use rewake_core::RunId;
use rewake_nodeipc::{Channel, Happening, Mode};
use rewake_unix::fdpass;
use rewake_unix::journal::Journal;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use crate::ipc_out::{Notes, Once, Outgoing, write_out};
use crate::watched::watched;

/// What is read from one app before the others get their turn.
const SLICE_BYTES: usize = 256 << 10;
const READ_BYTES: usize = 64 << 10;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// The channel of one run.
#[derive(Debug)]
pub(crate) struct Ipc {
    fd: Rc<AsyncFd<OwnedFd>>,
    mode: Mode,
    channel: Channel,
    outbox: Rc<RefCell<Outgoing>>,
    wake: Rc<Wake>,
    watcher: JoinHandle<()>,
    open: bool,
    /// What the last daemon had read and not acted upon.
    again: Vec<Happening>,
}

#[derive(Debug, Default)]
struct Wake {
    /// The loop has read: look again.
    read: Notify,
    /// The outbox has something.
    write: Notify,
}

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotSent {
    Closed,
    Full,
    /// The text cannot be a message; why.
    Refused(String),
}

impl Ipc {
    /// Takes over our end of the channel. `readable` gets the run's number whenever there is something to read. A `journal` that an
    /// earlier daemon has left says where to go on.
    pub(crate) fn start(
        fd: OwnedFd,
        mode: Mode,
        run: RunId,
        readable: mpsc::UnboundedSender<RunId>,
        mut journal: Option<Journal>,
    ) -> io::Result<Self> {
        let fd = Rc::new(watched(fd, Interest::READABLE | Interest::WRITABLE)?);
        let wake = Rc::new(Wake::default());
        let mut channel = Channel::new(mode);
        let mut again = Vec::new();
        if let Some(journal) = &mut journal {
            journal.attach(fd.get_ref().as_fd());
            again = read_again(&mut channel, journal);
        }
        let mut outgoing = Outgoing::new(journal);
        outgoing.answer(&mut again);
        if !again.is_empty() {
            // The engine that is to hear of it is there for as long as its channels.
            let _ = readable.send(run);
        }
        if !outgoing.is_empty() {
            wake.write.notify_one();
        }
        let outbox = Rc::new(RefCell::new(outgoing));
        let watcher =
            tokio::task::spawn_local(watch(Rc::clone(&fd), Rc::clone(&outbox), Rc::clone(&wake), run, readable));
        Ok(Self { fd, mode, channel, outbox, wake, watcher, open: true, again })
    }

    /// Reads what has come, at most a slice (or `to_the_end`, once the process has ended), and answers what must be answered. What it
    /// gives back will be given to the next daemon again, unless [`acted`](Self::acted) is called.
    pub(crate) fn read(&mut self, to_the_end: bool) -> Vec<Happening> {
        let mut happenings = std::mem::take(&mut self.again);
        let mut taken = 0;
        while self.open && (to_the_end || (taken < SLICE_BYTES && !self.owes_handles())) && !self.is_clogged() {
            match self.read_once(to_the_end, &mut happenings) {
                Ok(0) => {
                    self.channel.end(&mut happenings);
                    self.close();
                }
                Ok(n) => taken += n,
                // Or the journal is full until what was read is acted upon.
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory) => break,
                Err(_) => {
                    self.channel.end(&mut happenings);
                    self.close();
                }
            }
        }
        self.flush();
        // An app that asks and never reads the answers is read again when it has read some.
        if !self.is_clogged() {
            self.wake.read.notify_one();
        }
        happenings
    }

    /// Queues a message, JSON text.
    ///
    /// # Errors
    /// When the app has closed its channel or does not read, or the text is not JSON.
    pub(crate) fn send(&mut self, json: &str) -> Result<(), NotSent> {
        self.send_once(json, None)
    }

    /// As [`send`](Self::send), with a note that this was said.
    pub(crate) fn send_once(&mut self, json: &str, once: Option<Once>) -> Result<(), NotSent> {
        if !self.open {
            return Err(NotSent::Closed);
        }
        let bytes = rewake_nodeipc::encode(self.mode, json).map_err(|error| NotSent::Refused(error.to_string()))?;
        self.outbox.borrow_mut().push(bytes, once).map_err(|_| NotSent::Full)?;
        self.flush();
        if self.open { Ok(()) } else { Err(NotSent::Closed) }
    }

    /// Queues a message of Node's own, with a descriptor if it carries one. Never refused: the protocol needs it.
    pub(crate) fn send_own(&mut self, json: &str, descriptor: Option<Rc<OwnedFd>>, once: Option<Once>) {
        let bytes = match rewake_nodeipc::encode_own(self.mode, json) {
            Ok(bytes) if self.open => bytes,
            Ok(_) => return,
            Err(error) => {
                tracing::error!("bug: a message of ours cannot be sent: {error}");
                return;
            }
        };
        self.outbox.borrow_mut().push_own(bytes, descriptor, once);
        self.flush();
    }

    /// All that was read has been acted upon, and what followed from it is on record: the next daemon need not hear of it.
    pub(crate) fn acted(&mut self) {
        let mut outgoing = self.outbox.borrow_mut();
        // An answer with a descriptor that was not sent dies with us: the question must be heard again.
        if outgoing.owes_handles() {
            return;
        }
        if let Some(journal) = &mut outgoing.journal {
            let state = journal.state();
            let notes = Notes {
                skipping: self.channel.skipping(),
                answered: 0,
                waiting: self.channel.waiting() as u64,
                said: Notes::from(state.notes).said,
            };
            let end = state.end;
            journal.acted(end.saturating_sub(self.channel.unfinished() as u64), notes.into());
        }
    }

    /// Whether it was said, by this daemon or an earlier one.
    pub(crate) fn has_said(&self, once: Once) -> bool {
        self.outbox.borrow().has_said(once)
    }

    pub(crate) fn has_journal(&self) -> bool {
        self.outbox.borrow().journal.is_some()
    }

    /// Whether the app still has its end.
    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    fn is_clogged(&self) -> bool {
        self.outbox.borrow().is_clogged()
    }

    fn owes_handles(&self) -> bool {
        self.outbox.borrow().owes_handles()
    }

    fn read_once(&mut self, to_the_end: bool, happenings: &mut Vec<Happening>) -> io::Result<usize> {
        let outgoing = &mut *self.outbox.borrow_mut();
        // Descriptors that come beside it are closed as they drop here; the channel says what to answer.
        let mut fresh = Vec::new();
        let bytes = if let Some(journal) = &mut outgoing.journal {
            let before = journal.state().end;
            let (received, mut state) = take(&self.fd, to_the_end, |fd| journal.receive(fd, READ_BYTES))?;
            self.channel.receive(journal.input(before, state.end), received.fds.len(), &mut fresh);
            let notes = Notes::from(state.notes);
            state.notes = Notes { waiting: self.channel.waiting() as u64, ..notes }.into();
            journal.commit(state);
            received.bytes
        } else {
            BUFFER.with_borrow_mut(|buffer| {
                let received = take(&self.fd, to_the_end, |fd| fdpass::recv_stream_with_fds(fd, buffer))?;
                self.channel.receive(&buffer[..received.bytes], received.fds.len(), &mut fresh);
                io::Result::Ok(received.bytes)
            })?
        };
        // An app that waits for an answer is silent until it comes.
        outgoing.answer(&mut fresh);
        happenings.append(&mut fresh);
        Ok(bytes)
    }

    fn flush(&mut self) {
        match write_out(&self.fd, &self.outbox) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wake.write.notify_one(),
            // It is closed for writing; what it said before can still be read.
            Err(_) => self.outbox.borrow_mut().clear(),
        }
    }

    fn close(&mut self) {
        self.open = false;
        self.watcher.abort();
    }
}

impl Drop for Ipc {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}

/// Tells the loop when the channel is readable, and writes what is queued when it is writable again.
async fn watch(
    fd: Rc<AsyncFd<OwnedFd>>,
    outbox: Rc<RefCell<Outgoing>>,
    wake: Rc<Wake>,
    run: RunId,
    readable: mpsc::UnboundedSender<RunId>,
) {
    let reading = async {
        loop {
            let Ok(mut ready) = fd.readable().await else { return };
            ready.retain_ready();
            if readable.send(run).is_err() {
                return;
            }
            wake.read.notified().await;
        }
    };
    let writing = async {
        loop {
            wake.write.notified().await;
            while let Err(error) = write_out(&fd, &outbox) {
                if error.kind() != io::ErrorKind::WouldBlock {
                    outbox.borrow_mut().clear();
                    break;
                }
                let Ok(mut ready) = fd.writable().await else { return };
                ready.retain_ready();
            }
            wake.read.notify_one();
        }
    };
    tokio::join!(reading, writing);
}

/// Reads what has come, or fails with `WouldBlock`.
fn take<T>(
    fd: &AsyncFd<OwnedFd>,
    to_the_end: bool,
    read: impl FnOnce(BorrowedFd<'_>) -> io::Result<T>,
) -> io::Result<T> {
    if to_the_end {
        // The runtime may not have heard yet of what was said last; it would say that there is nothing.
        return read(fd.get_ref().as_fd());
    }
    fd.try_io(Interest::READABLE, |fd| read(fd.as_fd()))
}

/// What the last daemon had read and not acted upon, but for what it had answered.
fn read_again(channel: &mut Channel, journal: &Journal) -> Vec<Happening> {
    let state = journal.state();
    let notes = Notes::from(state.notes);
    channel.skip(notes.skipping);
    let mut happenings = Vec::new();
    let descriptors = usize::try_from(notes.waiting.saturating_add(notes.answered)).unwrap_or(0);
    channel.receive(journal.input(state.start, state.end), descriptors, &mut happenings);
    let mut answered = notes.answered;
    happenings.retain(|happening| {
        let given = answered > 0 && matches!(happening, Happening::Answer(_));
        answered -= u64::from(given);
        !given
    });
    happenings
}
