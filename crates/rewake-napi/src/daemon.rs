//! The daemon behind a session. Connects again when the daemon has been replaced, so that a session outlives it; never repeats
//! what may have been carried out.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use rewake_client::{Client, ClientError, Home, Subscription};
use rewake_wire::{Reply, Request, Subscribe, Welcome};
use tokio::sync::Mutex;

use crate::backend::Pending;

/// A connection that renews itself. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Daemon(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    home: Home,
    exe: PathBuf,
    client: RefCell<Client>,
    /// Held while connecting again: calls that find the connection lost at the same moment make one new one.
    renewal: Mutex<()>,
}

impl Daemon {
    /// Connects, starting the daemon if there is none.
    ///
    /// # Errors
    /// When it can be neither reached nor started.
    pub(crate) async fn open(home: Home, exe: PathBuf) -> Result<Self, ClientError> {
        let client = Client::connect_or_start(&home, &exe).await?;
        Ok(Self(Rc::new(Inner { home, exe, client: RefCell::new(client), renewal: Mutex::new(()) })))
    }

    /// What the daemon said when it was reached last.
    pub(crate) fn welcome(&self) -> Welcome {
        self.0.client.borrow().welcome().clone()
    }

    /// Sends one question; gives what waits for its answer. When the connection is lost meanwhile, it is asked again if asking
    /// twice is the same as asking once, and otherwise fails: it may have been carried out.
    ///
    /// # Errors
    /// When the daemon can be neither reached nor started.
    pub(crate) async fn submit(&self, request: Request) -> Result<Pending, ClientError> {
        let again = repeatable(&request);
        let answer = self.client().await?.submit(request).await?;
        let this = self.clone();
        Ok(Box::pin(async move {
            match (answer.await, again) {
                (Err(ClientError::Lost { .. }), Some(request)) => this.ask(request).await,
                (result, Some(_) | None) => result,
            }
            .map_err(|error| error.to_reply())
        }))
    }

    async fn ask(&self, request: Request) -> Result<Reply, ClientError> {
        self.client().await?.request(request).await
    }

    /// Subscribes.
    ///
    /// # Errors
    /// When the daemon refuses or cannot be reached.
    pub(crate) async fn subscribe(&self, what: Subscribe) -> Result<Subscription, ClientError> {
        let client = self.client().await?;
        match client.subscribe(what.clone()).await {
            Err(ClientError::Lost { .. }) => self.client().await?.subscribe(what).await,
            result => result,
        }
    }

    /// A connection that is not known to be lost.
    async fn client(&self) -> Result<Client, ClientError> {
        let present = self.0.client.borrow().clone();
        if !present.is_closed() {
            return Ok(present);
        }
        let _only_one = self.0.renewal.lock().await;
        let present = self.0.client.borrow().clone();
        if !present.is_closed() {
            return Ok(present);
        }
        let fresh = Client::connect_or_start(&self.0.home, &self.0.exe).await?;
        self.0.client.replace(fresh.clone());
        Ok(fresh)
    }
}

/// The same question once more, if asking twice is the same as asking once.
fn repeatable(request: &Request) -> Option<Request> {
    match request {
        Request::Ping => Some(Request::Ping),
        Request::List { target } => Some(Request::List { target: target.clone() }),
        Request::Env { target } => Some(Request::Env { target: target.clone() }),
        Request::History { target } => Some(Request::History { target: target.clone() }),
        Request::Updated { token } => Some(Request::Updated { token: *token }),
        Request::Start { .. }
        | Request::StartKnown { .. }
        | Request::Stop { .. }
        | Request::Restart { .. }
        | Request::Reload { .. }
        | Request::Scale { .. }
        | Request::Delete { .. }
        | Request::Reset { .. }
        | Request::Signal { .. }
        | Request::Send { .. }
        | Request::Flush { .. }
        | Request::Rotate { .. }
        | Request::ReloadLogs
        | Request::Save { .. }
        | Request::Resurrect
        | Request::Update { .. }
        | Request::Kill => None,
    }
}
