//! The thread that reads log files for one reader in JavaScript. Holds one batch, and waits until there is room for it: a reader that stops costs
//! no memory and delays nobody. Ends when nobody reads any more.

use std::io;

use rewake_logs::{Follower, History, Judge, Log, Piece, Query, Shelf, Shown, Start};
use rewake_wire::{ErrorCode, ErrorReply, SlotInfo, Stream};
use serde::Serialize;
use tokio::sync::{mpsc, watch};

/// Lines in one batch at most, as in one of events.
const MOST_LINES: usize = 512;
/// Bytes in one batch, about.
const MOST_BYTES: usize = 256 << 10;

/// One line, or a piece of a very long one.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    /// The time that it tells; of a new one, when it was read.
    at_ms: Option<i64>,
    id: u32,
    name: String,
    stream: Stream,
    /// Bytes that are not UTF-8 are replaced here.
    line: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    continued: bool,
}

/// What the thread needs.
pub(crate) struct Task {
    pub(crate) slots: Vec<SlotInfo>,
    /// Empty.
    pub(crate) shelf: Shelf,
    pub(crate) query: Query,
    pub(crate) follow: bool,
    /// The slots as they are now, each time that they change.
    pub(crate) told: watch::Receiver<Vec<SlotInfo>>,
    pub(crate) give: mpsc::Sender<Result<Vec<Line>, ErrorReply>>,
}

/// Starts the thread.
///
/// # Errors
/// When there can be none.
pub(crate) fn start(task: Task) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("rewake-read".into()).spawn(move || {
        let give = task.give.clone();
        runtime.block_on(async {
            if let Err(error) = read(task).await {
                let error = ErrorReply::new(ErrorCode::Storage, format!("failed to read log files: {error}"));
                // Nobody may be left to be told.
                let _ = give.send(Err(error)).await;
            }
        });
    })?;
    Ok(())
}

async fn read(task: Task) -> io::Result<()> {
    let Task { slots, mut shelf, query, follow, mut told, give } = task;
    shelf.update(&slots);
    let mut batch = Batch { lines: Vec::new(), bytes: 0, give };
    let mut history = History::open(shelf.logs(), &query);
    loop {
        match history.step() {
            Ok(Some(Shown::Group(_))) => {}
            Ok(Some(Shown::Piece(at, piece, stamp))) => batch.add(&shelf.logs()[at], &piece, stamp),
            Ok(None) => break,
            Err((_, error)) => return Err(error),
        }
        if batch.is_full() && !batch.hand_over().await {
            return Ok(());
        }
    }
    if !batch.hand_over().await || !follow {
        return Ok(());
    }
    let mut follower = Follower::new()?;
    for (log, start) in shelf.logs().iter().zip(history.starts()) {
        follower.add(&log.path, start)?;
    }
    let judge = |log: &Log| Judge::new(&query.filter, log).without_times();
    let mut judges: Vec<Judge> = shelf.logs().iter().map(judge).collect();
    loop {
        tokio::select! {
            waited = follower.wait() => waited?,
            changed = told.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                follower.look()?;
                let slots = told.borrow_and_update().clone();
                for at in shelf.update(&slots) {
                    let log = &shelf.logs()[at];
                    follower.add(&log.path, Start::At(shelf.new_from(at)))?;
                    judges.push(judge(log));
                }
            }
            () = batch.give.closed() => return Ok(()),
        }
        let mut more = true;
        while more {
            let now = jiff::Timestamp::now().as_millisecond();
            more = follower.read(MOST_BYTES, |at, piece| {
                if judges[at].shows(&piece) {
                    batch.add(&shelf.logs()[at], &piece, Some(now));
                }
            })?;
            if !batch.hand_over().await {
                return Ok(());
            }
        }
    }
}

struct Batch {
    lines: Vec<Line>,
    bytes: usize,
    give: mpsc::Sender<Result<Vec<Line>, ErrorReply>>,
}

impl Batch {
    fn add(&mut self, log: &Log, piece: &Piece<'_>, at_ms: Option<i64>) {
        let line = String::from_utf8_lossy(piece.bytes).into_owned();
        self.bytes += line.len();
        let origin = &log.origin;
        let (id, name, stream) = (origin.id, origin.name.clone(), origin.stream);
        self.lines.push(Line { at_ms, id, name, stream, line, continued: !piece.begins });
    }

    fn is_full(&self) -> bool {
        self.lines.len() >= MOST_LINES || self.bytes >= MOST_BYTES
    }

    /// Waits until there is room. False: nobody wants it any more.
    async fn hand_over(&mut self) -> bool {
        self.bytes = 0;
        let lines = std::mem::take(&mut self.lines);
        lines.is_empty() || self.give.send(Ok(lines)).await.is_ok()
    }
}
