//! One client: handshake, requests answered by id in whatever order they finish, subscriptions. A client that sends garbage or
//! stops reading hurts only itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rewake_engine::Handle;
use rewake_wire::{
    Call, ClientFrame, Decoder, ErrorCode, ErrorReply, FrameError, Hello, PROTOCOL, Reply, Request, ServerFrame,
    Subscribe, Welcome, encode,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

/// A client says hello at once; one that does not is not one of ours.
const HELLO_PATIENCE: Duration = Duration::from_secs(10);
/// Requests of one client at once; beyond it, its next ones wait unread.
const REQUESTS_AT_ONCE: usize = 128;
/// Frames that wait for one client to read.
const FRAMES_WAITING: usize = 32;
const READ_BYTES: usize = 16 << 10;

/// Serves one client until it goes, misbehaves, or `closing` turns true.
pub(crate) async fn serve(stream: UnixStream, handle: Handle, welcome: Welcome, mut closing: watch::Receiver<bool>) {
    let (reader, writer) = stream.into_split();
    let (frames, outbox) = mpsc::channel(FRAMES_WAITING);
    let mut session = Session {
        reader,
        decoder: Decoder::default(),
        handle,
        frames,
        slots: Arc::new(Semaphore::new(REQUESTS_AT_ONCE)),
        requests: JoinSet::new(),
        subscriptions: BTreeMap::new(),
        understood: Understood::All,
    };
    let writing = tokio::task::spawn_local(write_out(writer, outbox));
    if let Some(understood) = session.greet(welcome).await {
        session.understood = understood;
        tokio::select! {
            // The client has gone: what it asked for goes on, its answers have nobody to go to.
            () = session.converse() => session.requests.abort_all(),
            _ = closing.wait_for(|closing| *closing) => {}
        }
    }
    session.end().await;
    // Ends when the last frame is written or the client has gone.
    let _ = writing.await;
}

struct Session {
    reader: OwnedReadHalf,
    decoder: Decoder,
    handle: Handle,
    frames: mpsc::Sender<Vec<u8>>,
    slots: Arc<Semaphore>,
    requests: JoinSet<()>,
    subscriptions: BTreeMap<u64, AbortHandle>,
    understood: Understood,
}

/// What client and daemon mean the same by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Understood {
    All,
    /// The client speaks another version of the protocol. Handshake and update are the same in every version, so that each can follow each.
    Update,
}

impl Understood {
    fn includes(self, call: &Call) -> bool {
        self == Self::All || matches!(call, Call::Request(Request::Update { .. } | Request::Updated { .. }))
    }
}

impl Session {
    /// The handshake; `None`: this client is not one to talk to.
    async fn greet(&mut self, welcome: Welcome) -> Option<Understood> {
        let hello = match timeout(HELLO_PATIENCE, self.next::<Hello>()).await {
            Ok(Ok(Some(hello))) if hello.hello == "rewake" => hello,
            Ok(Ok(Some(_)) | Err(_)) => {
                self.refuse(0, ErrorReply::new(ErrorCode::BadRequest, "this is not a rewake client's hello")).await;
                return None;
            }
            Ok(Ok(None)) | Err(_) => return None,
        };
        // The welcome carries our version, so that the client can say which side is older.
        let _ = self.frames.send(encode(&welcome).unwrap_or_default()).await;
        Some(if hello.protocol == PROTOCOL { Understood::All } else { Understood::Update })
    }

    async fn converse(&mut self) {
        loop {
            while self.requests.try_join_next().is_some() {}
            match self.next::<ClientFrame>().await {
                Ok(Some(frame)) if self.understood.includes(&frame.call) => self.take(frame).await,
                Ok(Some(ClientFrame { id, .. })) => {
                    let message = format!("this daemon speaks protocol {PROTOCOL}");
                    return self.refuse(id, ErrorReply::new(ErrorCode::VersionMismatch, message)).await;
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::info!("a client sent what is not a request: {error}");
                    let message = format!("the frame cannot be used: {error}");
                    return self.refuse(0, ErrorReply::new(ErrorCode::BadRequest, message)).await;
                }
            }
        }
    }

    /// The next frame; `None` when the client has gone.
    async fn next<T: serde::de::DeserializeOwned>(&mut self) -> Result<Option<T>, FrameError> {
        let mut bytes = Vec::new();
        loop {
            if let Some(frame) = self.decoder.next_frame()? {
                return Ok(Some(frame));
            }
            bytes.clear();
            bytes.reserve(READ_BYTES);
            match self.reader.read_buf(&mut bytes).await {
                Ok(0) | Err(_) => return Ok(None),
                Ok(_) => self.decoder.push(&bytes),
            }
        }
    }

    async fn take(&mut self, ClientFrame { id, call }: ClientFrame) {
        match call {
            Call::Request(request) => {
                let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else { return };
                // Handed over here, not in the task: one client's requests are taken up in the order in which it made them.
                let answer = match self.handle.submit(request).await {
                    Ok(answer) => answer,
                    Err(error) => return self.refuse(id, error).await,
                };
                let frames = self.frames.clone();
                self.requests.spawn_local(async move {
                    let frame = match answer.await {
                        Ok(reply) => ServerFrame::Reply { id, reply: Box::new(reply) },
                        Err(error) => ServerFrame::Error { id, error },
                    };
                    send(&frames, id, &frame).await;
                    drop(slot);
                });
            }
            Call::Subscribe(wants) => self.subscribe(id, wants).await,
            Call::Unsubscribe { subscription } => {
                if let Some(task) = self.subscriptions.remove(&subscription) {
                    task.abort();
                }
                let reply = Box::new(Reply::Unsubscribed);
                send(&self.frames, id, &ServerFrame::Reply { id, reply }).await;
            }
        }
    }

    async fn subscribe(&mut self, id: u64, wants: Subscribe) {
        let mut subscription = match self.handle.subscribe(wants).await {
            Ok(subscription) => subscription,
            Err(error) => return self.refuse(id, error).await,
        };
        send(&self.frames, id, &ServerFrame::Reply { id, reply: Box::new(Reply::Subscribed) }).await;
        let frames = self.frames.clone();
        let task = self.requests.spawn_local(async move {
            while let Some(items) = subscription.next().await {
                if frames.is_closed() {
                    return;
                }
                send(&frames, id, &ServerFrame::Items { id, items }).await;
            }
        });
        self.subscriptions.insert(id, task);
    }

    async fn refuse(&self, id: u64, error: ErrorReply) {
        send(&self.frames, id, &ServerFrame::Error { id, error }).await;
    }

    /// Lets what was asked be answered, unless the client has gone.
    async fn end(mut self) {
        for task in self.subscriptions.values() {
            task.abort();
        }
        while self.requests.join_next().await.is_some() {}
    }
}

async fn send(frames: &mpsc::Sender<Vec<u8>>, id: u64, frame: &ServerFrame) {
    let bytes = encode(frame).or_else(|error| {
        let error = ErrorReply::new(ErrorCode::Internal, format!("the answer cannot be sent: {error}"));
        encode(&ServerFrame::Error { id, error })
    });
    // A client that has gone needs no answer.
    let _ = frames.send(bytes.unwrap_or_default()).await;
}

async fn write_out(mut writer: OwnedWriteHalf, mut outbox: mpsc::Receiver<Vec<u8>>) {
    while let Some(frame) = outbox.recv().await {
        if writer.write_all(&frame).await.is_err() {
            return;
        }
    }
}
