//! From a home to a live connection: connect, handshake, driver. Bounded in time; never starts a daemon.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use rewake_wire::{Call, ClientFrame, Decoder, ErrorReply, Hello, PROTOCOL, Reply, Request, Welcome, encode};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};

use crate::client::Link;
use crate::driver::{Driver, State};
use crate::{Client, ClientError, Home};

/// Longest time for connect and handshake. The daemon answers in microseconds; while it is being started again by its
/// keeper, in tens of milliseconds. Past this it hangs.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Pause between two tries while the daemon's queue of new connections is full: the kernel tells nobody when it is not.
const FULL_QUEUE_PAUSE: Duration = Duration::from_millis(10);

/// Orders that may wait for the driver.
const ORDERS: usize = 64;

impl Client {
    /// Connects to the daemon of `home`. Must be called inside a tokio runtime with I/O and time; the connection lives
    /// on a task of it.
    ///
    /// # Errors
    /// [`ClientError::NobodyListens`] when there is no daemon; others when it hangs, belongs to another user, or speaks another protocol.
    pub async fn connect(home: &Home) -> Result<Self, ClientError> {
        Self::connect_within(home, HANDSHAKE_TIMEOUT).await
    }

    /// As [`Client::connect`], to a daemon of any version: for `Update` and `Updated`, which are the same in all of them.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub async fn connect_for_update(home: &Home) -> Result<Self, ClientError> {
        Ok(within(home, HANDSHAKE_TIMEOUT, connect(home, whatever_it_speaks, None)).await?.0)
    }

    /// As [`Client::connect`], with a question that goes along with the hello, and its answer: on a busy machine each way to the daemon and
    /// back takes milliseconds. For questions that change nothing ([`Request::changes_nothing`]): where the handshake fails, nobody says
    /// whether it was heard.
    ///
    /// # Errors
    /// As [`Client::connect`]; what the question met is beside the client.
    pub async fn connect_asking(
        home: &Home,
        question: Request,
    ) -> Result<(Self, Result<Reply, ClientError>), ClientError> {
        let (client, answered) = within(home, HANDSHAKE_TIMEOUT, connect(home, check, Some(question))).await?;
        let answer = answered.await.unwrap_or_else(|_| Err(client.link.lost()));
        Ok((client, answer))
    }

    pub(crate) async fn connect_within(home: &Home, timeout: Duration) -> Result<Self, ClientError> {
        Ok(within(home, timeout, connect(home, check, None)).await?.0)
    }
}

async fn within<T>(
    home: &Home,
    timeout: Duration,
    connecting: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    match tokio::time::timeout(timeout, connecting).await {
        Ok(result) => result,
        Err(_) => Err(ClientError::NoAnswer { log: home.daemon_log() }),
    }
}

/// The number of the question that goes along with the hello.
const FIRST_ID: u64 = 1;

async fn connect(
    home: &Home,
    check: fn(First) -> Result<Welcome, ClientError>,
    question: Option<Request>,
) -> Result<(Client, oneshot::Receiver<Result<Reply, ClientError>>), ClientError> {
    let mut opening = sendable(&Hello::ours())?;
    let mut state = State::default();
    let (answer, answered) = oneshot::channel();
    if let Some(question) = question {
        opening.extend(sendable(&ClientFrame { id: FIRST_ID, call: Call::Request(question) })?);
        state.waits_for(FIRST_ID, answer);
    }
    let mut stream = open(home).await?;
    let mut decoder = Decoder::default();
    let welcome = check(handshake(&mut stream, &opening, &mut decoder, home).await?)?;
    let (orders, orders_taken) = mpsc::channel(ORDERS);
    let (ended, ended_taken) = mpsc::unbounded_channel();
    let log = home.daemon_log();
    let driver = Driver { stream, decoder, orders: orders_taken, ended: ended_taken, log: log.clone(), state };
    tokio::spawn(driver.run());
    let next_id = AtomicU64::new(FIRST_ID + 1);
    Ok((Client { link: Arc::new(Link { orders, ended, next_id, welcome, log }) }, answered))
}

fn sendable(frame: &impl Serialize) -> Result<Vec<u8>, ClientError> {
    encode(frame).map_err(|source| ClientError::Unsendable { source })
}

async fn open(home: &Home) -> Result<UnixStream, ClientError> {
    let socket = home.socket();
    loop {
        let stream = rewake_unix::socket::connect_now(&socket).and_then(|fd| UnixStream::from_std(fd.into()));
        match stream.map_err(|source| (source.kind(), source)) {
            Ok(stream) => return Ok(stream),
            // The queue of those who wait to be accepted is full: the daemon is busy, or hangs. The caller's time limit tells.
            Err((ErrorKind::WouldBlock, _)) => tokio::time::sleep(FULL_QUEUE_PAUSE).await,
            // A home that is a file has no daemon either; starting one tells what is wrong with it.
            Err((ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::NotADirectory, _)) => {
                return Err(ClientError::NobodyListens { home: home.path().to_path_buf() });
            }
            // An unreadable home, no descriptors left: the source says which.
            Err((_, source)) => return Err(ClientError::Connect { socket, source }),
        }
    }
}

async fn handshake(
    stream: &mut UnixStream,
    opening: &[u8],
    decoder: &mut Decoder,
    home: &Home,
) -> Result<First, ClientError> {
    let lost = |_| ClientError::Lost { log: home.daemon_log() };
    stream.write_all(opening).await.map_err(lost)?;
    // An older or newer `Welcome` must be read far enough to say so, hence no driver yet.
    let mut buffer = vec![0; 16 << 10];
    loop {
        if let Some(first) = decoder.next_frame().map_err(|error| ClientError::Garbage { source: Arc::new(error) })? {
            return Ok(first);
        }
        match stream.read(&mut buffer).await.map_err(lost)? {
            0 => return Err(ClientError::Lost { log: home.daemon_log() }),
            count => decoder.push(&buffer[..count]),
        }
    }
}

/// What may come first. A refusal is told apart from a greeting, and the greeting of a foreign version needs no more than
/// the two fields that every version has.
#[derive(Deserialize)]
#[serde(untagged)]
enum First {
    Welcome(Welcome),
    Foreign { protocol: u32, version: String },
    Refused { error: Refusal },
}

#[derive(Deserialize)]
struct Refusal {
    error: ErrorReply,
}

fn whatever_it_speaks(first: First) -> Result<Welcome, ClientError> {
    match first {
        First::Welcome(welcome) => Ok(welcome),
        First::Foreign { protocol, version } => {
            Ok(Welcome { protocol, version, pid: 0, keeper_pid: 0, home: String::new() })
        }
        First::Refused { error } => Err(ClientError::Refused(error.error)),
    }
}

fn check(first: First) -> Result<Welcome, ClientError> {
    match first {
        First::Welcome(welcome) if welcome.protocol == PROTOCOL => Ok(welcome),
        First::Welcome(Welcome { protocol: theirs, version, .. }) | First::Foreign { protocol: theirs, version } => {
            Err(ClientError::Version { theirs, version })
        }
        First::Refused { error } => Err(ClientError::Refused(error.error)),
    }
}
