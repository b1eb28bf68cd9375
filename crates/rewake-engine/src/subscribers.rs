//! Subscribers and their bounded queues. A slow one is told how much it missed; it never delays the loop or the others.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rewake_wire::{Event, LogLines, Stream, Subscribe};
use tokio::sync::Notify;

/// What may wait for one subscriber, bytes (roughly); past it, items are counted instead of kept.
const QUEUE_BYTES: usize = 4 << 20;
/// Cost of an item beside its text.
const ITEM_BYTES: usize = 200;
/// Items handed over at once, so that one frame stays small.
const BATCH: usize = 512;

/// One subscriber's queue.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Notify,
    closed: AtomicBool,
}

#[derive(Debug, Default)]
struct Waiting {
    items: VecDeque<Event>,
    bytes: usize,
    missed: u64,
    ended: bool,
}

impl Queue {
    pub(crate) async fn take(&self) -> Option<Vec<Event>> {
        loop {
            let arrived = self.arrived.notified();
            if let Some(items) = self.take_now() {
                return Some(items);
            }
            if self.lock().ended {
                return None;
            }
            arrived.await;
        }
    }

    /// The subscriber has gone.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    fn take_now(&self) -> Option<Vec<Event>> {
        let mut waiting = self.lock();
        let count = waiting.items.len().min(BATCH);
        let mut items: Vec<Event> = waiting.items.drain(..count).collect();
        if waiting.items.is_empty() {
            waiting.bytes = 0;
            let missed = std::mem::take(&mut waiting.missed);
            if missed > 0 {
                items.push(Event::Missed { count: missed });
            }
        } else {
            let taken: usize = items.iter().map(size_of_event).sum();
            waiting.bytes = waiting.bytes.saturating_sub(taken);
        }
        (!items.is_empty()).then_some(items)
    }

    fn push(&self, event: Event) {
        let mut waiting = self.lock();
        let size = size_of_event(&event);
        // Once something is missing, all that follows is missing until the queue has been emptied: order is kept.
        // An item that is larger than the bound alone still passes when nothing else waits.
        if waiting.missed > 0 || (!waiting.items.is_empty() && waiting.bytes + size > QUEUE_BYTES) {
            waiting.missed += 1;
        } else {
            waiting.bytes += size;
            waiting.items.push_back(event);
        }
        drop(waiting);
        self.arrived.notify_one();
    }

    fn end(&self) {
        self.lock().ended = true;
        self.arrived.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while it is held; should it happen all the same, the queue is still a queue.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everybody who listens. Clones are the same: the loop has one, and the thread that carries output another.
#[derive(Debug, Default, Clone)]
pub(crate) struct Subscribers {
    all: Arc<Mutex<Vec<Subscriber>>>,
}

#[derive(Debug)]
struct Subscriber {
    wants: Subscribe,
    /// `None`: all slots, also those yet to come.
    slots: Option<BTreeSet<u32>>,
    queue: Arc<Queue>,
}

impl Subscribers {
    /// Adds one.
    pub(crate) fn add(&self, wants: Subscribe, slots: Option<BTreeSet<u32>>) -> Arc<Queue> {
        let queue = Arc::new(Queue::default());
        self.living().push(Subscriber { wants, slots, queue: Arc::clone(&queue) });
        queue
    }

    /// Whether anybody wants this slot's output; if not, nobody cuts it into lines.
    pub(crate) fn want_log(&self, id: u32, stream: Stream) -> bool {
        self.living().iter().any(|subscriber| subscriber.wants_log(id, stream))
    }

    /// Whether anybody wants messages of this slot.
    pub(crate) fn want_messages(&self, id: u32) -> bool {
        self.living().iter().any(|subscriber| subscriber.wants.messages && subscriber.covers(id))
    }

    /// Hands an event to all who want it.
    pub(crate) fn publish(&self, event: &Event) {
        for subscriber in self.living().iter().filter(|subscriber| subscriber.wants(event)) {
            subscriber.queue.push(event.clone());
        }
    }

    /// Tells everybody that nothing more will come.
    pub(crate) fn end(&self) {
        for subscriber in self.living().drain(..) {
            subscriber.queue.end();
        }
    }

    /// Those that have not gone.
    fn living(&self) -> MutexGuard<'_, Vec<Subscriber>> {
        // Nothing panics while it is held; should it happen all the same, the list is still a list.
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|subscriber| !subscriber.queue.closed.load(Ordering::Acquire));
        all
    }
}

impl Subscriber {
    fn covers(&self, id: u32) -> bool {
        self.slots.as_ref().is_none_or(|slots| slots.contains(&id))
    }

    fn wants_log(&self, id: u32, stream: Stream) -> bool {
        let filter = self.wants.logs.as_ref();
        filter.is_some_and(|filter| filter.stream.is_none_or(|only| only == stream)) && self.covers(id)
    }

    fn wants(&self, event: &Event) -> bool {
        match event {
            Event::Process(process) => self.wants.events && self.covers(process.id),
            Event::Message(message) => self.wants.messages && self.covers(message.id),
            Event::Log(LogLines { id, stream, .. }) => self.wants_log(*id, *stream),
            Event::Missed { .. } => true,
        }
    }
}

fn size_of_event(event: &Event) -> usize {
    ITEM_BYTES
        + match event {
            Event::Process(_) | Event::Missed { .. } => 0,
            Event::Message(message) => message.data.get().len(),
            Event::Log(lines) => lines.lines.iter().map(|line| line.len() + 24).sum(),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Event {
        let lines = vec![text.to_owned()];
        Event::Log(LogLines { at_ms: 0, id: 0, name: "a".into(), stream: Stream::Out, lines })
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_slow_subscriber_is_told_what_it_missed_and_keeps_the_order() {
        let subscribers = Subscribers::default();
        let wants = Subscribe { logs: Some(Default::default()), ..Subscribe::default() };
        let queue = subscribers.add(wants, None);
        let big = "x".repeat(QUEUE_BYTES / 4);
        for _ in 0..10 {
            subscribers.publish(&lines(&big));
        }
        let items = queue.take().await.unwrap();
        assert_eq!(items.len(), 4, "three fit, then the note");
        assert!(matches!(items[3], Event::Missed { count: 7 }));
        subscribers.publish(&lines("after"));
        assert!(matches!(&queue.take().await.unwrap()[..], [Event::Log(_)]));
        subscribers.end();
        assert!(queue.take().await.is_none());
    }

    #[test]
    fn one_that_has_gone_is_dropped_and_costs_nothing() {
        let subscribers = Subscribers::default();
        let wants = Subscribe { logs: Some(Default::default()), ..Subscribe::default() };
        let queue = subscribers.add(wants, None);
        assert!(subscribers.want_log(0, Stream::Out));
        queue.close();
        assert!(!subscribers.want_log(0, Stream::Out));
    }
}
