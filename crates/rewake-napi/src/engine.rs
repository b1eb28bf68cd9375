//! An engine of our own behind a session, run on the session's thread, and its keeper, a child of this process. Never leaves the
//! keeper behind as a zombie.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rewake_engine::{Ended, EngineError, Handle, Options};
use rewake_keeper::Embedded;
use rewake_unix::pidfd;
use rewake_wire::{ErrorCode, ErrorReply};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::{JoinError, JoinHandle, spawn_local};
use tokio::time::timeout;

/// How long an engine that failed waits for its keeper, which gives each worker its `kill_timeout`; by default 1.6 s.
const KEEPER_PATIENCE: Duration = Duration::from_secs(10);

/// Tells when an engine has ended.
#[derive(Debug)]
pub(crate) struct Running(JoinHandle<Result<Ended, EngineError>>);

/// Starts a keeper and an engine over it. It ends on `Request::Kill`, or when the last handle is gone.
///
/// # Errors
/// When the keeper cannot be started.
pub(crate) fn embed(exe: &Path) -> Result<(Handle, Running), ErrorReply> {
    let Embedded { link, pid: _, pidfd } = rewake_keeper::launch_embedded(exe).map_err(|error| failed(&error))?;
    let (handle, engine) = rewake_engine::embed(link, Options::default()).map_err(|error| failed(&error))?;
    let task = spawn_local(async move {
        let ended = engine.run().await;
        reap(pidfd).await;
        ended
    });
    Ok((handle, Running(task)))
}

/// Takes the keeper's exit.
async fn reap(pidfd: OwnedFd) {
    // SAFETY: the descriptor is owned by the `AsyncFd`, which never gives another one for it, until both are dropped.
    let Ok(keeper) = (unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) }) else { return };
    // An error, here and below: a program that reaps every child has been faster.
    let _ = timeout(KEEPER_PATIENCE, keeper.readable()).await;
    let _ = pidfd::wait(keeper.get_ref().as_fd(), false);
}

impl Running {
    /// Waits for the end. Not to be called again after that.
    ///
    /// # Errors
    /// When the engine did not end in order: it lost its keeper.
    pub(crate) async fn wait(&mut self) -> Result<(), ErrorReply> {
        let joined: Result<_, JoinError> = (&mut self.0).await;
        match joined {
            Ok(Ok(Ended::Killed | Ended::Terminated | Ended::HandedOver)) => Ok(()),
            Ok(Err(error)) => Err(failed(&error)),
            Err(_) => Err(ErrorReply::new(ErrorCode::Internal, "a bug in Rewake ended the engine")),
        }
    }
}

/// `failed to a: b: c`.
fn failed(error: &dyn std::error::Error) -> ErrorReply {
    let mut text = format!("failed to {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    ErrorReply::new(ErrorCode::Unreachable, text)
}
