//! Connects, and starts a daemon first where none runs. Two that do so at once start one; never starts one over a living one.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rewake_unix::lock::{self, Lock};
use rewake_wire::keeper::Startup;

use crate::{Client, ClientError, Home};

/// How long somebody else's daemon may take until it answers: one that starts, or one that ends so that ours can start.
const TAKE_OVER_TIMEOUT: Duration = Duration::from_secs(5);

/// First and longest pause between two tries while a keeper owns the home but nobody listens yet.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

impl Client {
    /// Connects to the daemon of `home`; where none runs, starts one with the executable `exe` and connects to it.
    ///
    /// # Errors
    /// As [`Client::connect`], and when the daemon cannot be started.
    pub async fn connect_or_start(home: &Home, exe: &Path) -> Result<Self, ClientError> {
        match Self::connect(home).await {
            Err(error) if error.is_nobody_listening() => {}
            result => return result,
        }
        // Held until we are connected or have failed: whoever waits for it then finds the daemon.
        let _lock = lock(home).await?;
        let deadline = Instant::now() + TAKE_OVER_TIMEOUT;
        let mut pause = FIRST_PAUSE;
        loop {
            match Self::connect(home).await {
                Err(error) if error.is_nobody_listening() => {}
                result => return result,
            }
            match launch(home, exe).await? {
                Startup::Listening { .. } => return Self::connect(home).await,
                Startup::Failed(reason) => {
                    return Err(ClientError::StartRefused { reason, log: home.daemon_log() });
                }
                // Started by somebody who does not take our lock, or just ending: the next tries tell.
                Startup::Owned if Instant::now() < deadline => tokio::time::sleep(pause).await,
                Startup::Owned => return Err(ClientError::NoAnswer { log: home.daemon_log() }),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Takes the lock on a thread of its own: waiting for it takes as long as another's start.
async fn lock(home: &Home) -> Result<Lock, ClientError> {
    let path = home.path().to_path_buf();
    blocking(move || rewake_unix::home::ensure(&path)).await?.map_err(ClientError::Home)?;
    let file = home.start_lock();
    blocking(move || lock::exclusive(&file))
        .await?
        .map_err(|source| ClientError::Lock { home: home.path().to_path_buf(), source })
}

async fn launch(home: &Home, exe: &Path) -> Result<Startup, ClientError> {
    let (exe_path, home_path): (PathBuf, PathBuf) = (exe.to_path_buf(), home.path().to_path_buf());
    blocking(move || rewake_keeper::launch::launch(&exe_path, &home_path)).await?.map_err(ClientError::Launch)
}

/// Runs `work` off the runtime's threads. Fails when `work` panicked or the runtime ends.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ClientError> {
    tokio::task::spawn_blocking(work).await.map_err(|source| ClientError::Thread { source: source.into() })
}
