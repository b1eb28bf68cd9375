//! Errors as clients see them: a stable code, a sentence, a hint. Never an internal type's debug form.

use serde::{Deserialize, Serialize};

/// Stable names of what can go wrong; part of the API (`RewakeError.code` in JavaScript).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorCode {
    /// The request was not understood or a value in it is wrong.
    BadRequest,
    /// No app matches the target.
    NotFound,
    /// An app of this name (or script) runs already.
    AlreadyRunning,
    /// The name belongs to another app.
    NameTaken,
    /// The process is not running, so it cannot be signalled or sent to.
    NotRunning,
    /// The process has no IPC channel, or it is closed.
    NoChannel,
    /// The queue towards the process is full because it does not read.
    QueueFull,
    /// The process could not be made (message says which step failed).
    SpawnFailed,
    /// The process ended before it was ready.
    ExitedEarly,
    /// A later command overtook this one.
    Superseded,
    /// The process does not die, even of SIGKILL.
    CannotBeKilled,
    /// The supervisor is shutting down.
    ShuttingDown,
    /// The new process of a reload was no good; the old one goes on, unless it ended by itself meanwhile.
    ReloadFailed,
    /// Its turn in a reload did not come, because that ended at another instance.
    NotReloaded,
    /// Another reload of it is under way, and this one was not to wait.
    Reloading,
    /// Nothing to save, or nothing was saved.
    NothingSaved,
    /// A file of the home could not be read or written.
    Storage,
    /// The ecosystem file, or an option, is wrong.
    BadConfig,
    /// The supervisor could not be reached or started.
    Unreachable,
    /// The other side speaks another protocol version.
    VersionMismatch,
    /// The new executable of an update is no good, or this is no moment for one; the old one goes on.
    UpdateRefused,
    /// The call was aborted by its caller.
    Aborted,
    /// A bug of ours.
    Internal,
}

impl ErrorCode {
    /// The code as text, `NOT_FOUND`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "BAD_REQUEST",
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyRunning => "ALREADY_RUNNING",
            Self::NameTaken => "NAME_TAKEN",
            Self::NotRunning => "NOT_RUNNING",
            Self::NoChannel => "NO_CHANNEL",
            Self::QueueFull => "QUEUE_FULL",
            Self::SpawnFailed => "SPAWN_FAILED",
            Self::ExitedEarly => "EXITED_EARLY",
            Self::Superseded => "SUPERSEDED",
            Self::CannotBeKilled => "CANNOT_BE_KILLED",
            Self::ShuttingDown => "SHUTTING_DOWN",
            Self::ReloadFailed => "RELOAD_FAILED",
            Self::NotReloaded => "NOT_RELOADED",
            Self::Reloading => "RELOADING",
            Self::NothingSaved => "NOTHING_SAVED",
            Self::Storage => "STORAGE",
            Self::BadConfig => "BAD_CONFIG",
            Self::Unreachable => "UNREACHABLE",
            Self::VersionMismatch => "VERSION_MISMATCH",
            Self::UpdateRefused => "UPDATE_REFUSED",
            Self::Aborted => "ABORTED",
            Self::Internal => "INTERNAL",
        }
    }
}

/// One error as a reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ErrorReply {
    pub code: ErrorCode,
    /// What failed and on what, fit to be shown.
    pub message: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl ErrorReply {
    /// An error without a hint.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    /// The same error with advice.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
