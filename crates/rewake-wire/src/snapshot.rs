//! What a daemon knows beyond its list and its processes, for the one that replaces it on the same machine: in memory, never on disk. A
//! record of another version is not read; then the daemon goes on with what it can see.

use serde::{Deserialize, Serialize};

use crate::ClusterBalance;

/// Version of what is written here.
pub const SNAPSHOT: u32 = 1;

/// All of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    pub version: u32,
    #[serde(default)]
    pub clusters: Vec<SavedCluster>,
}

/// The cluster of one app.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedCluster {
    pub name: String,
    pub namespace: String,
    pub balance: ClusterBalance,
    pub addresses: Vec<SavedAddress>,
}

/// One listening address. The sockets themselves are with the keeper.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedAddress {
    /// The cluster protocol's key.
    pub key: String,
    pub listen: SavedListen,
    /// The cluster protocol's `data`, JSON text.
    pub data: String,
    pub holders: Vec<SavedHolder>,
    /// Empty where all share one socket.
    #[serde(default)]
    pub seats: Vec<SavedSeat>,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SavedListen {
    Tcp { host: Option<String>, port: u16, ipv6_only: bool },
    Unix { path: String, readable_all: bool, writable_all: bool },
    Udp { host: Option<String>, port: u16, ipv6: bool, ipv6_only: bool, reuse_address: bool },
}

/// A worker that has the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedHolder {
    pub run: u64,
    /// Number of its question.
    pub seq: i64,
}

/// Who listens on one socket of several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedSeat {
    pub holders: Vec<u64>,
    /// Slot and run of who came last.
    pub last: Option<(u32, u64)>,
}

/// The bytes of a record.
///
/// # Errors
/// When it cannot be JSON.
pub fn to_bytes(snapshot: &Snapshot) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(snapshot)
}

/// The record in these bytes; `None` for one of another version.
///
/// # Errors
/// When it is damaged.
pub fn from_bytes(bytes: &[u8]) -> Result<Option<Snapshot>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let Version { version } = serde_json::from_slice(bytes)?;
    if version != SNAPSHOT {
        return Ok(None);
    }
    serde_json::from_slice(bytes).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_another_version_is_not_read_and_garbage_is_an_error() {
        let snapshot = Snapshot { version: SNAPSHOT, clusters: Vec::new() };
        assert_eq!(from_bytes(&to_bytes(&snapshot).unwrap()).unwrap(), Some(snapshot));
        assert_eq!(from_bytes(br#"{"version":999,"clusters":5}"#).unwrap(), None);
        assert!(from_bytes(b"{").is_err());
        assert!(from_bytes(b"{}").is_err());
    }
}
