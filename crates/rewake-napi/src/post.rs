//! What crosses between JavaScript's thread and ours, both ways, as JSON text. Never holds a JavaScript value.

use rewake_wire::{ErrorReply, Event, Reply, Request, Subscribe, Welcome};
use serde::{Deserialize, Serialize};

use crate::reader::Line;
use crate::reading::ReadLogs;
use crate::resolve::{Resolve, Resolved};

/// From JavaScript. Each comes with an id that its answer carries.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Post {
    /// One question to the supervisor.
    Request(Request),
    /// Make app descriptions out of what the user gave.
    Resolve(Resolve),
    /// Begin a subscription; its items carry this id.
    Subscribe(Subscribe),
    /// Read log files, or choose from what is written; the lines carry this id.
    ReadLogs(ReadLogs),
    /// The last items of the subscription with this id have been used: send the next.
    More,
    /// End the subscription with this id.
    Unsubscribe,
}

/// To JavaScript.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mail {
    /// The session is open; what the daemon said about itself, nothing when embedded.
    Opened(Option<Welcome>),
    /// Answers one `Request`, or tells that a subscription has begun.
    Reply(Reply),
    /// Answers `Resolve`.
    Resolved(Resolved),
    /// The call failed.
    Error(ErrorReply),
    /// The call was given up because the session ended.
    Dropped,
    /// Items of a subscription. No more come before `More`.
    Items(Vec<Event>),
    /// Lines of log files. No more come before `More`.
    Lines(Vec<Line>),
    /// What was to be read has been.
    Done,
    /// A subscription failed: it could not begin, or lost its supervisor.
    Ended(ErrorReply),
    /// The session is over; nothing follows.
    Closed(Option<ErrorReply>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_javascript_posts_is_read_and_a_message_passes_byte_for_byte() {
        let post =
            serde_json::from_str(r#"{"request":{"send":{"target":"0","message":{"a":-0,"b":"\ud800"}}}}"#).unwrap();
        let Post::Request(Request::Send { message, .. }) = post else { panic!("{post:?}") };
        assert_eq!(message.get(), r#"{"a":-0,"b":"\ud800"}"#);
        assert!(matches!(serde_json::from_str(r#""more""#).unwrap(), Post::More));
        assert!(matches!(serde_json::from_str(r#"{"request":"ping"}"#).unwrap(), Post::Request(Request::Ping)));
    }
}
