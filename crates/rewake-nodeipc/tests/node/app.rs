//! A Node process with a channel to this test, and the loop that drives it. Never waits longer than its bound.

use std::{
    collections::{HashMap, VecDeque},
    io::{IoSlice, IoSliceMut},
    os::{
        fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg},
};
use rewake_nodeipc::{Channel, Happening, Mode, Outbox, encode, encode_own};

/// For one test with one Node, on a machine that is busy with others.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ends with `'shutdown'`, sends everything else back.
pub(crate) const ECHO: &str = "process.on('message', m => m === 'shutdown' ? process.disconnect() : process.send(m));";

/// The Node on the `PATH`, and those that `REWAKE_TEST_NODES` names.
pub(crate) fn nodes() -> Vec<String> {
    let more = std::env::var("REWAKE_TEST_NODES").unwrap_or_default();
    std::iter::once("node").chain(more.split(':').filter(|path| !path.is_empty())).map(str::to_owned).collect()
}

/// Runs a test with each Node and each mode.
pub(crate) fn with_each(modes: &[Mode], script: &str, test: impl Fn(&mut App)) {
    for node in nodes() {
        for &mode in modes {
            test(&mut App::start(&node, mode, script));
        }
    }
}

pub(crate) struct App {
    pub(crate) name: String,
    pub(crate) mode: Mode,
    /// Hide descriptors from the channel, as if they had been lost on the way.
    pub(crate) lose_descriptors: bool,
    pub(crate) descriptors: VecDeque<OwnedFd>,
    pub(crate) answers: usize,
    riding: HashMap<u64, OwnedFd>,
    next_tag: u64,
    child: Child,
    socket: UnixStream,
    channel: Channel,
    outbox: Outbox,
    happenings: VecDeque<Happening>,
    ended: bool,
    deadline: Instant,
}

impl App {
    fn start(node: &str, mode: Mode, script: &str) -> Self {
        let mut command = Command::new(node);
        command.args(["-e", script]).env_remove("NODE_UNIQUE_ID");
        Self::spawn(node, mode, command)
    }

    /// Starts a cluster worker. Node makes one only of a script in a file.
    pub(crate) fn start_worker(node: &str, mode: Mode, script: &std::path::Path, id: u64) -> Self {
        let mut command = Command::new(node);
        command.arg(script).env("NODE_UNIQUE_ID", id.to_string());
        Self::spawn(node, mode, command)
    }

