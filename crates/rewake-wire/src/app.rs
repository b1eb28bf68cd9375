//! A checked description of one app, as the configuration made it and the engine runs it.
//! Everything in it is resolved (absolute paths, a whole environment); never a default left to guess.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::SocketSpec;

/// One app: what the user named. It becomes `instances` slots.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AppSpec {
    pub name: String,
    pub namespace: String,
    pub instances: u32,
    pub launch: LaunchSpec,
    pub policy: PolicySpec,
    pub logs: LogSpec,
    /// The `version` of the nearest package.json above the script, for `list` and `describe`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// How one process of the app is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LaunchSpec {
    /// Absolute path of the script, or the whole command line where `interpreter` is a shell with `-c`.
    pub script: String,
    /// Program that runs the script, a path or a name looked up in the `PATH` of `env`. `None`: the script is the program.
    pub interpreter: Option<String>,
    /// Arguments before the script (`node_args`).
    #[serde(default)]
    pub interpreter_args: Vec<String>,
    /// Arguments after the script.
    #[serde(default)]
    pub args: Vec<String>,
    /// Absolute.
    pub cwd: String,
    /// The whole environment of the app, but for what each slot adds (`NODE_APP_INSTANCE`, `pm_id`, …).
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    pub exec_mode: ExecMode,
    /// Whether the process gets Node's IPC channel (`NODE_CHANNEL_FD`).
    pub ipc: bool,
    /// In cluster mode, and with `sockets`, for Node: load the drain helper, which makes closing a server polite to its clients.
    #[serde(default = "on")]
    pub drain: bool,
    /// In cluster mode: who gets a new connection.
    #[serde(default)]
    pub cluster_balance: ClusterBalance,
    /// In fork mode: listening sockets that are made for the app, and that each of its processes finds from descriptor 3 on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sockets: Vec<SocketSpec>,
    /// `serialization: 'advanced'` of Node's IPC; otherwise JSON.
    #[serde(default)]
    pub ipc_advanced: bool,
    /// Name of the variable that counts the instances, `NODE_APP_INSTANCE` by default.
    pub instance_var: String,
    /// A variable raised by one per instance from its value in `env`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub increment_var: Option<String>,
    /// User id to run as; needs privilege.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Group id to run as; needs privilege.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
}

/// PM2's `exec_mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExecMode {
    Fork,
    Cluster,
}

/// How a new connection of a cluster finds its worker. TCP only: unix sockets and UDP are `Shared` whatever is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClusterBalance {
    /// The kernel chooses among the sockets of those that are up, evenly. `Shared` where the kernel cannot.
    #[default]
    Kernel,
    /// The same, by the client's address: one client, one worker.
    ClientIp,
    /// We accept and hand over, in turn.
    RoundRobin,
    /// All accept from one queue.
    Shared,
}

/// When a process is restarted, when it counts as ready, and how it is stopped. Times in ms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicySpec {
    pub autorestart: bool,
    /// False: listed as stopped, not started.
    pub autostart: bool,
    #[serde(default)]
    pub stop_exit_codes: Vec<i32>,
    pub min_uptime_ms: u64,
    /// Exits in a row before `min_uptime_ms` that make the slot `errored`; `None`: no limit.
    pub max_restarts: Option<u32>,
    pub restart_delay_ms: u64,
    /// First delay of the exponential back-off; 0: off.
    pub exp_backoff_restart_delay_ms: u64,
    pub wait_ready: bool,
    pub listen_timeout_ms: u64,
    pub kill_timeout_ms: u64,
    /// How long a process that was replaced may take to serve what it has, before it is asked to end.
    #[serde(default = "default_drain_timeout_ms")]
    pub drain_timeout_ms: u64,
    /// How long the first new process of a reload must live after it was ready before the old one is touched. Those after it need not.
    /// A table or a client that does not name it is of a version that did not wait: 0.
    #[serde(default)]
    pub reload_soak_ms: u64,
    /// PM2's lenient rule: a new process that is not ready in time replaces the old one all the same.
    #[serde(default)]
    pub accept_unready: bool,
    pub stop_with: StopWith,
    /// Whether stopping reaches the whole process tree.
    pub treekill: bool,
}

fn on() -> bool {
    true
}

/// Long enough to see a release that listens and then finds that it cannot reach its database, the commonest that is no good; what a
/// reload costs, whatever the number of instances.
const DEFAULT_RELOAD_SOAK_MS: u64 = 1500;

/// Long enough for ordinary requests and downloads; PM2's graceful reload waited 8 s.
fn default_drain_timeout_ms() -> u64 {
    10_000
}

/// What asks a process to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopWith {
    /// A signal number.
    Signal(i32),
    /// The IPC message `'shutdown'`.
    Message,
}

