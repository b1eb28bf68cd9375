//! An app as it was written: every value of the right type, nothing resolved, nothing defaulted.

use std::collections::BTreeMap;

use rewake_wire::{ClusterBalance, ExecMode, LogCapture, Rotation, SystemLog};

use crate::report::Place;
use crate::sockets::Socket;

/// What the keys of one app said; `None` where nothing was said.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    /// Where each key (by its canonical name) was given.
    pub(crate) places: BTreeMap<&'static str, (Place, String)>,
    pub(crate) script: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) name_prefix: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) cwd: Option<String>,
    pub(crate) args: Vec<String>,
    pub(crate) interpreter: Option<String>,
    pub(crate) node_args: Vec<String>,
    pub(crate) exec_mode: Option<ExecMode>,
    pub(crate) execute_command: bool,
    pub(crate) instances: Option<Instances>,
    pub(crate) instance_var: Option<String>,
    pub(crate) increment_var: Option<String>,
    pub(crate) env: Vec<Variable>,
    /// `env_<name>`, by name.
    pub(crate) named_env: BTreeMap<String, Vec<Variable>>,
    pub(crate) filter_env: Filter,
    pub(crate) append_env_to_name: bool,
    pub(crate) port: Option<u16>,
    pub(crate) sockets: Vec<Socket>,
    pub(crate) out_file: Option<String>,
    pub(crate) error_file: Option<String>,
    pub(crate) merge_logs: Option<bool>,
    pub(crate) disable_logs: bool,
    /// Both streams in one file; an empty path is that of the usual name.
    pub(crate) log_file: Option<String>,
    pub(crate) log_json: bool,
    pub(crate) log_date_format: Option<String>,
    pub(crate) time: bool,
    pub(crate) log_capture: LogCapture,
    pub(crate) log_rotate: Option<Option<Rotation>>,
    pub(crate) log_syslog: Option<SystemLog>,
    pub(crate) autorestart: Option<bool>,
    pub(crate) autostart: Option<bool>,
    pub(crate) stop_exit_codes: Vec<i32>,
    pub(crate) min_uptime_ms: Option<u64>,
    pub(crate) max_restarts: Option<Limit>,
    pub(crate) restart_delay_ms: Option<u64>,
    pub(crate) exp_backoff_restart_delay_ms: Option<u64>,
    pub(crate) wait_ready: bool,
    pub(crate) listen_timeout_ms: Option<u64>,
    pub(crate) kill_timeout_ms: Option<u64>,
    pub(crate) kill_signal: Option<i32>,
    pub(crate) shutdown_with_message: bool,
    pub(crate) treekill: Option<bool>,
    pub(crate) accept_unready: bool,
    pub(crate) reload_soak_ms: Option<u64>,
    pub(crate) drain: Option<bool>,
    pub(crate) cluster_balance: ClusterBalance,
    pub(crate) drain_timeout_ms: Option<u64>,
    pub(crate) ipc: Option<bool>,
    pub(crate) ipc_advanced: bool,
    pub(crate) uid: Option<Id>,
    pub(crate) gid: Option<Id>,
}

/// How many instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Instances {
    Count(u32),
    /// As many as there are cores, less this many.
    CoresLess(u32),
}

/// A number of times, or no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    Of(u32),
    Unlimited,
}

/// One variable of `env`; `None` takes it out of the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) value: Option<String>,
}

/// Which of the caller's variables an app does not get.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Filter {
    #[default]
    Nothing,
    All,
    /// Those whose name contains one of these.
    Containing(Vec<String>),
}

/// A user or group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Id {
    Number(u32),
    Name(String),
}
