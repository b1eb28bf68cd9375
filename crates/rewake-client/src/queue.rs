//! What waits for the reader of one subscription. Bounded: past the bound items are left out and counted, so that
//! a slow reader costs neither memory nor the other calls of its connection.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rewake_wire::Event;
use tokio::sync::Notify;

/// Items kept for a reader that is behind.
const MAX_ITEMS: usize = 8192;
/// And their text, in bytes: a log item may hold hundreds of lines. As much as the daemon keeps for a client that is behind.
const MAX_BYTES: usize = 4 << 20;

#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    news: Notify,
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Event>,
    /// Text in `items`.
    bytes: usize,
    /// Items left out after the last one in `items`.
    missed: u64,
    closed: bool,
}

impl Queue {
    pub(crate) fn push(&self, items: Vec<Event>) {
        let mut state = self.lock();
        for item in items {
            let bytes = bytes_of(&item);
            // An item that is over the bound alone still passes when nothing else waits.
            let fits = state.items.is_empty() || state.bytes + bytes <= MAX_BYTES;
            if state.missed > 0 && fits && state.items.len() + 1 < MAX_ITEMS {
                let count = std::mem::take(&mut state.missed);
                state.items.push_back(Event::Missed { count });
            }
            if state.missed == 0 && fits && state.items.len() < MAX_ITEMS {
                state.bytes += bytes;
                state.items.push_back(item);
            } else {
                state.missed += 1;
            }
        }
        drop(state);
        self.news.notify_one();
    }

    /// No more items will come; those that are here can still be read.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.news.notify_one();
    }

    /// The next item; `None` once closed and empty. One reader at a time.
    pub(crate) async fn next(&self) -> Option<Event> {
        loop {
            // `notify_one` stores a permit, so news between this look and the wait is not missed.
            match self.take() {
                Some(item) => return Some(item),
                None if self.lock().closed => return self.take(),
                None => self.news.notified().await,
            }
        }
    }

    fn take(&self) -> Option<Event> {
        let mut state = self.lock();
        if let Some(item) = state.items.pop_front() {
            state.bytes -= bytes_of(&item);
            return Some(item);
        }
        (state.missed > 0).then(|| Event::Missed { count: std::mem::take(&mut state.missed) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics while it holds the lock, so the state is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bytes_of(event: &Event) -> usize {
    match event {
        Event::Process(_) | Event::Missed { .. } => 0,
        Event::Message(message) => message.data.get().len(),
        Event::Log(log) => log.lines.iter().map(String::len).sum(),
    }
}

#[cfg(test)]
mod tests {
    use rewake_wire::{LogLines, ProcessEvent, ProcessEventKind, Stream};

    use super::*;

    fn event(id: u32) -> Event {
        Event::Process(ProcessEvent {
            event: ProcessEventKind::Start,
            manually: true,
            at_ms: 0,
            id,
            name: "web".into(),
            namespace: "default".into(),
            run: None,
            pid: None,
            exit: None,
        })
    }

    #[test]
    fn a_reader_that_is_behind_is_told_how_much_it_missed_and_where() {
        let queue = Queue::default();
        let total = MAX_ITEMS as u32 + 10;
        queue.push((0..total).map(event).collect());
        let mut expected = 0;
        while expected < MAX_ITEMS as u32 {
            let Some(Event::Process(event)) = queue.take() else { panic!("item {expected} is not a process event") };
            assert_eq!(event.id, expected);
            expected += 1;
            if expected == 5 {
                queue.push(vec![event_after()]);
            }
        }
        let Some(Event::Missed { count }) = queue.take() else { panic!("no word about what was missed") };
        assert_eq!(count, 10);
        let Some(Event::Process(event)) = queue.take() else { panic!("the item after the gap is gone") };
        assert_eq!(event.id, 999_999);
        assert!(queue.take().is_none());
    }

    #[test]
    fn big_items_are_bounded_by_their_text_and_one_that_is_too_big_passes_alone() {
        let log = |bytes: usize| {
            let lines = vec!["x".repeat(bytes)];
            Event::Log(LogLines { at_ms: 0, id: 0, name: "web".into(), stream: Stream::Out, lines })
        };
        let queue = Queue::default();
        queue.push(vec![log(MAX_BYTES * 2), log(1)]);
        assert!(matches!(queue.take(), Some(Event::Log(_))));
        assert!(matches!(queue.take(), Some(Event::Missed { count: 1 })));
        queue.push((0..10).map(|_| log(MAX_BYTES / 4)).collect());
        for index in 0..4 {
            assert!(matches!(queue.take(), Some(Event::Log(_))), "item {index}");
        }
        assert!(matches!(queue.take(), Some(Event::Missed { count: 6 })));
        assert!(queue.take().is_none());
    }

    fn event_after() -> Event {
        event(999_999)
    }
}
