//! A session's thread: takes posts in their order, works on all of them at once, mails the answers. One thread a session,
//! because it runs in somebody else's process.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rewake_wire::{ErrorCode, ErrorReply};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{LocalSet, spawn_local};

use crate::answer::Answer;
use crate::backend::Backend;
use crate::feed::Feed;
use crate::mailbox::{Mailbox, Wake};
use crate::options::Open;
use crate::outbox::{Outbox, Outgoing};
use crate::post::{Mail, Post};
use crate::resolve;

/// The thread that reads configuration files ends when it has been idle for so long: one start often follows another.
const FILE_THREAD_KEEP_ALIVE: Duration = Duration::from_secs(1);

/// Files are read one after the other: a second thread would only make the host bigger.
const MAX_FILE_THREADS: usize = 1;

/// One call from JavaScript, not yet read.
#[derive(Debug)]
pub(crate) struct Posted {
    pub(crate) id: i64,
    pub(crate) text: String,
}

/// Starts a session's thread. It ends when the sender is dropped, or by itself with the engine; its last mail is `Closed`.
///
/// # Errors
/// When the thread cannot be made.
pub(crate) fn start<W>(open: Open, mailbox: Arc<Mailbox<W>>) -> io::Result<UnboundedSender<Posted>>
where
    W: Wake + Send + Sync + 'static,
{
    // Unbounded, but filled by JavaScript alone, which holds a promise for each entry.
    let (posts, posted) = unbounded_channel();
    std::thread::Builder::new().name("rewake".into()).spawn(move || {
        let mut last = Last { mailbox: &mailbox, mail: None };
        last.mail = Some(Mail::Closed(run(&open, posted, &mailbox).err()));
    })?;
    Ok(posts)
}

/// Mails the end, also when the thread panics.
struct Last<'a, W: Wake> {
    mailbox: &'a Mailbox<W>,
    mail: Option<Mail>,
}

impl<W: Wake> Drop for Last<'_, W> {
    fn drop(&mut self) {
        let mail = self.mail.take().unwrap_or_else(|| {
            Mail::Closed(Some(ErrorReply::new(ErrorCode::Internal, "a bug in Rewake ended the session")))
        });
        self.mailbox.put(0, &mail);
    }
}

fn run<W>(open: &Open, posted: UnboundedReceiver<Posted>, mailbox: &Arc<Mailbox<W>>) -> Result<(), ErrorReply>
where
    W: Wake + Send + Sync + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(MAX_FILE_THREADS)
        .thread_keep_alive(FILE_THREAD_KEEP_ALIVE)
        .thread_name("rewake-file")
        .build()
        .map_err(|error| ErrorReply::new(ErrorCode::Internal, format!("failed to start the session: {error}")))?;
    let result = LocalSet::new().block_on(&runtime, serve(open, posted, mailbox));
    // A file that is still being evaluated is nobody's business any more; its reader has a time limit of its own.
    runtime.shutdown_background();
    result
}

async fn serve<W>(
    open: &Open,
    mut posted: UnboundedReceiver<Posted>,
    mailbox: &Arc<Mailbox<W>>,
) -> Result<(), ErrorReply>
where
    W: Wake + 'static,
{
    let (backend, mut end) = tokio::select! {
        opened = Backend::open(open) => opened?,
        // JavaScript posts nothing before `Opened`: this is the closing of the session.
        _ = posted.recv() => return Ok(()),
    };
    mailbox.put(0, &Mail::Opened(backend.welcome()));
    let mut desk = Desk { outbox: Outbox::new(backend), mailbox, feeds: HashMap::new() };
    loop {
        tokio::select! {
            next = posted.recv() => match next {
                Some(Posted { id, text }) => desk.take(id, &text),
                None => break,
            },
            result = end.wait() => {
                // The engine is gone, so every call on it ends by itself now; what it said last must not be lost.
                desk.outbox.finish().await;
                return result;
            }
        }
    }
    // With the last handle on it gone, an engine stops its workers and ends.
    drop(desk);
    end.wait_after_close().await
}

/// The calls that are being worked on.
struct Desk<'a, W: Wake> {
    outbox: Outbox<W>,
    mailbox: &'a Arc<Mailbox<W>>,
    feeds: HashMap<i64, Feed>,
}

impl<W: Wake + 'static> Desk<'_, W> {
    fn take(&mut self, id: i64, text: &str) {
        let post = match serde_json::from_str(text) {
            Ok(post) => post,
            Err(error) => {
                let error = ErrorReply::new(ErrorCode::BadRequest, format!("failed to read the call: {error}"));
                return self.mailbox.put(id, &Mail::Error(error));
            }
        };
        match post {
            Post::Request(request) => self.outbox.put(Outgoing::Request(request, Answer::new(id, self.mailbox))),
            Post::Resolve(what) => {
                let answer = Answer::new(id, self.mailbox);
                spawn_local(async move {
                    let read = tokio::task::spawn_blocking(move || resolve::resolve(what));
                    if let Ok(result) = read.await {
                        answer.give(&result.map_or_else(Mail::Error, Mail::Resolved));
                    }
                });
            }
            Post::Subscribe(what) => self.keep(id, |desk| Feed::begin(&desk.outbox, what, id, desk.mailbox)),
            Post::ReadLogs(what) => self.keep(id, |desk| Feed::read(&desk.outbox, what, id, desk.mailbox)),
            Post::More => {
                if let Some(feed) = self.feeds.get(&id) {
                    feed.more();
                }
            }
            Post::Unsubscribe => drop(self.feeds.remove(&id)),
        }
    }

    fn keep(&mut self, id: i64, begin: impl FnOnce(&Self) -> Feed) {
        // Feeds that ended by themselves are forgotten here, where new ones come: there are few.
        self.feeds.retain(|_, feed| !feed.is_over());
        let feed = begin(self);
        self.feeds.insert(id, feed);
    }
}
