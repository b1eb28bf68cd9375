//! Carries one stream of one run from its pipe to its file, to the end of the pipe. One task a stream; never holds the loop
//! for more than a slice. This is the seam for other ways of capture: whatever the source is, it ends here.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use rewake_unix::fd;
use rewake_wire::{Event, LogLines, Stream};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::file::LogFile;
use super::lines::Lines;
use crate::clock::epoch_ms;
use crate::subscribers::Subscribers;
use crate::watched::watched;

/// What is read at once: the default pipe holds 64 KiB, ours up to 1 MiB.
const READ_BYTES: usize = 64 << 10;
/// What one stream may move before the others get their turn.
const SLICE_BYTES: usize = 1 << 20;

thread_local! {
    /// One buffer for all pumps: reading and writing happen without a pause in between.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// Whose output it is.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) stream: Stream,
}

/// One stream on its way.
#[derive(Debug)]
pub(crate) struct Pump {
    pub(crate) source: Source,
    pub(crate) file: Option<LogFile>,
    pub(crate) subscribers: Rc<RefCell<Subscribers>>,
}

impl Pump {
    /// Starts the task. It ends with the pipe, which may be later than the run: a program that it left behind may still write.
    pub(crate) fn start(self, pipe: OwnedFd) -> io::Result<()> {
        let pipe = watched(pipe, Interest::READABLE)?;
        tokio::task::spawn_local(self.run(pipe));
        Ok(())
    }

    async fn run(mut self, pipe: AsyncFd<OwnedFd>) {
        let mut lines = Lines::default();
        loop {
            let Ok(mut ready) = pipe.readable().await else { return };
            match ready.try_io(|pipe| self.slice(pipe.get_ref(), &mut lines)) {
                Ok(Ok(More::Yes)) => tokio::task::yield_now().await,
                Ok(Ok(More::End)) => break,
                Ok(Err(error)) => {
                    tracing::warn!(app = %self.source.name, "output can no longer be read: {error}");
                    break;
                }
                Err(_would_block) => {}
            }
        }
        if let Some(rest) = lines.rest() {
            self.publish(vec![rest]);
        }
    }

    /// Moves what there is, at most a slice. `WouldBlock` when the pipe is empty.
    fn slice(&mut self, pipe: &OwnedFd, lines: &mut Lines) -> io::Result<More> {
        BUFFER.with_borrow_mut(|buffer| {
            let mut moved = 0;
            while moved < SLICE_BYTES {
                let n = fd::read(pipe.as_fd(), buffer)?;
                if n == 0 {
                    return Ok(More::End);
                }
                self.take(&buffer[..n], lines);
                moved += n;
            }
            Ok(More::Yes)
        })
    }

    fn take(&mut self, bytes: &[u8], lines: &mut Lines) {
        if let Some(file) = &mut self.file {
            file.append(bytes);
        }
        let wanted = self.subscribers.borrow_mut().want_log(self.source.id, self.source.stream);
        if wanted {
            let complete = lines.cut(bytes);
            if !complete.is_empty() {
                self.publish(complete);
            }
        } else {
            // Whoever comes later begins with a whole line only if no old beginning is kept.
            lines.rest();
        }
    }

    fn publish(&self, lines: Vec<String>) {
        let Source { id, name, stream } = self.source.clone();
        self.subscribers.borrow_mut().publish(&Event::Log(LogLines { at_ms: epoch_ms(), id, name, stream, lines }));
    }
}

enum More {
    Yes,
    End,
}
