//! `runtime`: runs apps in the foreground, as the first process of a container or any other. The process of the command becomes the
//! keeper; its daemon is this executable again, which starts the apps, writes their output, and knows when nothing is left to run.

mod at_rest;
mod host;
mod output;
mod place;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rewake_keeper::{Config, KeeperError, Mode};
use rewake_wire::{ErrorCode, ErrorReply};

use super::session::executable;
use crate::ui::Ui;

pub(crate) use host::host;

/// Is the keeper until everything has ended; gives the exit code.
///
/// # Errors
/// When it cannot become one.
pub(crate) fn keep(words: &[String], ui: &Ui) -> Result<u8, ErrorReply> {
    let home = place::choose(ui);
    let folder = std::env::current_dir().map_err(|error| {
        ErrorReply::new(ErrorCode::BadConfig, format!("failed to find the working folder: {error}"))
    })?;
    let home_word = home.as_deref().map_or_else(OsString::new, |home: &Path| home.as_os_str().to_owned());
    let head: [OsString; 4] = [executable().into(), "--runtime".into(), home_word, PathBuf::into_os_string(folder)];
    let daemon = head.into_iter().chain(words.iter().map(OsString::from)).collect();
    let config = Config { mode: Mode::Foreground { home }, daemon: Some(daemon), without_group_signals: false };
    rewake_keeper::run(config).map_err(|error| refusal(&error))
}

fn refusal(error: &KeeperError) -> ErrorReply {
    let mut text = format!("failed to {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    let reply = ErrorReply::new(ErrorCode::Internal, text);
    match error {
        KeeperError::Owned { .. } => reply.with_hint("`rewake kill` ends it, or choose another home with REWAKE_HOME"),
        KeeperError::Home(_)
        | KeeperError::Lock { .. }
        | KeeperError::Log { .. }
        | KeeperError::Socket { .. }
        | KeeperError::Setup { .. } => reply,
    }
}
