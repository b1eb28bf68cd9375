//! stdout and stderr on a thread of their own: a reader that does not read must not hold up the program. Never waits for it long.

use std::io::{self, Write as _};
use std::time::Duration;

use rewake_wire::Stream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// Pieces that wait for the thread; beyond it, whoever writes waits.
const WAITING: usize = 8;

/// How long the end waits for what is still to be written.
const LAST_WRITE: Duration = Duration::from_secs(2);

/// The way to the thread.
#[derive(Debug)]
pub(crate) struct Written {
    pieces: mpsc::Sender<(Stream, Vec<u8>)>,
    ended: oneshot::Receiver<()>,
}

impl Written {
    /// Starts the thread.
    ///
    /// # Errors
    /// When there can be no thread.
    pub(crate) fn start() -> io::Result<Self> {
        let (pieces, mut inbox) = mpsc::channel::<(Stream, Vec<u8>)>(WAITING);
        let (end, ended) = oneshot::channel();
        std::thread::Builder::new().name("output".into()).spawn(move || {
            while let Some((stream, bytes)) = inbox.blocking_recv() {
                write(stream, &bytes);
            }
            // Nobody waits for it any more: as good.
            let _ = end.send(());
        })?;
        Ok(Self { pieces, ended })
    }

    /// Room for a piece, once there is.
    pub(crate) async fn room(&self) -> Option<mpsc::Permit<'_, (Stream, Vec<u8>)>> {
        self.pieces.reserve().await.ok()
    }

    /// Writes these, and waits until all is written, within a bound.
    pub(crate) async fn finish(self, rest: impl IntoIterator<Item = (Stream, Vec<u8>)>) {
        let Self { pieces, ended } = self;
        let all = async {
            for piece in rest {
                if pieces.send(piece).await.is_err() {
                    return;
                }
            }
            drop(pieces);
            let _ = ended.await;
        };
        // A reader that does not read gets no more.
        let _ = timeout(LAST_WRITE, all).await;
    }
}

fn write(stream: Stream, bytes: &[u8]) {
    // A reader that has gone is no reason to end: the apps go on.
    let _ = match stream {
        Stream::Out => {
            let mut stdout = io::stdout().lock();
            stdout.write_all(bytes).and_then(|()| stdout.flush())
        }
        Stream::Err => io::stderr().lock().write_all(bytes),
    };
}
