//! What a daemon knows beyond its list and its processes, for the one that replaces it on the same machine: in memory, never on disk. A
//! record of another version is not read; then the daemon goes on with what it can see.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::AppSpec;
use crate::ClusterBalance;
use crate::keeper::Order;

/// Version of what is written here. Raised whenever the shape of anything in it changes, the core's own state among it.
pub const SNAPSHOT: u32 = 2;

/// All of it, or (as an addition to an earlier one) what has changed since.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Snapshot {
    pub version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clusters: Option<Vec<SavedCluster>>,
    /// What each slot is, and what it is doing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub descriptions: BTreeMap<u32, Description>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub slots: BTreeMap<u32, SavedSlot>,
    /// Slots that are there no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<SavedMemory>,
    /// Orders that were not carried out when this was written, by their numbers. The record's mark says how many are by now.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub orders: BTreeMap<u64, SavedOrder>,
}

/// What a slot is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Description {
    pub spec: AppSpec,
    /// What holds again if the reload under way fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_reload: Option<Box<AppSpec>>,
    pub created_at_ms: u64,
}

/// What a slot is doing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SavedSlot {
    /// In the core's own words.
    pub slot: Box<RawValue>,
    pub started_at_ms: Option<u64>,
    pub reason: Option<String>,
}

/// What is remembered beside slots.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SavedMemory {
    /// In the core's own words.
    pub core: Box<RawValue>,
    pub next_request: u64,
    /// The calls that are reloads.
    pub reloads: Vec<u64>,
    /// The supervisor was ending.
    pub ending: Option<SavedEnding>,
    pub table_generation: u64,
}

/// How a supervisor was about to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SavedEnding {
    /// Everything is to be forgotten.
    Killed,
    /// What was wanted is to be remembered.
    Terminated,
}

/// An order whose carrying out must not be forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SavedOrder {
    Spawn {
        slot: u32,
        run: u64,
    },
    Keeper(Order),
    /// Send the message `'shutdown'`.
    Shutdown {
        run: u64,
    },
    /// Tell a worker to accept nothing any more.
    Drain {
        run: u64,
    },
}

impl Snapshot {
    /// Takes over what a later one says.
    pub fn add(&mut self, later: Self) {
        let Self { version: _, clusters, descriptions, slots, removed, memory, orders } = later;
        for id in &removed {
            self.descriptions.remove(id);
            self.slots.remove(id);
        }
        self.clusters = clusters.or(self.clusters.take());
        self.descriptions.extend(descriptions);
        self.slots.extend(slots);
        self.memory = memory.or(self.memory.take());
        self.orders.extend(orders);
    }
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

    fn slot(text: &str) -> SavedSlot {
        SavedSlot { slot: RawValue::from_string(text.into()).unwrap(), started_at_ms: None, reason: None }
    }

    #[test]
    fn a_record_of_another_version_is_not_read_and_garbage_is_an_error() {
        let order = SavedOrder::Keeper(Order::Release { run: 7 });
        let snapshot = Snapshot {
            version: SNAPSHOT,
            slots: BTreeMap::from([(3, slot(r#"{"any":[1]}"#))]),
            orders: BTreeMap::from([(9, order)]),
            ..Snapshot::default()
        };
        let bytes = to_bytes(&snapshot).unwrap();
        let read = from_bytes(&bytes).unwrap().unwrap();
        assert_eq!(to_bytes(&read).unwrap(), bytes);
        assert!(from_bytes(br#"{"version":999,"clusters":5}"#).unwrap().is_none());
        for cut in 0..bytes.len() {
            assert!(from_bytes(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        assert!(from_bytes(b"{}").is_err());
    }

    #[test]
    fn what_is_added_counts_and_what_it_does_not_name_stays() {
        let mut all = Snapshot { slots: BTreeMap::from([(1, slot("1")), (2, slot("2"))]), ..Snapshot::default() };
        all.clusters = Some(Vec::new());
        all.add(Snapshot {
            removed: vec![1],
            slots: BTreeMap::from([(2, slot("20")), (3, slot("3"))]),
            ..Snapshot::default()
        });
        // An id may be given again.
        all.add(Snapshot { removed: vec![3], slots: BTreeMap::from([(3, slot("30"))]), ..Snapshot::default() });
        let slots: Vec<(u32, &str)> = all.slots.iter().map(|(id, slot)| (*id, slot.slot.get())).collect();
        assert_eq!(slots, [(2, "20"), (3, "30")]);
        assert!(all.clusters.is_some());
    }
}
