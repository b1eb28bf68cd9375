//! What waits for JavaScript's thread: JSON texts, and one wake-up for all of them. Never calls JavaScript itself.
//!
//! It is bounded by its users: one answer per call that JavaScript made, and one batch per subscription until
//! JavaScript asks for more.

use std::sync::{Mutex, PoisonError};

use crate::post::Mail;

/// Mails for one session.
#[derive(Debug)]
pub(crate) struct Mailbox<W> {
    /// `[[id,mail],[id,mail]` without the last bracket; empty when there is nothing.
    waiting: Mutex<String>,
    wake: W,
}

/// Makes JavaScript come and take its mail, soon.
pub(crate) trait Wake {
    /// Asks for one visit. Does nothing once JavaScript's side is gone.
    fn wake(&self);
}

impl<W: Wake> Mailbox<W> {
    pub(crate) fn new(wake: W) -> Self {
        Self { waiting: Mutex::default(), wake }
    }

    /// Puts in one mail, and wakes JavaScript if it was empty: a visit takes everything, so one wake-up is enough.
    pub(crate) fn put(&self, id: i64, mail: &Mail) {
        let text = serde_json::to_string(&(id, mail)).unwrap_or_else(|error| unwritable(id, &error));
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let first = waiting.is_empty();
        waiting.push(if first { '[' } else { ',' });
        waiting.push_str(&text);
        drop(waiting);
        if first {
            self.wake.wake();
        }
    }

    /// All mails as one JSON array of `[id, mail]`.
    pub(crate) fn take(&self) -> String {
        let mut all = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        all.push_str(if all.is_empty() { "[]" } else { "]" });
        all
    }

    pub(crate) fn waker(&self) -> &W {
        &self.wake
    }
}

/// Nothing in a mail can fail to be JSON; should it all the same, the caller hears of it instead of waiting for ever.
fn unwritable(id: i64, error: &serde_json::Error) -> String {
    serde_json::json!([id, { "error": { "code": "INTERNAL", "message": format!("failed to write the answer: {error}") } }])
        .to_string()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use rewake_wire::Reply;

    use super::*;

    #[derive(Default)]
    struct Counter(Cell<u32>);

    impl Wake for Counter {
        fn wake(&self) {
            self.0.set(self.0.get() + 1);
        }
    }

    #[test]
    fn one_wake_up_serves_all_mails_until_they_are_taken() {
        let mailbox = Mailbox::new(Counter::default());
        assert_eq!(mailbox.take(), "[]");
        mailbox.put(1, &Mail::Reply(Reply::Pong));
        mailbox.put(2, &Mail::Closed(None));
        assert_eq!(mailbox.waker().0.get(), 1);
        assert_eq!(mailbox.take(), r#"[[1,{"reply":"pong"}],[2,{"closed":null}]]"#);
        assert_eq!(mailbox.take(), "[]");
        mailbox.put(3, &Mail::Dropped);
        assert_eq!(mailbox.waker().0.get(), 2);
        assert_eq!(mailbox.take(), r#"[[3,"dropped"]]"#);
    }
}
