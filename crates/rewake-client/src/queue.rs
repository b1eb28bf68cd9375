//! What waits for the reader of one subscription. Bounded: past the bound items are left out and counted, so that
//! a slow reader costs neither memory nor the other calls of its connection.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rewake_wire::Event;
use tokio::sync::Notify;

/// Items kept for a reader that is behind. A log item holds many lines; some MB at worst.
const MAX_ITEMS: usize = 8192;

#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    news: Notify,
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Event>,
    /// Items left out after the last one in `items`.
    missed: u64,
    closed: bool,
}

impl Queue {
    pub(crate) fn push(&self, items: Vec<Event>) {
        let mut state = self.lock();
        for item in items {
            if state.missed > 0 && state.items.len() + 1 < MAX_ITEMS {
                let count = std::mem::take(&mut state.missed);
                state.items.push_back(Event::Missed { count });
            }
            if state.missed == 0 && state.items.len() < MAX_ITEMS {
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
            return Some(item);
        }
        (state.missed > 0).then(|| Event::Missed { count: std::mem::take(&mut state.missed) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics while it holds the lock, so the state is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use rewake_wire::{ProcessEvent, ProcessEventKind};

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

    fn event_after() -> Event {
        event(999_999)
    }
}
