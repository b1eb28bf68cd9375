//! How a session is opened, as the JavaScript side writes it. Never a default left to guess.

use std::path::PathBuf;

use serde::Deserialize;

/// Which supervisor the session speaks with.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Open {
    /// The user's daemon, started when there is none.
    Connect {
        /// The home folder; `$REWAKE_HOME` or `~/.rewake` when `None`.
        home: Option<PathBuf>,
        /// The executable that becomes the daemon.
        exe: PathBuf,
    },
    /// An engine of its own inside this process.
    Embed {
        /// The executable that becomes the keeper.
        exe: PathBuf,
    },
}
