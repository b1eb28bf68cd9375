//! One subscription on its way to JavaScript: a batch, then nothing until the batch has been used. What comes meanwhile waits
//! in the subscription's own bounded queue, which says how much it had to leave out.

use std::sync::Arc;

use rewake_wire::{ErrorReply, Subscribe};
use tokio::sync::{Notify, oneshot};
use tokio::task::{JoinHandle, spawn_local};

use crate::backend::Subscription;
use crate::mailbox::{Mailbox, Wake};
use crate::outbox::{Outbox, Outgoing};
use crate::post::Mail;
use crate::reading::{self, ReadLogs};

/// A running subscription. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Feed {
    task: JoinHandle<()>,
    used: Arc<Notify>,
}

impl Feed {
    /// Subscribes and begins to mail.
    pub(crate) fn begin<W>(outbox: &Outbox<W>, what: Subscribe, id: i64, mailbox: &Arc<Mailbox<W>>) -> Self
    where
        W: Wake + 'static,
    {
        let (subscribed, subscription) = oneshot::channel();
        outbox.put(Outgoing::Subscribe(what, subscribed));
        let used = Arc::new(Notify::new());
        let task = spawn_local(pump(subscription, id, Arc::clone(mailbox), Arc::clone(&used)));
        Self { task, used }
    }

    /// Begins to read log files, or to choose from what is written.
    pub(crate) fn read<W>(outbox: &Outbox<W>, what: ReadLogs, id: i64, mailbox: &Arc<Mailbox<W>>) -> Self
    where
        W: Wake + 'static,
    {
        let used = Arc::new(Notify::new());
        let desk = reading::Desk { id, mailbox: Arc::clone(mailbox), used: Arc::clone(&used), door: outbox.door() };
        Self { task: spawn_local(desk.read(what)), used }
    }

    /// The last batch has been used.
    pub(crate) fn more(&self) {
        // Kept as a permit if the pump is not waiting yet.
        self.used.notify_one();
    }

    /// Whether it ended by itself.
    pub(crate) fn is_over(&self) -> bool {
        self.task.is_finished()
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pump<W: Wake>(
    subscribed: oneshot::Receiver<Result<Subscription, ErrorReply>>,
    id: i64,
    mailbox: Arc<Mailbox<W>>,
    used: Arc<Notify>,
) {
    let mut subscription = match subscribed.await {
        Ok(Ok(subscription)) => subscription,
        Ok(Err(error)) => return mailbox.put(id, &Mail::Ended(error)),
        // The session is being closed, which ends every feed.
        Err(_) => return,
    };
    loop {
        match subscription.batch().await {
            Ok(Some(items)) => mailbox.put(id, &Mail::Items(items)),
            // The engine has ended; the session ends next, and says whether that was in order.
            Ok(None) => return,
            Err(error) => return mailbox.put(id, &Mail::Ended(error)),
        }
        used.notified().await;
    }
}
