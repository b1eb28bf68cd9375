//! The task that owns the socket: writes what is asked, gives each answer to who waits for it. Never waits for
//! the daemon to read before it reads itself, so the two can never wait for each other.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use rewake_wire::{Call, ClientFrame, Decoder, FrameError, Reply, ServerFrame, encode};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};

use crate::ClientError;
use crate::queue::Queue;

/// Bytes that may wait to be written before no further question is taken. The next one waits at its caller.
const MAX_UNWRITTEN_BYTES: usize = 1 << 20;

type Answer = oneshot::Sender<Result<Reply, ClientError>>;

/// What a client wants of its driver. Frames are encoded by the caller, who can be told if that fails.
#[derive(Debug)]
pub(crate) enum Order {
    Call { id: u64, frame: Vec<u8>, answer: Answer },
    Subscribe { id: u64, frame: Vec<u8>, queue: Arc<Queue>, answer: Answer },
}

/// A subscription that nobody reads any more.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) subscription: u64,
    /// Id for the call that ends it at the daemon.
    pub(crate) call: u64,
}

#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) stream: UnixStream,
    pub(crate) decoder: Decoder,
    pub(crate) orders: mpsc::Receiver<Order>,
    pub(crate) ended: mpsc::UnboundedReceiver<Ended>,
    pub(crate) log: PathBuf,
    pub(crate) state: State,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    unwritten: Vec<u8>,
    /// How much of `unwritten` has been written: cutting it off each time would copy a large frame many times over.
    written: usize,
    waiting: HashMap<u64, Answer>,
    subscriptions: HashMap<u64, Arc<Queue>>,
}

impl Driver {
    /// Runs until the connection ends or nobody wants it any more.
    pub(crate) async fn run(mut self) {
        let failure = self.serve().await.err();
        for (_, queue) in self.state.subscriptions.drain() {
            queue.close();
        }
        // Whoever still waits hears it; those whose order was not taken see the closed channel.
        for (_, answer) in self.state.waiting.drain() {
            let error = match &failure {
                Some(Broken::Garbage(source)) => ClientError::Garbage { source: Arc::clone(source) },
                Some(Broken::Closed) | None => ClientError::Lost { log: self.log.clone() },
            };
            answer.send(Err(error)).ok();
        }
    }

    async fn serve(&mut self) -> Result<(), Broken> {
        let mut buffer = vec![0; 64 << 10];
        // What came in the same read as the handshake.
        self.state.dispatch(&mut self.decoder)?;
        loop {
            tokio::select! {
                // In this order: an end of a subscription goes before a question asked after it. Questions cannot starve the
                // answers: once the daemon stops reading, `unwritten` fills up and no more are taken.
                biased;
                Some(ended) = self.ended.recv() => {
                    self.state.unsubscribe(&ended);
                    self.write();
                }
                order = self.orders.recv(), if self.state.unwritten.len() < MAX_UNWRITTEN_BYTES => {
                    let Some(order) = order else { return Ok(()) };
                    self.state.take(order);
                    self.write();
                }
                ready = self.stream.writable(), if !self.state.unwritten.is_empty() => {
                    ready.map_err(|_| Broken::Closed)?;
                    self.write();
                }
                ready = self.stream.readable() => {
                    ready.map_err(|_| Broken::Closed)?;
                    match self.stream.try_read(&mut buffer) {
                        Ok(0) => return Err(Broken::Closed),
                        Ok(count) => {
                            self.decoder.push(&buffer[..count]);
                            self.state.dispatch(&mut self.decoder)?;
                        }
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                        Err(_) => return Err(Broken::Closed),
                    }
                }
            }
        }
    }

    fn write(&mut self) {
        let state = &mut self.state;
        while state.written < state.unwritten.len() {
            match self.stream.try_write(&state.unwritten[state.written..]) {
                Ok(count) => state.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // The daemon may have closed right after an answer that still waits to be read: the read side
                // finds that, and then the end.
                Err(_) => break,
            }
        }
        state.unwritten.clear();
        state.written = 0;
    }
}

impl State {
    /// A question is on its way already.
    pub(crate) fn waits_for(&mut self, id: u64, answer: Answer) {
        self.waiting.insert(id, answer);
    }

    fn take(&mut self, order: Order) {
        let (id, frame, answer) = match order {
            Order::Call { id, frame, answer } => (id, frame, answer),
            Order::Subscribe { id, frame, queue, answer } => {
                // The caller gave up while the order waited here. Its `Ended` may have come first, so this is where
                // the subscription must end.
                if answer.is_closed() {
                    return;
                }
                self.subscriptions.insert(id, queue);
                (id, frame, answer)
            }
        };
        self.waiting.insert(id, answer);
        if self.unwritten.is_empty() {
            self.unwritten = frame;
        } else {
            self.unwritten.extend_from_slice(&frame);
        }
    }

    fn unsubscribe(&mut self, ended: &Ended) {
        if self.subscriptions.remove(&ended.subscription).is_none() {
            return;
        }
        let call = Call::Unsubscribe { subscription: ended.subscription };
        if let Ok(frame) = encode(&ClientFrame { id: ended.call, call }) {
            self.unwritten.extend_from_slice(&frame);
        }
    }

    fn dispatch(&mut self, decoder: &mut Decoder) -> Result<(), Broken> {
        while let Some(frame) = decoder.next_frame::<ServerFrame>().map_err(|error| Broken::Garbage(Arc::new(error)))? {
            match frame {
                ServerFrame::Reply { id, reply } => self.answer(id, Ok(*reply)),
                ServerFrame::Error { id, error } => {
                    self.subscriptions.remove(&id);
                    self.answer(id, Err(ClientError::Refused(error)));
                }
                ServerFrame::Items { id, items } => {
                    if let Some(queue) = self.subscriptions.get(&id) {
                        queue.push(items);
                    }
                }
            }
        }
        Ok(())
    }

    fn answer(&mut self, id: u64, result: Result<Reply, ClientError>) {
        // An unknown id is the answer to an `Unsubscribe`; a closed channel is a caller that gave up.
        if let Some(answer) = self.waiting.remove(&id) {
            answer.send(result).ok();
        }
    }
}

/// Why the connection ended.
#[derive(Debug)]
enum Broken {
    Closed,
    Garbage(Arc<FrameError>),
}
