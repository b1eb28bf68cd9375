//! One subscription on its way to JavaScript: a batch, then nothing until the batch has been used. What comes meanwhile waits
//! in the subscription's own bounded queue, which says how much it had to leave out.

use std::sync::Arc;

use rewake_wire::{Reply, Subscribe};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_local};

use crate::answer::Answer;
use crate::backend::Backend;
use crate::mailbox::{Mailbox, Wake};
use crate::post::Mail;

/// A running subscription. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Feed {
    task: JoinHandle<()>,
    used: Arc<Notify>,
}

impl Feed {
    /// Subscribes and begins to mail; the first mail answers the call.
    pub(crate) fn begin<W>(backend: Backend, what: Subscribe, id: i64, mailbox: &Arc<Mailbox<W>>) -> Self
    where
        W: Wake + 'static,
    {
        let used = Arc::new(Notify::new());
        let task = spawn_local(pump(backend, what, id, Arc::clone(mailbox), Arc::clone(&used)));
        Self { task, used }
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

async fn pump<W: Wake>(backend: Backend, what: Subscribe, id: i64, mailbox: Arc<Mailbox<W>>, used: Arc<Notify>) {
    let answer = Answer::new(id, &mailbox);
    let mut subscription = match backend.subscribe(what).await {
        Ok(subscription) => subscription,
        Err(error) => return answer.give(&Mail::Error(error)),
    };
    answer.give(&Mail::Reply(Reply::Subscribed));
    loop {
        match subscription.batch().await {
            Ok(Some(items)) => mailbox.put(id, &Mail::Items(items)),
            Ok(None) => return mailbox.put(id, &Mail::Ended(None)),
            Err(error) => return mailbox.put(id, &Mail::Ended(Some(error))),
        }
        used.notified().await;
    }
}
