//! Files that survive: the table of apps and the dump. A header line with a checksum, then JSON; never trusted unchecked.

use serde::{Deserialize, Serialize};

use crate::AppSpec;

/// Version of the file format.
pub const FORMAT: u32 = 1;

/// First line of a stored file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    rewake: String,
    format: u32,
    /// Bytes of the body.
    length: u64,
    /// CRC-32 (IEEE) of the body.
    crc32: u32,
}

/// Every slot that is listed, and how the last daemon ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Raised by one each time the table is written.
    pub generation: u64,
    /// Runs below this number have been used.
    pub next_run: u64,
    /// The daemon stopped everything and ended in order: nothing is to be started before somebody asks.
    pub ended_in_order: bool,
    pub slots: Vec<StoredSlot>,
}

/// One slot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredSlot {
    pub id: u32,
    pub instance: u32,
    /// Whether it ought to run.
    pub up: bool,
    pub created_at_ms: u64,
    pub restarts: u32,
    /// Runs below this number were on their way out when this was written.
    #[serde(default)]
    pub oldest_run: u64,
    pub spec: AppSpec,
}

/// Which processes there are. A file of its own without a header: it is worth nothing after the next boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredRuns {
    /// The kernel's name for this boot: pids and start times mean nothing on another.
    pub boot: String,
    pub next_run: u64,
    pub runs: Vec<StoredRun>,
}

/// One process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredRun {
    pub run: u64,
    pub slot: u32,
    /// `None`: ordered, and not reported yet.
    pub pid: Option<u32>,
    /// When the kernel says that it started, in ticks since boot.
    pub start_ticks: u64,
    pub started_at_ms: u64,
}

/// Why a stored file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("file has no valid header")]
    Header,
    #[error("file is of format {0}, this version reads {FORMAT}")]
    Format(u32),
    #[error("file is cut short or damaged")]
    Checksum,
    #[error("file holds unexpected JSON")]
    Json(#[source] serde_json::Error),
}

/// The bytes of a stored table.
///
/// # Errors
/// When the table cannot be JSON.
pub fn to_bytes(table: &Table) -> Result<Vec<u8>, StoreError> {
    let body = serde_json::to_vec_pretty(table).map_err(StoreError::Json)?;
    let header =
        Header { rewake: "table".into(), format: FORMAT, length: body.len() as u64, crc32: crc32fast::hash(&body) };
    let mut bytes = serde_json::to_vec(&header).map_err(StoreError::Json)?;
    bytes.push(b'\n');
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

/// The table in these bytes.
///
/// # Errors
/// When the header, the checksum or the JSON is wrong.
pub fn from_bytes(bytes: &[u8]) -> Result<Table, StoreError> {
    let end = bytes.iter().position(|&b| b == b'\n').ok_or(StoreError::Header)?;
    let header: Header = serde_json::from_slice(&bytes[..end]).map_err(|_| StoreError::Header)?;
    if header.rewake != "table" {
        return Err(StoreError::Header);
    }
    if header.format != FORMAT {
        return Err(StoreError::Format(header.format));
    }
    let body = &bytes[end + 1..];
    if body.len() as u64 != header.length || crc32fast::hash(body) != header.crc32 {
        return Err(StoreError::Checksum);
    }
    serde_json::from_slice(body).map_err(StoreError::Json)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As version 0.1.0 wrote a slot before there was cluster mode.
    const FORMER: &str = r#"{"generation":3,"next_run":2,"ended_in_order":false,"slots":[{"id":0,"instance":0,"up":true,
        "created_at_ms":1,"restarts":0,"spec":{"name":"web","namespace":"default","instances":1,"launch":{"script":"/web.js",
        "interpreter":"node","interpreter_args":[],"args":[],"cwd":"/","env":{},"exec_mode":"fork","ipc":true,
        "ipc_advanced":false,"instance_var":"NODE_APP_INSTANCE"},"policy":{"autorestart":true,"autostart":true,
        "stop_exit_codes":[],"min_uptime_ms":1000,"max_restarts":16,"restart_delay_ms":0,"exp_backoff_restart_delay_ms":0,
        "wait_ready":false,"listen_timeout_ms":3000,"kill_timeout_ms":1600,"stop_with":{"signal":2},"treekill":true},
        "logs":{"out":"default","error":"default","merge":true}}}]}"#;

    #[test]
    fn a_table_of_a_former_version_is_read_with_defaults_for_what_it_lacks() {
        let (length, crc32) = (FORMER.len() as u64, crc32fast::hash(FORMER.as_bytes()));
        let header = Header { rewake: "table".into(), format: FORMAT, length, crc32 };
        let bytes = format!("{}\n{FORMER}", serde_json::to_string(&header).unwrap());
        let table = from_bytes(bytes.as_bytes()).unwrap();
        let spec = &table.slots[0].spec;
        assert!(spec.launch.drain);
        // That version did not wait, and goes on not to.
        assert_eq!(spec.policy, crate::PolicySpec { reload_soak_ms: 0, ..crate::PolicySpec::default() });
        assert_eq!(from_bytes(&to_bytes(&table).unwrap()).unwrap(), table);
    }

    #[test]
    fn a_table_cut_or_changed_anywhere_is_refused() {
        let table = Table { generation: 7, next_run: 9, ended_in_order: true, slots: Vec::new() };
        let bytes = to_bytes(&table).unwrap();
        assert_eq!(from_bytes(&bytes).unwrap(), table);
        for cut in 0..bytes.len() {
            assert!(from_bytes(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        let body = bytes.iter().position(|&b| b == b'\n').unwrap() + 1;
        for at in body..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert!(from_bytes(&bad).is_err(), "changed at {at}");
        }
    }
}
