//! What a keeper leaves to the executable that takes its place in the same process: everything it knows, as JSON in a memfd.
//! Descriptors are numbers, which stay what they are. Never read by anybody else.

use serde::{Deserialize, Serialize};

use crate::keeper::{Exit, FdKind, Role, UpdateOutcome};
use crate::snapshot::SNAPSHOT;
use crate::store::FORMAT;

/// Version of this form.
pub const HANDOVER: u32 = 2;

/// Largest handover, bytes. A run takes some hundreds.
pub const MAX_HANDOVER_BYTES: usize = 64 << 20;

/// What is read first, whatever the version of the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    pub handover: u32,
    /// Of the record that the present daemon leaves to the next.
    pub snapshot: u32,
    /// Of the table on disk.
    pub table: u32,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {
    pub versions: Versions,
    pub lock: i32,
    pub listener: i32,
    pub role: Role,
    /// What the daemon is started with, where that is not as usual: its arguments behind the program, as bytes.
    pub daemon: Option<Vec<Vec<u8>>>,
    pub next_run: u64,
    pub runs: Vec<HandedRun>,
    pub kept: Vec<(String, i32)>,
    /// How the last updates ended; the one at the end is this.
    pub updates: Vec<UpdateOutcome>,
    /// The former executable, to go back to when the new one's daemon does not come up; `None`: this is the way back.
    pub former: Option<i32>,
}

/// One run. What is left of an ended one's tree is looked for anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedRun {
    pub run: u64,
    pub tag: String,
    pub pid: u32,
    pub started_at_ms: u64,
    pub fds: Vec<(FdKind, i32)>,
    pub exit: Option<Exit>,
    pub tree_gone: bool,
    pub reaped: bool,
    /// It is no child of the keeper.
    pub foreign: bool,
    pub members: Vec<(u32, i32)>,
    pub treekill: bool,
    pub orphan_signal: i32,
    pub orphan_timeout_ms: u64,
}

impl Versions {
    /// Those of this build.
    pub const OURS: Self = Self { handover: HANDOVER, snapshot: SNAPSHOT, table: FORMAT };

    /// Why this build cannot go on from what is of these versions.
    #[must_use]
    pub fn obstacle(self) -> Option<String> {
        let Self { handover, snapshot, table } = self;
        let of = |what: &str, theirs: u32, ours: u32| {
            (theirs != ours).then(|| format!("{what} is of version {theirs}, this executable reads {ours}"))
        };
        of("what the keeper hands over", handover, HANDOVER)
            .or_else(|| of("the daemon's record", snapshot, SNAPSHOT))
            .or_else(|| of("the list on disk", table, FORMAT))
    }
}

/// The handover in these bytes.
///
/// # Errors
/// A sentence: it is of another version, or damaged.
pub fn from_bytes(bytes: &[u8]) -> Result<Handover, String> {
    #[derive(Deserialize)]
    struct First {
        versions: Versions,
    }
    let damaged = |error: serde_json::Error| format!("what the keeper hands over cannot be read: {error}");
    let First { versions } = serde_json::from_slice(bytes).map_err(damaged)?;
    match versions.obstacle() {
        Some(obstacle) => Err(obstacle),
        None => serde_json::from_slice(bytes).map_err(damaged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_is_named_and_garbage_is_an_error() {
        let bytes =
            |handover: u32| format!(r#"{{"versions":{{"handover":{handover},"snapshot":{SNAPSHOT},"table":1}}}}"#);
        assert!(from_bytes(bytes(99).as_bytes()).unwrap_err().contains("version 99"));
        assert!(from_bytes(bytes(HANDOVER).as_bytes()).unwrap_err().contains("cannot be read"));
        assert!(from_bytes(b"{").is_err());
    }
}
