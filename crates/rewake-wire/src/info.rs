//! What `list` and `describe` show of one slot. Never the environment: `Env` asks for that by name.

use serde::{Deserialize, Serialize};

use crate::{AppSpec, ClusterBalance, ExitInfo, SocketInfo};

/// PM2's status words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Status {
    #[serde(rename = "online")]
    Online,
    #[serde(rename = "launching")]
    Launching,
    #[serde(rename = "stopping")]
    Stopping,
    #[serde(rename = "stopped")]
    Stopped,
    #[serde(rename = "errored")]
    Errored,
    #[serde(rename = "waiting restart")]
    WaitingRestart,
}

impl Status {
    /// The word as PM2 prints it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Launching => "launching",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Errored => "errored",
            Self::WaitingRestart => "waiting restart",
        }
    }
}

/// A cluster worker's part in serving its app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterInfo {
    pub listens: Vec<ListenInfo>,
    /// Connections that it has open at these TCP ports now; `None` where that cannot be known.
    pub open_connections: Option<u32>,
    /// Connections that it has taken of those that were given out: all in round robin, otherwise those of workers that were not there.
    pub given_connections: u64,
}

/// One address of an app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenInfo {
    /// `127.0.0.1:3000`, `[::]:3000`, or a path.
    pub address: String,
    /// How its connections find their worker. Not always what the app asks for: see `docs/design/cluster.md`.
    pub balance: ClusterBalance,
}

/// One slot as it is now. Times are ms since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SlotInfo {
    /// PM2's `pm_id`.
    pub id: u32,
    pub name: String,
    pub namespace: String,
    /// Number among the app's slots, from 0 (`NODE_APP_INSTANCE`).
    pub instance: u32,
    pub status: Status,
    pub pid: Option<u32>,
    /// Number of the run that `pid` is, unique in this home.
    pub run: Option<u64>,
    pub restarts: u32,
    pub unstable_restarts: u32,
    pub created_at_ms: u64,
    /// Start of the present or last run.
    pub started_at_ms: Option<u64>,
    pub last_exit: Option<ExitInfo>,
    /// Why it is `errored`, or why the last start failed, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Resident memory; `None` unless the process runs.
    pub memory_bytes: Option<u64>,
    /// Percent of one CPU since the last look, or since the start.
    pub cpu_percent: Option<f32>,
    pub out_log: Option<String>,
    pub error_log: Option<String>,
    /// The app's sockets, as far as they are open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sockets: Vec<SocketInfo>,
    /// User the process runs as.
    pub user: String,
    /// Where a cluster worker listens; only where a target was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterInfo>,
    /// The app's description with an empty `env`.
    pub spec: AppSpec,
}
