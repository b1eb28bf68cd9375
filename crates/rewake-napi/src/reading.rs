//! Log files on their way to JavaScript: a batch of lines, then nothing until it has been used. The files are read by a thread of its own, which
//! waits with them; the supervisor is only asked which files there are.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rewake_logs::{BadQuery, Filter, Judge, Piece, Query, Shelf, Wishes};
use rewake_wire::{
    ErrorCode, ErrorReply, Event, LogFilter, LogLines, ProcessEventKind, Reply, Request, SlotInfo, Stream, Subscribe,
};
use serde::Deserialize;
use tokio::sync::{Notify, mpsc, watch};

use crate::backend::Subscription;
use crate::mailbox::{Mailbox, Wake};
use crate::outbox::Door;
use crate::post::Mail;
use crate::reader::{self, Task};

/// How long a lost daemon may take to come back (its keeper starts it again) before following ends.
const RETURN_TRIES: u32 = 50;
const RETURN_PAUSE: Duration = Duration::from_millis(100);

/// What is to be read.
#[derive(Debug, Deserialize)]
pub(crate) struct ReadLogs {
    target: Option<String>,
    stream: Option<Stream>,
    wishes: Wishes,
    /// Read what the files hold; otherwise only what is written from now on, which needs no file.
    history: bool,
    follow: bool,
    /// Where logs stand; what a file there held at the beginning is old for an app that is started later.
    folder: Option<PathBuf>,
}

/// Who reads, for whom.
pub(crate) struct Desk<W: Wake> {
    pub(crate) id: i64,
    pub(crate) mailbox: Arc<Mailbox<W>>,
    pub(crate) used: Arc<Notify>,
    pub(crate) door: Door<W>,
}

impl<W: Wake> Desk<W> {
    /// Reads until there is no more, or until this is dropped.
    pub(crate) async fn read(self, what: ReadLogs) {
        let done = match understood(&what.wishes) {
            Ok(query) if what.history => self.read_files(&what, query).await,
            Ok(query) => self.choose(&what, &query.filter).await,
            Err(error) => Err(error),
        };
        let mail = match done {
            Ok(()) => Mail::Done,
            Err(error) => Mail::Ended(error),
        };
        self.mailbox.put(self.id, &mail);
    }

    /// What is written from now on.
    async fn choose(&self, what: &ReadLogs, filter: &Arc<Filter>) -> Result<(), ErrorReply> {
        let logs = Some(LogFilter { stream: what.stream });
        let wanted = Subscribe { logs, target: what.target.clone(), ..Subscribe::default() };
        let mut subscription = self.door.subscribe(wanted).await?;
        let mut judges: HashMap<(u32, Stream), Judge> = HashMap::new();
        while let Some(mut events) = subscription.batch().await? {
            events.retain_mut(|event| match event {
                Event::Log(LogLines { id, stream, lines, .. }) => {
                    let judge = judges.entry((*id, *stream)).or_insert_with(|| Judge::of_new(filter, *stream));
                    lines.retain(|line| judge.shows(&Piece { bytes: line.as_bytes(), begins: true, ends: true }));
                    !lines.is_empty()
                }
                Event::Missed { .. } => true,
                Event::Process(_) | Event::Message(_) => false,
            });
            if !events.is_empty() {
                self.mailbox.put(self.id, &Mail::Items(events));
                self.used.notified().await;
            }
        }
        Ok(())
    }

    async fn read_files(&self, what: &ReadLogs, query: Query) -> Result<(), ErrorReply> {
        let mut subscription = None;
        if what.follow {
            // Before the list is read, so that no start falls between the two.
            subscription = Some(self.subscribe().await?);
        }
        let shelf = Shelf::new(what.stream, what.folder.as_deref());
        let slots = self.list(what.target.clone()).await?;
        let (tell, told) = watch::channel(Vec::new());
        let (give, mut lines) = mpsc::channel(1);
        // The thread looks at it where it may be long before it has a line to give.
        let interest = Arc::new(());
        let query = Query { reader: Some(Arc::downgrade(&interest)), ..query };
        let known = slots.iter().map(|slot| slot.id).collect();
        let task = Task { slots, shelf, query, follow: what.follow, told, give };
        reader::start(task)
            .map_err(|error| ErrorReply::new(ErrorCode::Internal, format!("failed to make a thread: {error}")))?;
        let mut follow = Follow { known, tell, subscription };
        let mut owed = false;
        loop {
            tokio::select! {
                read = lines.recv(), if !owed => match read {
                    Some(Ok(lines)) => {
                        self.mailbox.put(self.id, &Mail::Lines(lines));
                        owed = true;
                    }
                    Some(Err(error)) => return Err(error),
                    None => return Ok(()),
                },
                () = self.used.notified(), if owed => owed = false,
                changed = follow.changed() => {
                    if !changed {
                        follow.subscription = Some(self.subscribe_again().await?);
                    }
                    // A target that means nothing any more (deleted meanwhile) has no slots, and its files are still followed.
                    let slots = self.list(what.target.clone()).await.unwrap_or_default();
                    follow.tell(slots);
                }
            }
        }
    }

    async fn subscribe(&self) -> Result<Subscription, ErrorReply> {
        self.door.subscribe(Subscribe { events: true, ..Subscribe::default() }).await
    }

    /// To the daemon's successor.
    async fn subscribe_again(&self) -> Result<Subscription, ErrorReply> {
        let mut tries = 0;
        loop {
            match self.subscribe().await {
                Ok(subscription) => return Ok(subscription),
                Err(error) if tries == RETURN_TRIES || error.code == ErrorCode::ShuttingDown => return Err(error),
                Err(_) => tokio::time::sleep(RETURN_PAUSE).await,
            }
            tries += 1;
        }
    }

    async fn list(&self, target: Option<String>) -> Result<Vec<SlotInfo>, ErrorReply> {
        let Reply::List(slots) = self.door.ask(Request::List { target }).await? else {
            return Err(ErrorReply::new(ErrorCode::Internal, "the supervisor answered something else than was asked"));
        };
        Ok(slots)
    }
}

/// What changes among the apps meanwhile.
struct Follow {
    known: std::collections::BTreeSet<u32>,
    tell: watch::Sender<Vec<SlotInfo>>,
    subscription: Option<Subscription>,
}

impl Follow {
    /// Waits until there may be another list; for ever if nobody follows. False: the supervisor was lost.
    async fn changed(&mut self) -> bool {
        let Some(subscription) = &mut self.subscription else { return std::future::pending().await };
        loop {
            let Ok(Some(events)) = subscription.batch().await else { return false };
            let matters = |event: &Event| match event {
                Event::Process(event) => !self.known.contains(&event.id) || event.event == ProcessEventKind::Delete,
                Event::Missed { .. } => true,
                Event::Message(_) | Event::Log(_) => false,
            };
            if events.iter().any(matters) {
                return true;
            }
        }
    }

    fn tell(&mut self, slots: Vec<SlotInfo>) {
        self.known.extend(slots.iter().map(|slot| slot.id));
        // The reader may have ended, which its lines tell.
        self.tell.send_replace(slots);
    }
}

fn understood(wishes: &Wishes) -> Result<Query, ErrorReply> {
    let query = Query::new(wishes, jiff::Timestamp::now().as_millisecond());
    let query = query.map_err(|BadQuery { what, value, hint }| {
        ErrorReply::new(ErrorCode::BadRequest, format!("wrong value for {what}, `{value}`")).with_hint(hint)
    })?;
    Ok(Query { times: true, ..query })
}
