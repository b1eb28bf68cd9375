//! Takes connections and gives each a session. One client's trouble is never another's.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net;
use std::rc::Rc;
use std::time::Duration;

use rewake_engine::Handle;
use rewake_unix::{socket, user};
use rewake_wire::{PROTOCOL, Welcome};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::session;

/// When no descriptor is left for a new client, how long to wait for one to come free.
const NO_DESCRIPTOR_PAUSE: Duration = Duration::from_millis(100);
/// Clients at once. Far above what people and programs need; below what would eat the descriptors apps need.
const MOST_CLIENTS: usize = 1000;

/// What every client is told first.
#[derive(Debug)]
pub(crate) struct Greeter {
    pub(crate) keeper_pid: Rc<Cell<u32>>,
    pub(crate) home: String,
}

/// The open door.
#[derive(Debug)]
pub(crate) struct Server {
    accepting: JoinHandle<()>,
    sessions: RefCell<JoinSet<()>>,
    closing: watch::Sender<bool>,
}

impl Server {
    /// Serves on a listening socket.
    pub(crate) fn start(listener: OwnedFd, handle: Handle, greeter: Greeter) -> io::Result<Rc<Self>> {
        let listener = net::UnixListener::from(listener);
        listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(listener)?;
        let (closing, _) = watch::channel(false);
        Ok(Rc::new_cyclic(|server| {
            let accepting = tokio::task::spawn_local(accept(listener, handle, Rc::new(greeter), server.clone()));
            Self { accepting, sessions: RefCell::default(), closing }
        }))
    }

    /// Takes no more clients, and waits until those there have their answers.
    pub(crate) async fn close(&self) {
        self.accepting.abort();
        let _ = self.closing.send(true);
        let mut sessions = self.sessions.take();
        while sessions.join_next().await.is_some() {}
    }

    fn admit(&self, stream: UnixStream, handle: Handle, greeter: &Greeter) {
        let mut sessions = self.sessions.borrow_mut();
        while sessions.try_join_next().is_some() {}
        if sessions.len() >= MOST_CLIENTS {
            tracing::warn!("a client was turned away: {MOST_CLIENTS} are connected");
            return;
        }
        sessions.spawn_local(session::serve(stream, handle, greeter.welcome(), self.closing.subscribe()));
    }
}

impl Greeter {
    fn welcome(&self) -> Welcome {
        Welcome {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            keeper_pid: self.keeper_pid.get(),
            home: self.home.clone(),
        }
    }
}

async fn accept(listener: UnixListener, handle: Handle, greeter: Rc<Greeter>, server: std::rc::Weak<Server>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let Some(server) = server.upgrade() else { return };
                if may_speak(&stream) {
                    server.admit(stream, handle.clone(), &greeter);
                }
            }
            Err(error) => {
                tracing::warn!("no client can be taken right now: {error}");
                tokio::time::sleep(NO_DESCRIPTOR_PAUSE).await;
            }
        }
    }
}

/// The home's owner and root may. The folder is 0700 already; this holds should somebody loosen it.
fn may_speak(stream: &UnixStream) -> bool {
    match socket::peer(stream.as_fd()) {
        Ok(peer) if peer.uid == user::effective() || peer.uid == 0 => true,
        Ok(peer) => {
            tracing::warn!(uid = peer.uid, pid = peer.pid, "a client of another user was turned away");
            false
        }
        Err(error) => {
            tracing::warn!("a client that cannot be identified was turned away: {error}");
            false
        }
    }
}
