//! A stream of events. Dropping it ends it at the daemon too.

use std::sync::Arc;

use rewake_wire::Event;

use crate::ClientError;
use crate::client::Link;
use crate::driver::Ended;
use crate::queue::Queue;

/// What the daemon tells a subscriber, in order.
#[derive(Debug)]
pub struct Subscription {
    id: u64,
    queue: Arc<Queue>,
    link: Arc<Link>,
}

impl Subscription {
    pub(crate) fn new(id: u64, queue: Arc<Queue>, link: Arc<Link>) -> Self {
        Self { id, queue, link }
    }

    /// The next event. A reader that is too slow gets [`Event::Missed`] in the place of what was left out.
    /// Cancelling the future loses nothing.
    ///
    /// # Errors
    /// When the connection is lost and everything that came before has been read.
    pub async fn next(&mut self) -> Result<Event, ClientError> {
        self.queue.next().await.ok_or_else(|| self.link.lost())
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        // An error only means that the connection, and the subscription with it, is gone already.
        self.link.ended.send(Ended { subscription: self.id, call: self.link.next_id() }).ok();
    }
}
