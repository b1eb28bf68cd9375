//! What subscribers are told. Never an environment, and never more than a bounded queue holds.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// One item of a subscription.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A change in a slot's life.
    Process(ProcessEvent),
    /// What an app `process.send`s.
    Message(Message),
    /// Lines of an app's output.
    Log(LogLines),
    /// The subscriber was too slow: this many items were left out here.
    Missed { count: u64 },
}

/// PM2's `process:event`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProcessEvent {
    pub event: ProcessEventKind,
    /// A command caused it, not the policy.
    pub manually: bool,
    pub at_ms: u64,
    pub id: u32,
    pub name: String,
    pub namespace: String,
    pub run: Option<u64>,
    pub pid: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<ExitInfo>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProcessEventKind {
    #[serde(rename = "start")]
    Start,
    #[serde(rename = "online")]
    Online,
    /// `wait_ready` was asked for and `listen_timeout` passed without `'ready'`.
    #[serde(rename = "ready timeout")]
    ReadyTimeout,
    #[serde(rename = "exit")]
    Exit,
    #[serde(rename = "stop")]
    Stop,
    #[serde(rename = "restart")]
    Restart,
    #[serde(rename = "delete")]
    Delete,
    #[serde(rename = "restart overlimit")]
    RestartOverlimit,
    /// A process could not be made.
    #[serde(rename = "spawn failed")]
    SpawnFailed,
    /// SIGKILL did not end it.
    #[serde(rename = "cannot be killed")]
    CannotBeKilled,
    /// A process is being made that is to replace the present one.
    #[serde(rename = "reload")]
    Reload,
    /// The new process of a reload is no good; the present one goes on, unless it ended by itself meanwhile.
    #[serde(rename = "reload failed")]
    ReloadFailed,
}

/// How a process ended: exactly one of `code` and `signal` is set; neither when the kernel could not tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitInfo {
    pub code: Option<i32>,
    /// Name of the signal, `SIGKILL`.
    pub signal: Option<String>,
    pub at_ms: u64,
    /// How long the process lived.
    pub lived_ms: u64,
}

/// The end of one run, as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitRecord {
    pub run: u64,
    pub id: u32,
    pub name: String,
    pub namespace: String,
    pub pid: Option<u32>,
    /// It was asked to end, by a command or by us.
    pub asked: bool,
    /// What happened, as text.
    pub reason: String,
    pub exit: ExitInfo,
    /// The last lines of its stdout, a few KB. Bytes that are not UTF-8 are replaced here.
    #[serde(default)]
    pub out: Vec<String>,
    /// The last lines of its stderr.
    #[serde(default)]
    pub error: Vec<String>,
}

/// A message of an app: its JSON text, handed on byte for byte.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Message {
    pub at_ms: u64,
    pub id: u32,
    pub name: String,
    pub namespace: String,
    pub run: u64,
    pub data: Box<RawValue>,
}

/// Whole lines of one stream, without their newlines. Bytes that are not UTF-8 are replaced here (the file has them).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLines {
    pub at_ms: u64,
    pub id: u32,
    pub name: String,
    pub stream: Stream,
    pub lines: Vec<String>,
}

/// Which output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    Out,
    Err,
}
