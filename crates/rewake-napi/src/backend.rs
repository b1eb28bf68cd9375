//! The supervisor behind a session: the daemon or an engine of our own, with one face. Never keeps state of its own.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use rewake_client::Home;
use rewake_wire::{ErrorReply, Event, Reply, Request, Subscribe, Welcome};

use crate::daemon::Daemon;
use crate::engine::{self, Running};
use crate::options::Open;

/// Items in one batch at most: enough that waking JavaScript costs little for each, few enough that it is not kept busy for long.
const MAX_BATCH: usize = 512;

/// Where calls go.
#[derive(Debug)]
pub(crate) enum Backend {
    Daemon(Daemon),
    Embedded(rewake_engine::Handle),
}

/// An answer on its way.
pub(crate) type Pending = Pin<Box<dyn Future<Output = Result<Reply, ErrorReply>>>>;

/// A subscription of either.
#[derive(Debug)]
pub(crate) enum Subscription {
    Daemon(rewake_client::Subscription),
    Embedded(rewake_engine::Subscription),
}

/// The end of the supervisor behind a session, if it is the session's own.
#[derive(Debug)]
pub(crate) struct End(Option<Running>);

impl Backend {
    /// Reaches the daemon (starting it if absent), or makes an engine that runs on this thread.
    ///
    /// # Errors
    /// When there is neither.
    pub(crate) async fn open(open: &Open) -> Result<(Self, End), ErrorReply> {
        match open {
            Open::Connect { home, exe } => {
                let home = match home {
                    Some(path) => Home::at(path),
                    None => Home::of_process(),
                };
                let home = home.map_err(|error| error.to_reply())?;
                let daemon = Daemon::open(home, exe.clone()).await.map_err(|error| error.to_reply())?;
                Ok((Self::Daemon(daemon), End(None)))
            }
            Open::Embed { exe } => {
                let (handle, running) = engine::embed(exe)?;
                Ok((Self::Embedded(handle), End(Some(running))))
            }
        }
    }

    /// What the daemon said about itself.
    pub(crate) fn welcome(&self) -> Option<Welcome> {
        match self {
            Self::Daemon(daemon) => Some(daemon.welcome()),
            Self::Embedded(_) => None,
        }
    }

    /// Hands one question over; gives what waits for its answer. Questions are carried out in the order of these calls.
    ///
    /// # Errors
    /// When the supervisor cannot be reached or has ended.
    pub(crate) async fn submit(&self, request: Request) -> Result<Pending, ErrorReply> {
        match self {
            Self::Daemon(daemon) => daemon.submit(request).await.map_err(|error| error.to_reply()),
            Self::Embedded(handle) => Ok(Box::pin(handle.submit(request).await?)),
        }
    }

    /// Subscribes.
    ///
    /// # Errors
    /// What the supervisor says against it.
    pub(crate) async fn subscribe(&self, what: Subscribe) -> Result<Subscription, ErrorReply> {
        match self {
            Self::Daemon(daemon) => {
                daemon.subscribe(what).await.map(Subscription::Daemon).map_err(|error| error.to_reply())
            }
            Self::Embedded(handle) => handle.subscribe(what).await.map(Subscription::Embedded),
        }
    }
}

impl Subscription {
    /// The next items, at least one; `None` at the end. Cancelling loses nothing.
    ///
    /// # Errors
    /// When the connection was lost.
    pub(crate) async fn batch(&mut self) -> Result<Option<Vec<Event>>, ErrorReply> {
        match self {
            Self::Embedded(subscription) => Ok(subscription.next().await),
            Self::Daemon(subscription) => {
                let mut items = vec![subscription.next().await.map_err(|error| error.to_reply())?];
                while items.len() < MAX_BATCH {
                    // What is not here yet, and an end, are for the next time.
                    let Some(Ok(item)) = ready(subscription.next()).await else { break };
                    items.push(item);
                }
                Ok(Some(items))
            }
        }
    }
}

/// The future's value if it is there at once.
async fn ready<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| {
        Poll::Ready(match future.as_mut().poll(context) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        })
    })
    .await
}

impl End {
    /// Waits until the supervisor has ended by itself. For ever with a daemon: it is not the session's to end.
    ///
    /// # Errors
    /// When it did not end in order.
    pub(crate) async fn wait(&mut self) -> Result<(), ErrorReply> {
        match &mut self.0 {
            Some(running) => running.wait().await,
            None => std::future::pending().await,
        }
    }

    /// Waits until an engine on which no handle is left has stopped everything. Not at all with a daemon.
    ///
    /// # Errors
    /// When it did not end in order.
    pub(crate) async fn wait_after_close(self) -> Result<(), ErrorReply> {
        match self.0 {
            Some(mut running) => running.wait().await,
            None => Ok(()),
        }
    }
}
