//! One connection, many calls at once. Never waits for one answer before it sends the next question.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rewake_wire::{Call, ClientFrame, Reply, Request, Subscribe, Welcome, encode};
use tokio::sync::{mpsc, oneshot};

use crate::driver::{Ended, Order};
use crate::queue::Queue;
use crate::{ClientError, Subscription};

/// A live connection. Cheap to clone; the connection closes when the last clone and the last subscription are gone.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) link: Arc<Link>,
}

/// The client's side of the driver.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) orders: mpsc::Sender<Order>,
    /// Subscriptions that were dropped: a `drop` cannot wait, so these have their own way.
    pub(crate) ended: mpsc::UnboundedSender<Ended>,
    pub(crate) next_id: AtomicU64,
    pub(crate) welcome: Welcome,
    pub(crate) log: PathBuf,
}

impl Client {
    /// What the daemon said about itself in the handshake.
    #[must_use]
    pub fn welcome(&self) -> &Welcome {
        &self.link.welcome
    }

    /// Whether the connection is known to be lost: then nothing that is asked will be sent.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.link.orders.is_closed()
    }

    /// Asks one question and waits for its answer, as long as the daemon takes. Dropping the future forgets the answer, it does not
    /// take the question back.
    ///
    /// # Errors
    /// When the daemon refuses, or the connection is lost.
    pub async fn request(&self, request: Request) -> Result<Reply, ClientError> {
        self.submit(request).await?.await
    }

    /// Asks one question and gives what waits for its answer. Questions are sent in the order in which these calls return, so that
    /// whoever makes one after the other keeps their order without waiting for answers.
    ///
    /// # Errors
    /// When the question is too large, or the connection is lost; what the daemon answers is for the future that it gives.
    pub async fn submit(
        &self,
        request: Request,
    ) -> Result<impl Future<Output = Result<Reply, ClientError>> + use<>, ClientError> {
        let id = self.link.next_id();
        let frame = ClientFrame { id, call: Call::Request(request) };
        let frame = encode(&frame).map_err(|source| ClientError::Unsendable { source })?;
        let (answer, answered) = oneshot::channel();
        self.link.orders.send(Order::Call { id, frame, answer }).await.map_err(|_| self.link.lost())?;
        let link = Arc::clone(&self.link);
        Ok(async move { answered.await.unwrap_or_else(|_| Err(link.lost())) })
    }

    /// Subscribes; the daemon has registered the subscription when this returns.
    ///
    /// # Errors
    /// When the daemon refuses, or the connection is lost.
    pub async fn subscribe(&self, what: Subscribe) -> Result<Subscription, ClientError> {
        let id = self.link.next_id();
        let frame = ClientFrame { id, call: Call::Subscribe(what) };
        let frame = encode(&frame).map_err(|source| ClientError::Unsendable { source })?;
        let queue = Arc::new(Queue::default());
        // Made before the question is sent: if the caller gives up while it waits, the drop unsubscribes.
        let subscription = Subscription::new(id, Arc::clone(&queue), Arc::clone(&self.link));
        let (answer, answered) = oneshot::channel();
        let order = Order::Subscribe { id, frame, queue, answer };
        self.link.orders.send(order).await.map_err(|_| self.link.lost())?;
        let reply = answered.await.unwrap_or_else(|_| Err(self.link.lost()))?;
        let Reply::Subscribed = reply else { return Err(ClientError::Unexpected { asked: "subscribe" }) };
        Ok(subscription)
    }
}

impl Link {
    pub(crate) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn lost(&self) -> ClientError {
        ClientError::Lost { log: self.log.clone() }
    }
}