/// Where a process's output goes, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogSpec {
    pub out: LogTarget,
    pub error: LogTarget,
    /// Both streams in one file, beside their own.
    #[serde(default = "LogTarget::null")]
    pub combined: LogTarget,
    /// True: no `-<pm_id>` before the extension of the file names.
    pub merge: bool,
    /// Before each line, or in each object: the time in this format, in the tokens of Day.js.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date_format: Option<String>,
    /// One JSON object a line.
    #[serde(default)]
    pub json: bool,
    #[serde(default)]
    pub capture: LogCapture,
    /// `None`: never.
    #[serde(default = "Rotation::usual")]
    pub rotate: Option<Rotation>,
    /// The system's log, beside the files; `None`: not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<SystemLog>,
}

/// The log of the system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SystemLog {
    /// The journal of systemd where there is one, else syslog.
    Any,
    /// Datagrams of systemd's journal; its own socket when `None`.
    Journal { path: Option<String> },
    /// Datagrams of syslog; `/dev/log` when `None`.
    Syslog { path: Option<String> },
}

/// When a log file is put aside, and how many of those are kept: `keep` of each log, `total` of all logs of an app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// Bytes.
    pub max_size: Option<u64>,
    pub max_age_ms: Option<u64>,
    /// How many files that were put aside are kept.
    pub keep: Option<u32>,
    /// Whether they are compressed (gzip).
    pub compress: bool,
    /// Bytes that they may take together.
    pub total: Option<u64>,
}

impl Default for Rotation {
    /// Generous: what a month of a busy server writes is still there, and no disk is filled by one app.
    fn default() -> Self {
        Self { max_size: Some(1 << 30), max_age_ms: None, keep: Some(10), compress: true, total: Some(4 << 30) }
    }
}

impl Rotation {
    #[expect(clippy::unnecessary_wraps, reason = "the default of a field that may be nothing")]
    fn usual() -> Option<Self> {
        Some(Self::default())
    }
}

/// One stream's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogTarget {
    /// `<home>/logs/<name>-out.log`, `-error.log`, or `<name>.log` for both; nowhere when embedded without a home.
    Default,
    /// Thrown away (subscribers still see it).
    Null,
    /// An absolute path.
    File(String),
}

impl LogTarget {
    fn null() -> Self {
        Self::Null
    }
}

/// How output leaves the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogCapture {
    /// A spool for Node, a pipe for others.
    #[default]
    Auto,
    /// An unnamed file: nothing waits in the process, so nothing is lost with it.
    Spool,
    Pipe,
}

impl AppSpec {
    /// The same description without the environment, which `list` and `describe` do not show (and never even copy).
    #[must_use]
    pub fn clone_without_env(&self) -> Self {
        let launch = &self.launch;
        Self {
            name: self.name.clone(),
            namespace: self.namespace.clone(),
            instances: self.instances,
            launch: LaunchSpec {
                script: launch.script.clone(),
                interpreter: launch.interpreter.clone(),
                interpreter_args: launch.interpreter_args.clone(),
                args: launch.args.clone(),
                cwd: launch.cwd.clone(),
                env: BTreeMap::new(),
                exec_mode: launch.exec_mode,
                ipc: launch.ipc,
                drain: launch.drain,
                cluster_balance: launch.cluster_balance,
                sockets: launch.sockets.clone(),
                ipc_advanced: launch.ipc_advanced,
                instance_var: launch.instance_var.clone(),
                increment_var: launch.increment_var.clone(),
                uid: launch.uid,
                gid: launch.gid,
            },
            policy: self.policy.clone(),
            logs: self.logs.clone(),
            version: self.version.clone(),
        }
    }
}

impl Default for PolicySpec {
    /// PM2's defaults (`min_uptime` 1 s, 16 unstable restarts, `kill_timeout` 1.6 s, `listen_timeout` 3 s, SIGINT to the tree), and ours
    /// of what PM2 does not have.
    fn default() -> Self {
        Self {
            autorestart: true,
            autostart: true,
            stop_exit_codes: Vec::new(),
            min_uptime_ms: 1000,
            max_restarts: Some(16),
            restart_delay_ms: 0,
            exp_backoff_restart_delay_ms: 0,
            wait_ready: false,
            listen_timeout_ms: 3000,
            kill_timeout_ms: 1600,
            drain_timeout_ms: default_drain_timeout_ms(),
            reload_soak_ms: DEFAULT_RELOAD_SOAK_MS,
            accept_unready: false,
            stop_with: StopWith::Signal(2),
            treekill: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_that_does_not_name_the_soak_is_of_a_version_that_did_not_wait() {
        let mut policy = serde_json::to_value(PolicySpec::default()).unwrap();
        assert_eq!(policy["reload_soak_ms"], 1500);
        policy.as_object_mut().unwrap().remove("reload_soak_ms");
        assert_eq!(serde_json::from_value::<PolicySpec>(policy).unwrap().reload_soak_ms, 0);
    }
}
