//! What can go wrong between a client and the daemon. Never a debug form: each is a sentence, with advice kept apart.

use std::path::PathBuf;
use std::sync::Arc;

use rewake_keeper::LaunchError;
use rewake_unix::home::HomeError;
use rewake_wire::{ErrorCode, ErrorReply, FrameError, PROTOCOL};

/// Why a connection or a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Neither `REWAKE_HOME` nor `HOME` is set.
    #[error("find a home folder: neither `REWAKE_HOME` nor `HOME` is set")]
    NoHome,
    /// The home's path cannot be used.
    #[error("use the home `{}`", home.display())]
    BadHome {
        home: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// No daemon runs in this home.
    #[error("reach the daemon: none runs in `{}`", home.display())]
    NobodyListens { home: PathBuf },
    /// The socket is there but cannot be used.
    #[error("connect to `{}`", socket.display())]
    Connect {
        socket: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// The daemon did not answer in time.
    #[error("reach the daemon: it does not answer")]
    NoAnswer { log: PathBuf },
    /// The home cannot be made, or is not ours.
    #[error(transparent)]
    Home(HomeError),
    /// A thread of this program could not do its work.
    #[error("start the daemon")]
    Thread {
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The lock of the home could not be taken.
    #[error("start the daemon in `{}`", home.display())]
    Lock {
        home: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// The daemon's executable could not be run.
    #[error(transparent)]
    Launch(LaunchError),
    /// The daemon said why it could not start.
    #[error("start the daemon: {reason}")]
    StartRefused { reason: String, log: PathBuf },
    /// The connection ended before the answer.
    #[error("talk to the daemon: the connection was lost")]
    Lost { log: PathBuf },
    /// The daemon sent what this client cannot read.
    #[error("read the daemon's answer")]
    Garbage {
        #[source]
        source: Arc<FrameError>,
    },
    /// The request is too large to be sent.
    #[error("send the request")]
    Unsendable {
        #[source]
        source: FrameError,
    },
    /// The two sides speak different protocols.
    #[error("talk to the daemon: it speaks protocol {theirs} (version {version}), this program {PROTOCOL} (version {})", env!("CARGO_PKG_VERSION"))]
    Version { theirs: u32, version: String },
    /// The daemon answered something that does not fit the question.
    #[error("understand the daemon's answer to `{asked}`")]
    Unexpected { asked: &'static str },
    /// The daemon refused the request.
    #[error("{0}")]
    Refused(ErrorReply),
}

impl ClientError {
    /// Whether there is simply no daemon, so that one could be started.
    #[must_use]
    pub fn is_nobody_listening(&self) -> bool {
        matches!(self, Self::NobodyListens { .. })
    }

    /// This error as the daemon itself would have sent it: code, whole sentence, hint.
    #[must_use]
    pub fn to_reply(&self) -> ErrorReply {
        if let Self::Refused(reply) = self {
            return reply.clone();
        }
        let reply = ErrorReply::new(self.code(), format!("failed to {}", self.chain()));
        match self.hint() {
            Some(hint) => reply.with_hint(hint),
            None => reply,
        }
    }

    fn code(&self) -> ErrorCode {
        match self {
            Self::Version { .. } => ErrorCode::VersionMismatch,
            Self::Unsendable { .. } => ErrorCode::BadRequest,
            Self::Unexpected { .. } => ErrorCode::Internal,
            Self::Refused(reply) => reply.code,
            Self::NoHome
            | Self::BadHome { .. }
            | Self::NobodyListens { .. }
            | Self::Connect { .. }
            | Self::NoAnswer { .. }
            | Self::Home(_)
            | Self::Thread { .. }
            | Self::Lock { .. }
            | Self::Launch(_)
            | Self::StartRefused { .. }
            | Self::Lost { .. }
            | Self::Garbage { .. } => ErrorCode::Unreachable,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoHome => Some("set REWAKE_HOME to a folder of your own".into()),
            Self::NobodyListens { .. } => Some("any `rewake start` starts it".into()),
            Self::NoAnswer { log } | Self::Lost { log } | Self::StartRefused { log, .. } => {
                Some(format!("its log is {}", log.display()))
            }
            Self::Version { theirs, .. } if *theirs < PROTOCOL => Some(
                "the daemon is older than this program: `rewake update` puts this one in its place, and no process is touched"
                    .into(),
            ),
            Self::Version { .. } => {
                Some("this program is older than the daemon: install the version the daemon has".into())
            }
            Self::Connect { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                Some("the daemon belongs to another user".into())
            }
            Self::Garbage { .. } => Some("something else than a Rewake daemon may own the socket".into()),
            Self::Home(error) => Some(error.hint()),
            Self::Launch(error) => error.hint(),
            Self::Thread { .. }
            | Self::BadHome { .. }
            | Self::Connect { .. }
            | Self::Lock { .. }
            | Self::Unsendable { .. }
            | Self::Unexpected { .. }
            | Self::Refused(_) => None,
        }
    }

    /// The message with its causes, `a: b: c`.
    fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_mismatch_says_which_side_is_older() {
        let older = ClientError::Version { theirs: PROTOCOL - 1, version: "0.0.9".into() }.to_reply();
        assert_eq!(older.code, ErrorCode::VersionMismatch);
        assert!(older.hint.unwrap().contains("the daemon is older"));
        let newer = ClientError::Version { theirs: PROTOCOL + 1, version: "9.0.0".into() }.to_reply();
        assert!(newer.hint.unwrap().contains("this program is older"));
        assert!(newer.message.contains("9.0.0"), "{}", newer.message);
    }

    #[test]
    fn causes_are_told_once_and_a_refusal_passes_as_it_is() {
        let error = ClientError::Connect {
            socket: "/h/rpc.sock".into(),
            source: std::io::Error::from(std::io::ErrorKind::PermissionDenied),
        };
        assert_eq!(error.to_reply().message, "failed to connect to `/h/rpc.sock`: permission denied");
        let refusal = ErrorReply::new(ErrorCode::NotFound, "no app `x`").with_hint("see `rewake list`");
        assert_eq!(ClientError::Refused(refusal.clone()).to_reply(), refusal);
    }
}
