//! The receiving end of one run's channel: from bytes to happenings, and the answers that Node expects. Never decides
//! what a message means to the app's owner, and never holds a descriptor.

use std::{borrow::Cow, ops::Range};

use crate::{
    Happening, Mode, Text,
    encode::{fixed, is_reserved},
    framer::{Cut, Framer},
    json::{outline, text_of},
    sample::sample,
    v8,
};

/// Longest message that is taken, in bytes. Node has no limit; a megabyte is ordinary, and this is far above what
/// anyone sends between processes and far below what would hurt the supervisor.
pub const MAX_MESSAGE_BYTES: usize = 64 << 20;

/// Most descriptors that wait for their message. Node sends one at a time; an app that sends more without the messages
/// they belong to would use up ours.
pub const MAX_WAITING_DESCRIPTORS: usize = 4;

/// One run's channel, as its supervisor reads it.
///
/// The owner reads the socket, keeps received descriptors in a queue, and hands everything to [`Channel::receive`].
#[derive(Debug)]
pub struct Channel {
    framer: Framer,
    /// Descriptors received and not yet taken by a message.
    waiting: usize,
}

impl Channel {
    /// A channel at its beginning, with messages of up to [`MAX_MESSAGE_BYTES`].
    #[must_use]
    pub fn new(mode: Mode) -> Self {
        Self::with_limit(mode, MAX_MESSAGE_BYTES)
    }

    /// A channel that takes messages of up to `max_message_bytes`, 64 at least. In advanced mode the JSON text of a
    /// message has the same limit as the message.
    #[must_use]
    pub fn with_limit(mode: Mode, max_message_bytes: usize) -> Self {
        Self { framer: Framer::new(mode, max_message_bytes), waiting: 0 }
    }

    /// How messages are written on this channel.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.framer.mode()
    }

    /// How much of what was received belongs to a message that is not whole yet. What came before it has been told.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.framer.unfinished()
    }

    /// How much of a message over the limit is still to pass by, bytes; `u64::MAX`: up to its end, wherever that is.
    #[must_use]
    pub fn skipping(&self) -> u64 {
        self.framer.skipping()
    }

    /// Descriptors that have come and were not taken by a message.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Goes on where another channel was [`skipping`](Self::skipping). The message that passes by has been told.
    pub fn skip(&mut self, left: u64) {
        self.framer.skip(left);
    }

    /// Takes what one `recvmsg` gave: its bytes, and how many descriptors came with them. What happened is appended to
    /// `out`, in order. Every descriptor is sooner or later named by one [`Happening::TakeDescriptor`], first come,
    /// first named.
    pub fn receive(&mut self, bytes: &[u8], descriptors: usize, out: &mut Vec<Happening>) {
        self.waiting += descriptors;
        let (mode, limit) = (self.framer.mode(), self.framer.limit());
        let mut reader = MessageReader { mode, limit, waiting: &mut self.waiting, out };
        self.framer.feed(bytes, |cut| reader.read(cut));
        while self.waiting > MAX_WAITING_DESCRIPTORS {
            self.waiting -= 1;
            out.push(Happening::TakeDescriptor { kept: false });
        }
    }

    /// The other side has closed: a message that began and did not end is told as garbage, and the descriptors that
    /// still wait are let go.
    pub fn end(&mut self, out: &mut Vec<Happening>) {
        let rest = self.framer.take_unfinished();
        if !rest.is_empty() {
            out.push(Happening::Garbage { bytes: rest.len(), sample: sample(&rest) });
        }
        for _ in 0..std::mem::take(&mut self.waiting) {
            out.push(Happening::TakeDescriptor { kept: false });
        }
    }
}

/// Reads the messages of one `receive`.
#[derive(Debug)]
struct MessageReader<'a> {
    mode: Mode,
    limit: usize,
    waiting: &'a mut usize,
    out: &'a mut Vec<Happening>,
}

