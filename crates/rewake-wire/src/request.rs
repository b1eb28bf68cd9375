//! The calls of the RPC and their answers. One request, one reply, matched by id; subscriptions push in between.
//! Enums are externally tagged (`{"stop":{"target":"web"}}`): only so can a raw JSON message pass through unread.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{AppSpec, ErrorReply, Event, ExitRecord, SlotInfo, Stream};

/// A frame from a client, after its `Hello`.
#[derive(Debug, Serialize, Deserialize)]
pub struct ClientFrame {
    /// Chosen by the client, unique among its open calls.
    pub id: u64,
    pub call: Call,
}

/// What a client may ask.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// One question with one answer.
    Request(Request),
    /// Begin a subscription; its items carry this call's id until `Unsubscribe` or the end of the connection.
    Subscribe(Subscribe),
    /// End the subscription with this id.
    Unsubscribe { subscription: u64 },
}

/// A frame from the server, after its `Welcome`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerFrame {
    /// The answer to call `id`.
    Reply { id: u64, reply: Box<Reply> },
    /// The call `id` failed.
    Error { id: u64, error: ErrorReply },
    /// Items of subscription `id`.
    Items { id: u64, items: Vec<Event> },
}

/// One question. Targets are PM2's: id, name, namespace, `all`, `/regex/`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    Ping,
    /// Start apps from their descriptions.
    Start {
        apps: Vec<AppSpec>,
        when_known: WhenKnown,
        /// Answer only when each process has been up this long, ms; 0: as soon as it is online.
        #[serde(default)]
        settle_ms: u64,
    },
    /// Start (or restart, if it runs) what is listed already.
    StartKnown {
        target: String,
        #[serde(default)]
        env: Option<EnvChange>,
        #[serde(default)]
        settle_ms: u64,
    },
    Stop {
        target: String,
    },
    Restart {
        target: String,
        #[serde(default)]
        env: Option<EnvChange>,
        #[serde(default)]
        settle_ms: u64,
    },
    /// New processes in place of the present ones, without a gap; a release that does not come up replaces nothing.
    Reload {
        target: String,
        #[serde(default)]
        env: Option<EnvChange>,
        /// Slots at a time; 1 when `None`.
        #[serde(default)]
        parallel: Option<u32>,
        /// Refuse while an earlier reload of one of them is under way. Otherwise its turn comes after that one.
        #[serde(default)]
        no_wait: bool,
    },
    /// Change the number of an app's slots.
    Scale {
        target: String,
        to: ScaleTo,
    },
    Delete {
        target: String,
    },
    /// Zero the counters.
    Reset {
        target: String,
    },
    /// `signal` as `SIGUSR2`, `USR2` or `12`; to the process alone, not to its tree.
    Signal {
        target: String,
        signal: String,
    },
    /// One IPC message, JSON text handed on byte for byte.
    Send {
        target: String,
        message: Box<RawValue>,
    },
    /// Slots that match, all when `None`; an unknown target is an error.
    List {
        #[serde(default)]
        target: Option<String>,
    },
    /// The environment a slot's next process gets.
    Env {
        target: String,
    },
    /// Truncate log files, of all when `None`.
    Flush {
        #[serde(default)]
        target: Option<String>,
    },
    /// How runs have ended, the newest first, of all when `None`; also of apps that are no longer listed.
    History {
        #[serde(default)]
        target: Option<String>,
    },
    /// Put log files aside now and begin new ones, of all when `None`.
    Rotate {
        #[serde(default)]
        target: Option<String>,
    },
    /// Open all log files anew by their paths, each at the end of its line: for those who move them away.
    ReloadLogs,
    /// Write the dump that `Resurrect` reads.
    Save {
        #[serde(default)]
        force: bool,
    },
    Resurrect,
    /// Stop and forget everything, then end daemon and keeper.
    Kill,
    /// Put the executable at this path in the place of keeper and daemon; no process of an app is touched. After the answer the
    /// connection ends; the new daemon tells by `Updated` what became of it.
    Update {
        path: String,
        /// Chosen by the client, to ask by.
        token: u64,
    },
    /// How the update of this number ended.
    Updated {
        token: u64,
    },
}

impl Request {
    /// Whether it only looks: asked twice, or not heard, it makes no difference.
    #[must_use]
    pub fn changes_nothing(&self) -> bool {
        matches!(self, Self::Ping | Self::List { .. } | Self::Env { .. } | Self::History { .. })
    }
}

/// How many slots an app is to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScaleTo {
    Exactly(u32),
    /// More, or fewer when negative.
    By(i32),
}

/// What `Start` does with an app whose name is listed already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenKnown {
    /// Same script, not running: start it; running, or another script: an error. (`start app.js`)
    Refuse,
    /// Give it the new description and restart it. (`start ecosystem.config.js`)
    Replace,
    /// Give it the new description and reload it. (`reload ecosystem.config.js`)
    Reload {
        /// Slots at a time; 1 when `None`.
        #[serde(default)]
        parallel: Option<u32>,
        /// As for [`Request::Reload`].
        #[serde(default)]
        no_wait: bool,
    },
    /// Start another one beside it. (`start -f`)
    Beside,
}

/// New values for a stored environment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EnvChange {
    pub set: BTreeMap<String, String>,
}

/// What to subscribe to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Subscribe {
    /// Process events.
    #[serde(default)]
    pub events: bool,
    /// Messages of apps.
    #[serde(default)]
    pub messages: bool,
    /// Output of apps, from now on.
    #[serde(default)]
    pub logs: Option<LogFilter>,
    /// Only these slots; all when `None`.
    #[serde(default)]
    pub target: Option<String>,
}

/// Which output.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LogFilter {
    /// Only this stream.
    #[serde(default)]
    pub stream: Option<Stream>,
}

/// The answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    Pong,
    /// Each slot that the command was for, and how it went.
    Done(Done),
    List(Vec<SlotInfo>),
    /// By slot id.
    Env(BTreeMap<u32, BTreeMap<String, String>>),
    /// Files that were truncated.
    Flushed(Vec<String>),
    History(Vec<ExitRecord>),
    /// Files that were put aside, under their new names. A file in the middle of a line follows at its end.
    Rotated(Vec<String>),
    LogsReloaded,
    /// Where the dump was written and how many slots it holds.
    Saved {
        path: String,
        slots: u32,
    },
    Subscribed,
    Unsubscribed,
    /// Everything has ended; the connection closes next.
    Killed,
    /// The new executable takes over; the connection closes next.
    HandingOver,
    /// The version before, and why it runs again if it does.
    Updated {
        from: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failed: Option<String>,
    },
}

/// Result of a command over several slots.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Done {
    pub slots: Vec<SlotResult>,
    /// The command was carried out but, for example, could not be written to disk.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// One slot's result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SlotResult {
    pub id: u32,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorReply>,
    /// The slot after the command; `None` once deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<SlotInfo>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_passes_byte_for_byte() {
        let text = r#"{"id":1,"call":{"request":{"send":{"target":"0","message":{"a":-0,"b":1e300,"c":"\ud800"}}}}}"#;
        let frame: ClientFrame = serde_json::from_str(text).unwrap();
        let Call::Request(Request::Send { message, .. }) = &frame.call else { panic!("{frame:?}") };
        assert_eq!(message.get(), r#"{"a":-0,"b":1e300,"c":"\ud800"}"#);
        assert_eq!(serde_json::to_string(&frame).unwrap(), text);
    }
}
