//! Clients of the apps: small, with a bound on every wait.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rust_tests::home::{PATIENCE, until};

/// A stream to a server, TCP or not.
pub(crate) trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// A connection that neither connects nor reads for longer than the patience of the tests.
pub(crate) fn connect(address: impl ToSocketAddrs) -> Result<TcpStream, String> {
    let address: SocketAddr = address.to_socket_addrs().unwrap().next().unwrap();
    let stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    Ok(stream)
}

/// As [`connect`], from one of this machine's own addresses: some servers give one client to one worker.
pub(crate) fn connect_from(client: u8, port: u16) -> Result<TcpStream, String> {
    let stream = rust_tests::net::connect_from([127, 0, 6, client], port).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    Ok(stream)
}

/// As [`connect`], for a socket in the file system.
pub(crate) fn connect_unix(path: &Path) -> Result<UnixStream, String> {
    let stream = UnixStream::connect(path).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    Ok(stream)
}

/// All that a server sends on a new connection.
pub(crate) fn read_all(mut stream: impl Stream) -> Result<String, String> {
    let mut text = String::new();
    stream.read_to_string(&mut text).map_err(|error| error.to_string())?;
    Ok(text)
}

/// The body of the answer to one request, on a connection of its own.
pub(crate) fn get(port: u16) -> Result<String, String> {
    ask(connect(("127.0.0.1", port))?, "/")
}

/// As [`get`], from another address.
pub(crate) fn get_from(client: u8, port: u16) -> Result<String, String> {
    ask(connect_from(client, port)?, "/")
}

/// The body of the answer to one request.
pub(crate) fn ask(mut stream: TcpStream, path: &str) -> Result<String, String> {
    // The old version, so that the body comes in one piece.
    let request = format!("GET {path} HTTP/1.0\r\nHost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
    let text = read_all(stream)?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| format!("no answer: {text:?}"))?;
    if head.starts_with("HTTP/1.1 200") { Ok(body.to_owned()) } else { Err(head.to_owned()) }
}

/// A client that thinks for longer between two requests may find that its connection has been ended: half the time that a server which
/// is told to go leaves it.
const PROMPT: Duration = Duration::from_millis(500);

/// A connection that is kept, and asked again and again.
#[derive(Debug)]
pub(crate) struct Kept {
    stream: TcpStream,
    /// The server has said that it was the last answer.
    pub(crate) is_over: bool,
    answered_at: Instant,
    /// The last request came late.
    pub(crate) was_late: bool,
}

impl Kept {
    /// From an address of the client's own.
    pub(crate) fn open(client: u8, port: u16) -> Result<Self, String> {
        Ok(Self { stream: connect_from(client, port)?, is_over: false, answered_at: Instant::now(), was_late: false })
    }

    /// The body of the answer to one more request. The server must tell its length.
    pub(crate) fn get(&mut self) -> Result<String, String> {
        let asked = self.stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        self.was_late = self.answered_at.elapsed() >= PROMPT;
        asked.map_err(|error| error.to_string())?;
        let (mut seen, mut buffer) = (String::new(), [0; 4096]);
        loop {
            let count = match self.stream.read(&mut buffer) {
                Ok(0) => return Err(format!("closed by the server after {seen:?}")),
                Ok(count) => count,
                // A stopped process that goes on hears of it here.
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if seen.is_empty() => return Err(error.to_string()),
                Err(_) => return Err(format!("cut by the server after {seen:?}")),
            };
            seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
            let Some((head, body)) = seen.split_once("\r\n\r\n") else { continue };
            let head = head.to_ascii_lowercase();
            let length = head.split_once("content-length: ").and_then(|(_, rest)| rest.lines().next()?.parse().ok());
            let length: usize = length.ok_or_else(|| format!("no length: {head}"))?;
            if body.len() >= length {
                self.is_over = head.contains("connection: close");
                self.answered_at = Instant::now();
                return Ok(body[..length].to_owned());
            }
        }
    }

    /// Whether the server ends the connection, without another word, within the patience of the tests.
    pub(crate) fn ends(&mut self) -> bool {
        matches!(self.stream.read(&mut [0; 1]), Ok(0))
    }
}

/// Requests without end, until stopped: half of the clients with a connection for each, half with one that they keep.
#[derive(Debug)]
pub(crate) struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<Counted>>,
}

/// What the clients of a load and its owner share.
#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    answered: AtomicU64,
}

impl Shared {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }
}

/// What came of a load.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    pub(crate) answered: u64,
    /// How often each process has answered.
    pub(crate) by: BTreeMap<String, u64>,
    pub(crate) failed: Vec<String>,
}

impl Counted {
    fn count(&mut self, answer: Result<String, String>, kind: &str, shared: &Shared) {
        match answer {
            Ok(by) => {
                self.answered += 1;
                shared.answered.fetch_add(1, Ordering::Relaxed);
                *self.by.entry(by).or_default() += 1;
            }
            Err(error) => self.failed.push(format!("{kind}: {error}")),
        }
    }
}

impl Load {
    /// Two clients of each kind, each with an address of its own.
    pub(crate) fn begin(port: u16) -> Self {
        let shared = Arc::new(Shared::default());
        let client = |client: u8| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || {
                if client.is_multiple_of(2) {
                    kept_on(client, port, &shared)
                } else {
                    one_by_one(client, port, &shared)
                }
            })
        };
        let clients = (1..=4).map(client).collect();
        Self { shared, clients }
    }

    /// Waits until so many more requests were answered than up to now.
    pub(crate) fn wait_for(&self, more: u64) {
        let answered = || self.shared.answered.load(Ordering::Relaxed);
        let enough = answered() + more;
        until("enough requests were answered", || answered() >= enough);
    }

    pub(crate) fn end(self) -> Counted {
        self.shared.stop.store(true, Ordering::Relaxed);
        let mut all = Counted::default();
        for client in self.clients {
            let one = client.join().unwrap();
            all.answered += one.answered;
            all.failed.extend(one.failed);
            for (by, count) in one.by {
                *all.by.entry(by).or_default() += count;
            }
        }
        all
    }
}

/// Whether a connection has ended without one byte of an answer.
pub(crate) fn is_unanswered(error: &str) -> bool {
    let ends = ["reset", "Broken pipe", "no answer: \"\"", "closed by the server after \"\""];
    ends.iter().any(|end| error.contains(end))
}

/// What a client thinks between two requests: long enough to find a server that ends an idle connection, and to leave the machine
/// to others.
const PACE: Duration = Duration::from_millis(2);

fn one_by_one(client: u8, port: u16, shared: &Shared) -> Counted {
    let mut counted = Counted::default();
    while shared.goes_on() {
        counted.count(get_from(client, port), "alone", shared);
        std::thread::sleep(PACE);
    }
    counted
}

fn kept_on(client: u8, port: u16, shared: &Shared) -> Counted {
    let mut counted = Counted::default();
    let mut kept = None;
    while shared.goes_on() {
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => match Kept::open(client, port) {
                Ok(connection) => connection,
                Err(error) => {
                    counted.failed.push(format!("kept, new: {error}"));
                    continue;
                }
            },
        };
        let answer = connection.get();
        let goes_on = answer.is_ok() && !connection.is_over;
        if answer.as_ref().is_err_and(|error| connection.was_late && is_unanswered(error)) {
            continue;
        }
        counted.count(answer, "kept", shared);
        kept = goes_on.then_some(connection);
        std::thread::sleep(PACE);
    }
    counted
}
