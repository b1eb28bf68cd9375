//! What a channel tells its owner. Never holds a descriptor: those stay with whoever reads the socket.

use crate::Text;

/// One thing that happened on a channel, in the order of the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// The app's `process.send(…)`.
    Message(Text),
    /// The message before this one was PM2's `'ready'`.
    Ready,
    /// Bytes that must be written back, each exactly once: one that is missing silences the app for ever, one too many
    /// makes its Node abort. Goes into [`crate::Outbox::push_answer`].
    Answer(Vec<u8>),
    /// The oldest descriptor that was received and not yet taken is for this.
    TakeDescriptor {
        /// False: nobody wants it, close it.
        kept: bool,
    },
    /// A message of Node's own, not for users.
    Internal {
        /// Its `cmd`, `NODE_…`.
        cmd: String,
        /// All of it.
        text: Text,
    },
    /// A message that cannot be read. The channel goes on with the next.
    Garbage {
        /// Its length.
        bytes: usize,
        /// Its beginning, fit for a log line: short, without control characters.
        sample: String,
    },
    /// A message over the limit. It is skipped to its end without being kept; the channel goes on.
    TooLong,
}
