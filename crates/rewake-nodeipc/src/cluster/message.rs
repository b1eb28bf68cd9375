//! `NODE_CLUSTER` messages: reading the fields that matter, writing ours. Never trusts a field to be there or of its type.

use std::ops::Range;

use crate::json::{escape_units, outline, text_of};

/// A message of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Incoming {
    Online,
    QueryServer(Box<Query>),
    /// Carries the query's object again, with the real port, but no key.
    Listening(Box<Query>),
    Close {
        key: String,
    },
    ExitedAfterDisconnect {
        seq: i64,
    },
    /// Answers our message `ack`; `accepted` is about a connection.
    Reply {
        ack: i64,
        accepted: bool,
    },
}

/// `queryServer`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) seq: i64,
    pub(super) address: Option<String>,
    pub(super) port: Option<i64>,
    /// As text: Node sends 4, 6, -1, `"udp4"` or `"udp6"`.
    pub(super) address_type: Option<String>,
    pub(super) fd: Option<i64>,
    pub(super) index: Option<i64>,
    pub(super) flags: Option<i64>,
    pub(super) backlog: Option<i64>,
    pub(super) readable_all: bool,
    pub(super) writable_all: bool,
    /// JSON text that goes to all workers of the group.
    pub(super) data: Option<String>,
}

const FIELDS: [&str; 16] = [
    "act",
    "seq",
    "ack",
    "accepted",
    "key",
    "address",
    "port",
    "addressType",
    "fd",
    "index",
    "flags",
    "backlog",
    "readableAll",
    "writableAll",
    "data",
    "errno",
];

struct Fields<'a> {
    text: &'a str,
    found: [Option<Range<usize>>; FIELDS.len()],
}

impl<'a> Fields<'a> {
    fn raw(&self, name: &str) -> Option<&'a str> {
        let index = FIELDS.iter().position(|field| *field == name)?;
        self.found[index].clone().map(|range| &self.text[range])
    }

    fn text(&self, name: &str) -> Option<String> {
        text_of(self.raw(name)?)
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.raw(name)?.parse().ok()
    }

    fn is_true(&self, name: &str) -> bool {
        self.raw(name) == Some("true")
    }
}

/// Reads a message; `None` for what means nothing to a primary, which Node ignores too.
pub(super) fn parse(text: &str) -> Option<Incoming> {
    let fields = Fields { text, found: outline(text, FIELDS).ok()? };
    if let Some(ack) = fields.number("ack") {
        return Some(Incoming::Reply { ack, accepted: fields.is_true("accepted") });
    }
    match fields.text("act")?.as_str() {
        "online" => Some(Incoming::Online),
        "queryServer" => Some(Incoming::QueryServer(Box::new(query(&fields)?))),
        "listening" => Some(Incoming::Listening(Box::new(query(&fields)?))),
        "close" => Some(Incoming::Close { key: fields.text("key")? }),
        "exitedAfterDisconnect" => Some(Incoming::ExitedAfterDisconnect { seq: fields.number("seq")? }),
        _ => None,
    }
}

fn query(fields: &Fields<'_>) -> Option<Query> {
    Some(Query {
        seq: fields.number("seq")?,
        address: fields.text("address"),
        port: fields.number("port"),
        address_type: fields
            .text("addressType")
            .or_else(|| fields.number("addressType").map(|number| number.to_string())),
        fd: fields.number("fd"),
        index: fields.number("index"),
        flags: fields.number("flags"),
        backlog: fields.number("backlog"),
        readable_all: fields.is_true("readableAll"),
        writable_all: fields.is_true("writableAll"),
        data: fields.raw("data").filter(|data| *data != "null").map(str::to_owned),
    })
}

/// A message of ours under construction.
#[derive(Debug)]
pub(super) struct Outgoing {
    json: String,
}

impl Outgoing {
    pub(super) fn new(seq: i64) -> Self {
        Self { json: format!("{{\"cmd\":\"NODE_CLUSTER\",\"seq\":{seq}") }
    }

    pub(super) fn raw(mut self, name: &str, json: &str) -> Self {
        self.json.push_str(",\"");
        self.json.push_str(name);
        self.json.push_str("\":");
        self.json.push_str(json);
        self
    }

    pub(super) fn number(self, name: &str, value: i64) -> Self {
        self.raw(name, &value.to_string())
    }

    pub(super) fn text(self, name: &str, value: &str) -> Self {
        let quoted = quoted(value);
        self.raw(name, &quoted)
    }

    pub(super) fn plain(mut self) -> String {
        self.json.push('}');
        self.json
    }

    /// The message that brings a descriptor.
    pub(super) fn on_handle(self, kind: &str) -> String {
        format!("{{\"cmd\":\"NODE_HANDLE\",\"type\":\"{kind}\",\"msg\":{}}}", self.plain())
    }
}

fn quoted(value: &str) -> String {
    let mut out = Vec::new();
    // No limit: our own texts are as long as the message they came from.
    let _unlimited = escape_units(&mut out, value.encode_utf16(), usize::MAX);
    String::from_utf8_lossy(&out).into_owned()
}
