//! A client of the daemon's socket: sends an app messages, and hears what apps say, byte for byte. Speaks `docs/wire.md`.

use std::collections::{BTreeMap, VecDeque};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use rust_tests::home::{Home, PATIENCE};
use serde_json::Value;
use serde_json::value::RawValue;

type Raw = BTreeMap<String, Box<RawValue>>;

/// Calls of one connection that may be open at once; the daemon works on 128.
const WINDOW: usize = 64;

/// What an app said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// The slot's id.
    pub(crate) id: u64,
    /// The text of the message, as it came.
    pub(crate) data: String,
}

/// A connection that makes calls.
#[derive(Debug)]
pub(crate) struct Caller {
    stream: UnixStream,
    next_id: u64,
}

/// A connection that hears what happens from its beginning on.
#[derive(Debug)]
pub(crate) struct Hearer {
    stream: UnixStream,
    items: VecDeque<Raw>,
}

fn raw(text: &str) -> Raw {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn write(stream: &mut UnixStream, json: &str) {
    let length = u32::try_from(json.len()).unwrap();
    stream.write_all(&[&length.to_be_bytes()[..], json.as_bytes()].concat()).unwrap();
}

fn read(stream: &mut UnixStream) -> String {
    let mut length = [0; 4];
    stream.read_exact(&mut length).expect("a frame within the patience of the tests");
    let mut body = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut body).unwrap();
    String::from_utf8(body).unwrap()
}

fn greeted(home: &Home) -> UnixStream {
    let mut stream = UnixStream::connect(home.path().join("rpc.sock")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write(&mut stream, r#"{"hello":"rewake","protocol":1,"version":"0"}"#);
    read(&mut stream);
    stream
}

impl Caller {
    pub(crate) fn connect(home: &Home) -> Self {
        Self { stream: greeted(home), next_id: 0 }
    }

    /// Sends an app messages, JSON texts; what went wrong with any of them.
    pub(crate) fn send_all(&mut self, target: &str, messages: impl IntoIterator<Item = String>) -> Vec<String> {
        let target = Value::from(target);
        let (mut open, mut wrong) = (0, Vec::new());
        for message in messages {
            self.next_id += 1;
            let call = format!(r#"{{"send":{{"target":{target},"message":{message}}}}}"#);
            write(&mut self.stream, &format!(r#"{{"id":{},"call":{{"request":{call}}}}}"#, self.next_id));
            open += 1;
            if open == WINDOW {
                wrong.extend(self.answer());
                open -= 1;
            }
        }
        for _ in 0..open {
            wrong.extend(self.answer());
        }
        wrong
    }

    /// Sends an app a message, JSON text, which must go well.
    pub(crate) fn send(&mut self, target: &str, message: &str) {
        assert_eq!(self.send_all(target, [message.to_owned()]), [""; 0]);
    }

    fn answer(&mut self) -> Option<String> {
        let text = read(&mut self.stream);
        text.contains("\"error\"").then_some(text)
    }
}

impl Hearer {
    pub(crate) fn connect(home: &Home) -> Self {
        Self::connect_to(home, "all")
    }

    /// As [`Self::connect`], for an app that is listed; it hears nothing of others.
    pub(crate) fn connect_to(home: &Home, app: &str) -> Self {
        let mut stream = greeted(home);
        let target = Value::from(app);
        let call = format!(r#"{{"subscribe":{{"events":true,"messages":true,"target":{target}}}}}"#);
        write(&mut stream, &format!(r#"{{"id":1,"call":{call}}}"#));
        assert!(read(&mut stream).contains("subscribed"));
        Self { stream, items: VecDeque::new() }
    }

    fn next(&mut self) -> Raw {
        while self.items.is_empty() {
            let frame = raw(&read(&mut self.stream));
            let items: Raw = raw(frame["items"].get());
            let items: Vec<Raw> = serde_json::from_str(items["items"].get()).unwrap();
            self.items.extend(items);
        }
        self.items.pop_front().unwrap()
    }

    /// The next message of any app; events before it are passed over. What waits to be read must not be more than the daemon keeps.
    pub(crate) fn message(&mut self) -> Message {
        self.message_unless_missed().expect("the test reads fast enough")
    }

    /// As [`Self::message`], for apps that say more than anybody can be sure to read in time; `None` where some were missed.
    pub(crate) fn message_unless_missed(&mut self) -> Option<Message> {
        loop {
            let item = self.next();
            if item.contains_key("missed") {
                return None;
            }
            if let Some(message) = item.get("message") {
                let message = raw(message.get());
                let (id, data) = (message["id"].get().parse().unwrap(), message["data"].get().to_owned());
                return Some(Message { id, data });
            }
        }
    }

    /// The texts of the next messages of any app.
    pub(crate) fn messages(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.message().data).collect()
    }

    /// The next exit of any app, as `(slot's id, exit)`; everything before it is passed over.
    pub(crate) fn exit(&mut self) -> (u64, Value) {
        loop {
            let item = self.next();
            if let Some(event) = item.get("process") {
                let event: Value = serde_json::from_str(event.get()).unwrap();
                if event["event"] == "exit" {
                    return (event["id"].as_u64().unwrap(), event["exit"].clone());
                }
            }
        }
    }
}
