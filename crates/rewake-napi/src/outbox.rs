//! Calls on their way to the supervisor, one handed over after the other: what JavaScript asked first is carried out first. Never
//! waits for an answer before it hands over the next.

use rewake_wire::{ErrorReply, Request, Subscribe};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
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

    /// Waits until every call has been answered.
    pub(crate) async fn finish(mut self) {
        self.calls = unbounded_channel().0;
        let _ = (&mut self.task).await;
    }
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
                None => break,
            },
            Some(_) = waiting.join_next() => {}
        }
    }
    while waiting.join_next().await.is_some() {}
}
