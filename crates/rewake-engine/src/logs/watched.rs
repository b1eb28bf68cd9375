//! A stream as the thread looks at it: now, some time later, or when it wakes us. Never carries anything itself.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rewake_unix::events::{Events, Writes};
use rewake_wire::ExitRecord;

use super::history::last_lines;
use super::ledger::Key;
use super::stream::Stream;

/// How often a stream is looked at that cannot wake us, for want of watches.
const UNWATCHED_PACE: Duration = Duration::from_millis(100);

/// A stream, and when it is looked at next.
pub(crate) struct Watched {
    pub(crate) stream: Stream,
    pub(crate) number: u64,
    pub(crate) doing: Doing,
    /// It wakes us when something comes.
    pub(crate) armed: bool,
    /// Length of the spool when it was last carried to its end.
    pub(crate) seen: u64,
    /// No other daemon will hear of its run.
    pub(crate) released: bool,
}

/// What is next for a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    /// It has something to carry, or may have.
    Busy,
    /// It is looked at again then.
    LookAt(Instant),
    /// It wakes us.
    Asleep,
}

impl Watched {
    pub(crate) fn give_tail(&self, key: Key, record: &mut ExitRecord) {
        let (bytes, whole) = self.stream.spool.tail();
        let lines = last_lines(&bytes, whole);
        if key.err { record.error = lines } else { record.out = lines }
    }

    /// All that has come is carried, or cannot be.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.stream.is_done() && self.doing != Doing::Busy
    }

    /// It wakes us no more: it is being looked at.
    pub(crate) fn disarm(&mut self, writes: Option<&Writes>) {
        if std::mem::take(&mut self.armed)
            && let Some(writes) = writes
            && self.stream.watch.is_some()
        {
            // It was watched before; were it to fail, it would only wake us more often.
            let _ = writes.watch(self.stream.spool.file().as_fd(), false);
        }
    }

    /// Lets it wake us; what to do until then.
    pub(crate) fn arm(&mut self, writes: Option<&Writes>, events: &Events, now: Instant) -> Doing {
        let armed = match (&self.stream.spool.pipe, self.stream.watch, writes) {
            (Some(pipe), _, _) => events.again(pipe.as_fd(), self.number).is_ok(),
            (None, Some(_), Some(writes)) => writes.watch(self.stream.spool.file().as_fd(), true).is_ok(),
            // What has ended and was not watched has nobody who writes.
            (None, _, _) => self.stream.ended,
        };
        if !armed {
            return Doing::LookAt(now + UNWATCHED_PACE);
        }
        self.armed = true;
        // Something may have come just before it was armed.
        if self.stream.spool.end().is_ok_and(|end| end != self.seen) { Doing::Busy } else { Doing::Asleep }
    }
}
