//! Why a keeper cannot start, as the keeper and its starter see it. Never holds an environment.

use std::io;
use std::path::PathBuf;

use rewake_unix::home::HomeError;

/// Why a keeper could not start. Once it runs it survives what happens to it.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    #[error("prepare the home")]
    Home(#[source] HomeError),
    #[error("lock `{}`", path.display())]
    Lock {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("use `{}`: a supervisor runs there already", home.display())]
    Owned { home: PathBuf },
    #[error("open `{}`", path.display())]
    Log {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("listen on `{}`", path.display())]
    Socket {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A step that only fails on a system out of descriptors or too old.
    #[error("set up the keeper ({step})")]
    Setup {
        step: &'static str,
        #[source]
        source: io::Error,
    },
}

impl KeeperError {
    pub(crate) fn setup(step: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Setup { step, source }
    }
}

/// Why a keeper could not be started by a client or a host program.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    #[error("prepare the home")]
    Home(#[source] HomeError),
    #[error("open `{}`", path.display())]
    Log {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("start `{}`", exe.display())]
    Start {
        exe: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("start the supervisor: it ended without a word")]
    Silent { log: PathBuf },
    #[error("start the supervisor: no answer within {seconds} s")]
    Slow { log: PathBuf, seconds: u64 },
}

impl LaunchError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Home(error) => Some(error.hint()),
            Self::Log { .. } => None,
            Self::Start { exe, .. } => Some(format!("check that {} is there and executable", exe.display())),
            Self::Silent { log } | Self::Slow { log, .. } => Some(format!("see {}", log.display())),
        }
    }
}
