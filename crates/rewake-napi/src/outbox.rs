//! Calls on their way to the supervisor, one handed over after the other: what JavaScript asked first is carried out first. Never
//! waits for an answer before it hands over the next.

use rewake_wire::{ErrorCode, ErrorReply, Reply, Request, Subscribe};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, WeakUnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet, spawn_local};

use crate::answer::Answer;
use crate::backend::{Backend, Subscription};
use crate::mailbox::Wake;
use crate::post::Mail;

/// One call.
pub(crate) enum Outgoing<W: Wake> {
    Request(Request, Answer<W>),
    Subscribe(Subscribe, oneshot::Sender<Result<Subscription, ErrorReply>>),
    /// A question of our own, which JavaScript does not see.
    Ask(Request, oneshot::Sender<Result<Reply, ErrorReply>>),
}

/// The calls of one session. Dropping it gives up those that have no answer yet.
#[derive(Debug)]
pub(crate) struct Outbox<W: Wake> {
    calls: UnboundedSender<Outgoing<W>>,
    task: JoinHandle<()>,
}

impl<W: Wake + 'static> Outbox<W> {
    pub(crate) fn new(backend: Backend) -> Self {
        // Unbounded, but filled by JavaScript alone, which holds a promise for each.
        let (calls, queue) = unbounded_channel();
        Self { calls, task: spawn_local(hand_over(backend, queue)) }
    }

    pub(crate) fn put(&self, call: Outgoing<W>) {
        // Refused only after the task has panicked; then the call's own drop answers.
        let _ = self.calls.send(call);
    }

    /// Another way in.
    pub(crate) fn door(&self) -> Door<W> {
        Door { calls: self.calls.downgrade() }
    }

    /// Waits until every call has been answered.
    pub(crate) async fn finish(mut self) {
        self.calls = unbounded_channel().0;
        let _ = (&mut self.task).await;
    }
}

/// A way into the outbox for those who work beside it. Does not keep it open.
#[derive(Debug)]
pub(crate) struct Door<W: Wake> {
    calls: WeakUnboundedSender<Outgoing<W>>,
}

impl<W: Wake> Door<W> {
    /// Asks, and waits for the answer.
    pub(crate) async fn ask(&self, request: Request) -> Result<Reply, ErrorReply> {
        let (asker, answer) = oneshot::channel();
        self.put(Outgoing::Ask(request, asker))?;
        answer.await.unwrap_or_else(|_| Err(over()))
    }

    /// Subscribes, and waits until it has begun.
    pub(crate) async fn subscribe(&self, what: Subscribe) -> Result<Subscription, ErrorReply> {
        let (asker, answer) = oneshot::channel();
        self.put(Outgoing::Subscribe(what, asker))?;
        answer.await.unwrap_or_else(|_| Err(over()))
    }

    fn put(&self, call: Outgoing<W>) -> Result<(), ErrorReply> {
        let calls = self.calls.upgrade().ok_or_else(over)?;
        calls.send(call).map_err(|_| over())
    }
}

/// The session is being closed, which says so itself.
fn over() -> ErrorReply {
    ErrorReply::new(ErrorCode::ShuttingDown, "the session has ended")
}

impl<W: Wake> Drop for Outbox<W> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn hand_over<W: Wake + 'static>(backend: Backend, mut queue: UnboundedReceiver<Outgoing<W>>) {
    // Dropped with this task, and the calls that still wait with it.
    let mut waiting = JoinSet::new();
    loop {
        tokio::select! {
            call = queue.recv() => match call {
                Some(Outgoing::Request(request, answer)) => match backend.submit(request).await {
                    Ok(reply) => {
                        waiting.spawn_local(async move {
                            answer.give(&reply.await.map_or_else(Mail::Error, Mail::Reply));
                        });
                    }
                    Err(error) => answer.give(&Mail::Error(error)),
                },
                // Waits for the answer, which comes at once: the subscription begins before what was asked after it.
                // A reader that has given up meanwhile drops it.
                Some(Outgoing::Subscribe(what, reader)) => drop(reader.send(backend.subscribe(what).await)),
                Some(Outgoing::Ask(request, asker)) => match backend.submit(request).await {
                    Ok(reply) => {
                        waiting.spawn_local(async move { drop(asker.send(reply.await)) });
                    }
                    Err(error) => drop(asker.send(Err(error))),
                },
                None => break,
            },
            Some(_) = waiting.join_next() => {}
        }
    }
    while waiting.join_next().await.is_some() {}
}
