//! The worker's end of Node's channel, written by hand: says whatever it is told to say, right or wrong. Never answers by itself.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rewake_unix::poll::{self, Interest};
use rewake_unix::{fd, fdpass};
use serde_json::{Value, json};

/// A message, and the descriptor that it brought.
pub type Heard = (Value, Option<OwnedFd>);

/// The channel that this process was started with.
#[derive(Debug)]
pub struct Raw {
    fd: OwnedFd,
    seq: i64,
    bytes: Vec<u8>,
    descriptors: VecDeque<OwnedFd>,
    heard: VecDeque<Heard>,
}

impl Raw {
    /// Takes the channel over. Call it once, before anything else is opened.
    ///
    /// # Panics
    /// Without a channel.
    #[must_use]
    pub fn inherited() -> Self {
        let number = std::env::var("NODE_CHANNEL_FD").expect("a channel").parse().expect("a number");
        let channel = fd::adopt(number).expect("the channel is open");
        fd::set_nonblocking(&channel).expect("it can be set");
        Self { fd: channel, seq: 0, bytes: Vec::new(), descriptors: VecDeque::new(), heard: VecDeque::new() }
    }

    /// Writes as they are bytes that may be no message, the descriptors beside the first of them, and waits for as long as it takes.
    ///
    /// # Panics
    /// When the other side is gone.
    pub fn write(&mut self, bytes: &[u8], beside: &[BorrowedFd<'_>]) {
        let written = self.write_for(bytes, beside, None);
        assert_eq!(written, bytes.len(), "it was written whole");
    }

    /// As [`Self::write`], but gives up when the other side has read nothing for this long; how much was written.
    ///
    /// # Panics
    /// When the other side is gone.
    pub fn write_for(&mut self, bytes: &[u8], mut beside: &[BorrowedFd<'_>], patience: Option<Duration>) -> usize {
        let mut written = 0;
        while written < bytes.len() {
            match fdpass::send(self.fd.as_fd(), &bytes[written..], beside) {
                Ok(count) => {
                    written += count;
                    beside = &[];
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let ready = poll::wait(&[(self.fd.as_fd(), Interest::Write)], patience).expect("poll");
                    if !ready[0] && patience.is_some() {
                        break;
                    }
                }
                Err(error) => panic!("the channel is gone: {error}"),
            }
        }
        written
    }

    /// Sends a message.
    pub fn say(&mut self, message: &Value) {
        self.write(format!("{message}\n").as_bytes(), &[]);
    }

    /// Sends a `NODE_CLUSTER` message with a number of its own, which is returned.
    pub fn say_cluster(&mut self, mut message: Value) -> i64 {
        let seq = self.seq;
        self.seq += 1;
        message["cmd"] = "NODE_CLUSTER".into();
        message["seq"] = seq.into();
        self.say(&message);
        seq
    }

    /// Says that the last descriptor came.
    pub fn acknowledge(&mut self) {
        self.say(&json!({ "cmd": "NODE_HANDLE_ACK" }));
    }

    /// The next message; of one with a descriptor what it wraps. `None` at the end.
    ///
    /// # Panics
    /// When it is no JSON.
    pub fn hear(&mut self) -> Option<Heard> {
        while self.heard.is_empty() {
            let ready = poll::wait(&[(self.fd.as_fd(), Interest::Read)], None).expect("poll");
            if ready[0] && !self.read() {
                return None;
            }
        }
        self.heard.pop_front()
    }

    /// The next message that the test wants, the others let go.
    ///
    /// # Panics
    /// When the channel ends before.
    pub fn hear_until(&mut self, wanted: impl Fn(&Value) -> bool) -> Heard {
        loop {
            let heard = self.hear().expect("an answer before the end");
            if wanted(&heard.0) {
                return heard;
            }
        }
    }

    /// Asks for an address; the answer. A descriptor that comes with it is acknowledged.
    pub fn query(&mut self, query: &Value) -> Heard {
        let mut message = query.clone();
        message["act"] = "queryServer".into();
        let seq = self.say_cluster(message);
        let heard = self.hear_until(|heard| heard["ack"] == seq);
        if heard.1.is_some() {
            self.acknowledge();
        }
        heard
    }

    /// False at the end.
    fn read(&mut self) -> bool {
        let mut buffer = [0; 16 << 10];
        let received = match fdpass::recv_stream_with_fds(self.fd.as_fd(), &mut buffer) {
            Ok(received) => received,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
            Err(_) => return false,
        };
        self.bytes.extend_from_slice(&buffer[..received.bytes]);
        self.descriptors.extend(received.fds);
        while let Some(end) = self.bytes.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.bytes.drain(..=end).collect();
            let mut message: Value = serde_json::from_slice(&line).expect("JSON");
            let mut descriptor = None;
            if message["cmd"] == "NODE_HANDLE" {
                descriptor = self.descriptors.pop_front();
                message = message["msg"].take();
            }
            self.heard.push_back((message, descriptor));
        }
        received.bytes > 0
    }
}
