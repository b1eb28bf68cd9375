//! How others reach the loop: requests with one answer, and subscriptions. Never blocks the loop.

use std::sync::Arc;

use rewake_wire::{ErrorCode, ErrorReply, Event, Reply, Request, Subscribe};
use tokio::sync::{mpsc, oneshot};

use crate::subscribers::Queue;

/// Asks that may wait for the loop at once; beyond it callers wait in turn. Each holds one client's open request.
const ASKS: usize = 256;

/// The loop's door. Cheap to clone; works from any thread.
#[derive(Debug, Clone)]
pub struct Handle {
    asks: mpsc::Sender<Ask>,
}

/// One thing asked of the loop.
#[derive(Debug)]
pub(crate) enum Ask {
    Request(Request, oneshot::Sender<Result<Reply, ErrorReply>>),
    Subscribe(Subscribe, oneshot::Sender<Result<Subscription, ErrorReply>>),
    /// Stop everything in order, keep what is wanted, end.
    Terminate,
    /// Kill what is still being stopped.
    Hurry,
}

/// Items of a subscription. Dropping it ends it.
#[derive(Debug)]
pub struct Subscription {
    pub(crate) queue: Arc<Queue>,
}

impl Handle {
    pub(crate) fn new() -> (Self, mpsc::Receiver<Ask>) {
        let (asks, inbox) = mpsc::channel(ASKS);
        (Self { asks }, inbox)
    }

    /// Carries out one request.
    ///
    /// # Errors
    /// What the request met, or `SHUTTING_DOWN` when the engine has ended.
    pub async fn request(&self, request: Request) -> Result<Reply, ErrorReply> {
        self.submit(request).await?.await
    }

    /// Hands one request over and gives what waits for its answer. Requests are taken up in the order in which these calls return,
    /// so that whoever makes one after the other keeps their order without waiting for answers.
    ///
    /// # Errors
    /// `SHUTTING_DOWN` when the engine has ended; what the request meets is for the future that it gives.
    pub async fn submit(
        &self,
        request: Request,
    ) -> Result<impl Future<Output = Result<Reply, ErrorReply>> + use<>, ErrorReply> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(Ask::Request(request, answer)).await.map_err(|_| ended())?;
        Ok(async { answered.await.map_err(|_| ended())? })
    }

    /// Begins a subscription.
    ///
    /// # Errors
    /// An unknown target, or `SHUTTING_DOWN`.
    pub async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, ErrorReply> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(Ask::Subscribe(subscribe, answer)).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }

    /// Asks the engine to stop everything in order and end; what was wanted stays wanted.
    pub async fn terminate(&self) {
        // An engine that has ended already is what was asked for.
        let _ = self.asks.send(Ask::Terminate).await;
    }

    /// Asks an engine that is ending to wait for no process any longer: what is still there is killed.
    pub async fn hurry(&self) {
        // As above.
        let _ = self.asks.send(Ask::Hurry).await;
    }
}

impl Subscription {
    /// The next items, at least one; `None` when the engine has ended.
    pub async fn next(&mut self) -> Option<Vec<Event>> {
        self.queue.take().await
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.queue.close();
    }
}

fn ended() -> ErrorReply {
    ErrorReply::new(ErrorCode::ShuttingDown, "the supervisor is shutting down")
}