    fn spawn(node: &str, mode: Mode, mut command: Command) -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let child = command
            // The standard library passes a descriptor on only as a standard stream; Node takes any number.
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .env("NODE_CHANNEL_FD", "0")
            .env("NODE_CHANNEL_SERIALIZATION_MODE", mode.as_str())
            .env_remove("NODE_OPTIONS")
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start `{node}`: {error}"));
        Self {
            name: format!("{node} {}", mode.as_str()),
            mode,
            lose_descriptors: false,
            descriptors: VecDeque::new(),
            answers: 0,
            riding: HashMap::new(),
            next_tag: 0,
            child,
            socket: ours,
            channel: Channel::new(mode),
            outbox: Outbox::with_limit(64 << 20),
            happenings: VecDeque::new(),
            ended: false,
            deadline: Instant::now() + PATIENCE,
        }
    }

    pub(crate) fn send(&mut self, json: &str) {
        self.send_bytes(encode(self.mode, json).unwrap());
    }

    pub(crate) fn send_bytes(&mut self, bytes: Vec<u8>) {
        self.outbox.push(bytes).unwrap();
    }

    /// Sends a message of Node's own, with a descriptor on it.
    pub(crate) fn send_own(&mut self, json: &str, handle: Option<OwnedFd>) {
        let tag = handle.map(|handle| {
            self.next_tag += 1;
            self.riding.insert(self.next_tag, handle);
            self.next_tag
        });
        self.outbox.push_own(encode_own(self.mode, json).unwrap(), tag);
    }

    /// The next happening but answers and descriptors, which are dealt with here; `None` at the end of file.
    pub(crate) fn next(&mut self) -> Option<Happening> {
        loop {
            match self.happenings.pop_front() {
                Some(Happening::Answer(bytes)) => {
                    self.answers += 1;
                    self.outbox.push_answer(bytes);
                }
                Some(Happening::TakeDescriptor { kept }) => {
                    assert!(!kept, "{}", self.name);
                    drop(self.descriptors.pop_front().expect("a descriptor that was received"));
                }
                Some(other) => return Some(other),
                None if self.ended => return None,
                None => self.turn(),
            }
        }
    }

    /// The next happening, which must be a message.
    pub(crate) fn message(&mut self) -> String {
        match self.next() {
            Some(Happening::Message(text)) => text.into_string(),
            other => panic!("{}: expected a message, got {other:?}", self.name),
        }
    }

    pub(crate) fn expect_message(&mut self, json: &str) {
        let got = self.message();
        assert!(got == json, "{}: sent {}, got {}", self.name, short(json), short(&got));
    }

    /// Asks an [`ECHO`] to end, and checks that it does so in order.
    pub(crate) fn end(&mut self) {
        self.send_bytes(rewake_nodeipc::shutdown(self.mode));
        assert_eq!(self.next(), None, "{}", self.name);
        let status = self.exit();
        assert!(status.success(), "{}: {status}", self.name);
    }

    /// The exit status, once the channel has ended.
    pub(crate) fn exit(&mut self) -> ExitStatus {
        assert!(self.ended);
        self.child.wait().unwrap()
    }

    /// Waits for the end of the process while nothing is read.
    pub(crate) fn wait_unread(&mut self) {
        self.child.wait().unwrap();
    }

    /// Writes and reads once what can be.
    fn turn(&mut self) {
        let mut flags = PollFlags::POLLIN;
        if !self.outbox.is_empty() {
            flags |= PollFlags::POLLOUT;
        }
        let left = self.deadline.saturating_duration_since(Instant::now());
        let mut polled = [PollFd::new(self.socket.as_fd(), flags)];
        let ready = poll(&mut polled, PollTimeout::try_from(left).unwrap()).unwrap();
        assert!(ready > 0, "{}: nothing happened within {PATIENCE:?}", self.name);
        let events = polled[0].revents().unwrap();
        if events.contains(PollFlags::POLLOUT) {
            self.write();
        }
        if events.intersects(PollFlags::POLLIN | PollFlags::POLLHUP | PollFlags::POLLERR) {
            self.read();
        }
    }

    fn write(&mut self) {
        while !self.outbox.is_empty() {
            let tag = self.outbox.front_tag();
            let raw: Vec<RawFd> = tag.iter().map(|tag| self.riding[tag].as_raw_fd()).collect();
            let control: Vec<_> = tag.iter().map(|_| ControlMessage::ScmRights(&raw)).collect();
            let slices: Vec<_> = self.outbox.chunks().take(64).map(IoSlice::new).collect();
            let flags = MsgFlags::MSG_NOSIGNAL;
            match sendmsg::<()>(self.socket.as_raw_fd(), &slices, &control, flags, None) {
                Ok(count) => {
                    self.outbox.advance(count);
                    // The copy that is on its way lives by itself.
                    tag.map(|tag| self.riding.remove(&tag));
                }
                Err(nix::Error::EAGAIN) => return,
                Err(error) => panic!("{}: {error}", self.name),
            }
        }
    }

    fn read(&mut self) {
        let mut bytes = vec![0; 64 << 10];
        let mut control = nix::cmsg_space!([RawFd; 8]);
        let mut slices = [IoSliceMut::new(&mut bytes)];
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let received = recvmsg::<()>(self.socket.as_raw_fd(), &mut slices, Some(&mut control), flags);
        let (count, mut came) = match received {
            Ok(received) => {
                let mut raw = Vec::new();
                for message in received.cmsgs().unwrap() {
                    if let ControlMessageOwned::ScmRights(rights) = message {
                        raw.extend(rights);
                    }
                }
                // SAFETY: the kernel has just made these descriptors for us, and nobody else knows them.
                let owned = raw.into_iter().map(|raw| unsafe { OwnedFd::from_raw_fd(raw) }).collect();
                (received.bytes, owned)
            }
            // The app died with bytes of ours unread.
            Err(nix::Error::ECONNRESET) => (0, Vec::new()),
            Err(error) => panic!("{}: {error}", self.name),
        };
        if self.lose_descriptors {
            came.clear();
        }
        let descriptors = came.len();
        self.descriptors.extend(came);
        let mut out = Vec::new();
        if count == 0 {
            self.ended = true;
            self.channel.end(&mut out);
        } else {
            self.channel.receive(&bytes[..count], descriptors, &mut out);
        }
        self.happenings.extend(out);
    }
}

impl Drop for App {
    fn drop(&mut self) {
        // Fails only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn short(text: &str) -> String {
    if text.len() <= 300 {
        return text.to_owned();
    }
    format!("{}… ({} bytes)", text.chars().take(200).collect::<String>(), text.len())
}