impl MessageReader<'_> {
    fn read(&mut self, cut: Cut<'_>) {
        match (cut, self.mode) {
            (Cut::TooLong { head }, _) => {
                self.out.push(Happening::TooLong);
                self.answer_unread(head);
            }
            (Cut::Whole(line), Mode::Json) => self.read_line(line),
            (Cut::Whole(bytes), Mode::Advanced) => self.read_clone(&bytes),
        }
    }

    fn read_line(&mut self, line: Cow<'_, [u8]>) {
        // Node decodes UTF-8 the forgiving way, too.
        let text = match line {
            Cow::Borrowed(line) => String::from_utf8_lossy(line).into_owned(),
            Cow::Owned(line) => {
                String::from_utf8(line).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
            }
        };
        if let Err(text) = self.meet(Text::new(trimmed(text))) {
            self.garbage(text.as_str().as_bytes());
        }
    }

    fn read_clone(&mut self, bytes: &[u8]) {
        match v8::decode(bytes, self.limit) {
            Ok(decoded) => {
                let met = self.meet(Text::with_cycles(decoded.json, decoded.cycles));
                debug_assert!(met.is_ok(), "decoding gives valid JSON");
            }
            Err(v8::Fault::Malformed) => {
                self.garbage(bytes);
                self.answer_unread(bytes);
            }
            Err(v8::Fault::TooLarge) => {
                self.out.push(Happening::TooLong);
                self.answer_unread(bytes);
            }
        }
    }

    /// Sorts a message; gives it back when it is not JSON.
    fn meet(&mut self, text: Text) -> Result<(), Text> {
        let Ok([cmd, inner]) = outline(text.as_str(), ["cmd", "msg"]) else { return Err(text) };
        match reserved(text.as_str(), cmd) {
            None => self.deliver(text),
            Some(cmd) if cmd == "NODE_HANDLE" => {
                self.answer();
                if let Some(range) = inner {
                    self.meet_inner(Text::with_cycles(text.as_str()[range].to_owned(), text.cycles()));
                }
            }
            Some(cmd) => self.out.push(Happening::Internal { cmd, text }),
        }
        Ok(())
    }

    /// Sorts a message that rode on a handle. Whatever it is, the handle has its one answer already.
    ///
    /// It is delivered whether or not the descriptor came. A socket that was refused is sent again, up to three times;
    /// Node then wraps the whole handle message into another one, which is how we know that its message has been
    /// delivered.
    fn meet_inner(&mut self, text: Text) {
        match cmd_of(text.as_str()) {
            None => self.deliver(text),
            Some(cmd) if cmd == "NODE_HANDLE" => {}
            Some(cmd) => self.out.push(Happening::Internal { cmd, text }),
        }
    }

    fn deliver(&mut self, text: Text) {
        let ready = text.is_ready();
        self.out.push(Happening::Message(text));
        if ready {
            self.out.push(Happening::Ready);
        }
    }

    /// Answers one handle message: ACK when a descriptor came, NACK when none did.
    fn answer(&mut self) {
        let came = *self.waiting > 0;
        if came {
            *self.waiting -= 1;
            self.out.push(Happening::TakeDescriptor { kept: false });
        }
        let answer = if came { r#"{"cmd":"NODE_HANDLE_ACK"}"# } else { r#"{"cmd":"NODE_HANDLE_NACK"}"# };
        self.out.push(Happening::Answer(fixed(self.mode, answer)));
    }

    /// A handle message is answered even when it cannot be read: its sender waits. Node writes `cmd` first.
    fn answer_unread(&mut self, head: &[u8]) {
        let is_handle = match self.mode {
            Mode::Json => head.starts_with(br#"{"cmd":"NODE_HANDLE","#),
            // Behind the tag of the version and the version.
            Mode::Advanced => head.get(2..).is_some_and(|rest| rest.starts_with(b"o\"\x03cmd\"\x0bNODE_HANDLE")),
        };
        if is_handle {
            self.answer();
        }
    }

    fn garbage(&mut self, bytes: &[u8]) {
        self.out.push(Happening::Garbage { bytes: bytes.len(), sample: sample(bytes) });
    }
}

/// The `cmd` of a message of Node's own; `None` for the user's.
fn cmd_of(text: &str) -> Option<String> {
    let [cmd] = outline(text, ["cmd"]).ok()?;
    reserved(text, cmd)
}

/// The same, where the value of `cmd` is known.
fn reserved(text: &str, cmd: Option<Range<usize>>) -> Option<String> {
    text_of(&text[cmd?]).filter(|cmd| is_reserved(cmd))
}

/// The same text without JSON's white space around it; without a copy where there is none in front.
fn trimmed(mut text: String) -> String {
    const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];
    text.truncate(text.trim_end_matches(SPACE).len());
    match text.strip_prefix(SPACE) {
        Some(rest) => rest.trim_start_matches(SPACE).to_owned(),
        None => text,
    }
}
