//! One run's IPC channel: the loop reads and writes it, a small task only tells when it is readable or writable.
//! Never waits for the app: what it does not read stays in a bounded queue.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use rewake_core::RunId;
use rewake_nodeipc::{Channel, Happening, Mode, Outbox};
use rewake_unix::fdpass;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

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
}

/// What waits to be written, and the descriptors that go with some of it.
#[derive(Debug, Default)]
struct Outgoing {
    frames: Outbox,
    next_tag: u64,
    descriptors: BTreeMap<u64, Rc<OwnedFd>>,
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
    /// Takes over our end of the channel. `readable` gets the run's number whenever there is something to read.
    pub(crate) fn start(
        fd: OwnedFd,
        mode: Mode,
        run: RunId,
        readable: mpsc::UnboundedSender<RunId>,
    ) -> io::Result<Self> {
        let fd = Rc::new(watched(fd, Interest::READABLE | Interest::WRITABLE)?);
        let wake = Rc::new(Wake::default());
        let outbox = Rc::new(RefCell::new(Outgoing::default()));
        let watcher =
            tokio::task::spawn_local(watch(Rc::clone(&fd), Rc::clone(&outbox), Rc::clone(&wake), run, readable));
        Ok(Self { fd, mode, channel: Channel::new(mode), outbox, wake, watcher, open: true })
    }

    /// Reads what has come, at most a slice (or `to_the_end`, once the process has ended), and answers what must be answered.
    pub(crate) fn read(&mut self, to_the_end: bool) -> Vec<Happening> {
        let mut happenings = Vec::new();
        let mut taken = 0;
        while self.open && (to_the_end || taken < SLICE_BYTES) && !self.is_clogged() {
            match self.read_once(to_the_end, &mut happenings) {
                Ok(0) => {
                    self.channel.end(&mut happenings);
                    self.close();
                }
                Ok(n) => taken += n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.channel.end(&mut happenings);
                    self.close();
                }
            }
        }
        self.answer(&mut happenings);
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
        if !self.open {
            return Err(NotSent::Closed);
        }
        let bytes = rewake_nodeipc::encode(self.mode, json).map_err(|error| NotSent::Refused(error.to_string()))?;
        self.outbox.borrow_mut().frames.push(bytes).map_err(|_| NotSent::Full)?;
        self.flush();
        if self.open { Ok(()) } else { Err(NotSent::Closed) }
    }

    /// Queues a message of Node's own, with a descriptor if it carries one. Never refused: the protocol needs it.
    pub(crate) fn send_own(&mut self, json: &str, descriptor: Option<Rc<OwnedFd>>) {
        let bytes = match rewake_nodeipc::encode_own(self.mode, json) {
            Ok(bytes) if self.open => bytes,
            Ok(_) => return,
            Err(error) => {
                tracing::error!("bug: a message of ours cannot be sent: {error}");
                return;
            }
        };
        let mut outgoing = self.outbox.borrow_mut();
        let tag = descriptor.map(|descriptor| {
            let tag = outgoing.next_tag;
            outgoing.next_tag += 1;
            outgoing.descriptors.insert(tag, descriptor);
            tag
        });
        outgoing.frames.push_own(bytes, tag);
        drop(outgoing);
        self.flush();
    }

    /// Whether the app still has its end.
    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    fn is_clogged(&self) -> bool {
        self.outbox.borrow().frames.is_clogged()
    }

    fn read_once(&mut self, to_the_end: bool, happenings: &mut Vec<Happening>) -> io::Result<usize> {
        BUFFER.with_borrow_mut(|buffer| {
            let received = if to_the_end {
                // The runtime may not have heard yet of what was said last; it would say that there is nothing.
                fdpass::recv_stream_with_fds(self.fd.get_ref().as_fd(), buffer)?
            } else {
                self.fd.try_io(Interest::READABLE, |fd| fdpass::recv_stream_with_fds(fd.as_fd(), buffer))?
            };
            // The descriptors are closed as they drop here; the channel says what to answer.
            self.channel.receive(&buffer[..received.bytes], received.fds.len(), happenings);
            Ok(received.bytes)
        })
    }

    /// Writes acknowledgements back: an app that waits for one is silent until it comes.
    fn answer(&mut self, happenings: &mut Vec<Happening>) {
        let mut answered = false;
        happenings.retain_mut(|happening| {
            if let Happening::Answer(bytes) = happening {
                self.outbox.borrow_mut().frames.push_answer(std::mem::take(bytes));
                answered = true;
                return false;
            }
            true
        });
        if answered {
            self.flush();
        }
    }

    fn flush(&mut self) {
        match write_out(&self.fd, &self.outbox) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wake.write.notify_one(),
            // It is closed for writing; what it said before can still be read.
            Err(_) => *self.outbox.borrow_mut() = Outgoing::default(),
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
                    *outbox.borrow_mut() = Outgoing::default();
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

/// Writes until the queue is empty. `WouldBlock` when the app does not read.
fn write_out(fd: &AsyncFd<OwnedFd>, outgoing: &RefCell<Outgoing>) -> io::Result<()> {
    let Outgoing { frames, descriptors, .. } = &mut *outgoing.borrow_mut();
    while !frames.is_empty() {
        let tag = frames.front_tag();
        let beside: Vec<BorrowedFd<'_>> =
            tag.and_then(|tag| descriptors.get(&tag)).map(|fd| fd.as_fd()).into_iter().collect();
        let n = fd.try_io(Interest::WRITABLE, |fd| fdpass::send(fd.as_fd(), frames.front(), &beside))?;
        frames.advance(n);
        if let Some(tag) = tag {
            descriptors.remove(&tag);
        }
    }
    Ok(())
}
