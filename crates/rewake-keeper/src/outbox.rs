//! Reports on their way to the daemon. Never waits; bounded because no order is read while something is queued here, and
//! without orders a run has at most three reports to make.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use rewake_unix::fdpass;
use rewake_wire::keeper::{MAX_PACKET_BYTES, Report};

use crate::log;

/// `ETOOMANYREFS`: too many descriptors are under way between processes of this user.
const TOO_MANY_UNDER_WAY: i32 = 109;

/// First in, first out.
#[derive(Default)]
pub(crate) struct Outbox {
    queue: VecDeque<Packet>,
}

struct Packet {
    bytes: Vec<u8>,
    fds: Vec<Rc<OwnedFd>>,
}

/// What became of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flushed {
    /// It is empty.
    All,
    /// The rest goes when the link is writable.
    Full,
    /// The rest goes a little later; the link does not tell when.
    Later,
    /// Nobody is at the other end; the queue is dropped (what it held is in the runs' state).
    Closed,
}

impl Outbox {
    pub(crate) fn push(&mut self, report: &Report, fds: Vec<Rc<OwnedFd>>) {
        match serde_json::to_vec(report) {
            Ok(bytes) if bytes.len() <= MAX_PACKET_BYTES => self.queue.push_back(Packet { bytes, fds }),
            // The strings of a report are cut where they are taken, so this is a mistake of ours; it costs one report.
            Ok(bytes) => log::line(format_args!("a report of {} bytes was left out", bytes.len())),
            Err(error) => log::line(format_args!("a report was left out: {error}")),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.queue.clear();
    }

    pub(crate) fn flush(&mut self, link: BorrowedFd<'_>) -> Flushed {
        while let Some(packet) = self.queue.front() {
            let fds: Vec<BorrowedFd<'_>> = packet.fds.iter().map(|fd| fd.as_fd()).collect();
            match fdpass::send(link, &packet.bytes, &fds) {
                Ok(_) => drop(self.queue.pop_front()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Flushed::Full,
                Err(error) if error.raw_os_error() == Some(TOO_MANY_UNDER_WAY) => return Flushed::Later,
                Err(error) if error.kind() == io::ErrorKind::OutOfMemory => return Flushed::Later,
                Err(_) => {
                    self.queue.clear();
                    return Flushed::Closed;
                }
            }
        }
        Flushed::All
    }
}
