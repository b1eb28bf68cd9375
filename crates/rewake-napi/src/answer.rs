//! The duty to answer one call. Never forgotten: a task that is dropped or panics answers too.

use std::sync::Arc;

use rewake_wire::{ErrorCode, ErrorReply};

use crate::mailbox::{Mailbox, Wake};
use crate::post::Mail;

/// Held by whoever works on the call `id`.
#[derive(Debug)]
pub(crate) struct Answer<W: Wake> {
    id: i64,
    mailbox: Option<Arc<Mailbox<W>>>,
}

impl<W: Wake> Answer<W> {
    pub(crate) fn new(id: i64, mailbox: &Arc<Mailbox<W>>) -> Self {
        Self { id, mailbox: Some(Arc::clone(mailbox)) }
    }

    /// Answers; the duty is done.
    pub(crate) fn give(mut self, mail: &Mail) {
        if let Some(mailbox) = self.mailbox.take() {
            mailbox.put(self.id, mail);
        }
    }
}

impl<W: Wake> Drop for Answer<W> {
    fn drop(&mut self) {
        let Some(mailbox) = self.mailbox.take() else { return };
        let mail = if std::thread::panicking() {
            Mail::Error(ErrorReply::new(ErrorCode::Internal, "a bug in Rewake ended this call"))
        } else {
            Mail::Dropped
        };
        mailbox.put(self.id, &mail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;

    impl Wake for Nobody {
        fn wake(&self) {}
    }

    #[test]
    fn a_dropped_call_and_a_panicking_one_are_answered_once() {
        let mailbox = Arc::new(Mailbox::new(Nobody));
        drop(Answer::new(7, &mailbox));
        assert_eq!(mailbox.take(), r#"[[7,"dropped"]]"#);
        let other = Answer::new(8, &mailbox);
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _duty = other;
            panic!("planned by the test");
        }));
        assert!(mailbox.take().starts_with(r#"[[8,{"error":{"code":"INTERNAL""#));
        Answer::new(9, &mailbox).give(&Mail::Closed(None));
        assert_eq!(mailbox.take(), r#"[[9,{"closed":null}]]"#);
    }
}
