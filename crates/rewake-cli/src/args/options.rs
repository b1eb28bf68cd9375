//! PM2's global options: any of them may stand before or after any verb. Never interprets them; `overrides` only
//! gives them the names they have in an ecosystem file.

use std::collections::BTreeMap;

use clap::Args;
use serde_json::{Map, Value, json};

/// All options that every verb accepts.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Options {
    /// Name of the app
    #[arg(short = 'n', long, value_name = "NAME", allow_hyphen_values = true, help_heading = APP)]
    pub(crate) name: Option<String>,
    /// Group of the app [default: default]
    #[arg(long, value_name = "NAME", allow_hyphen_values = true, help_heading = APP)]
    pub(crate) namespace: Option<String>,
    /// Number of processes; `max` or 0: one for each core, -1: one less
    #[arg(short = 'i', long, value_name = "N", allow_hyphen_values = true, help_heading = APP)]
    pub(crate) instances: Option<String>,
    /// Program that runs the script; `none`: the script is the program
    #[arg(long, value_name = "PROGRAM", allow_hyphen_values = true, help_heading = APP)]
    pub(crate) interpreter: Option<String>,
    /// Arguments for the interpreter, before the script
    #[arg(long, alias = "interpreter-args", value_name = "ARGS", allow_hyphen_values = true, help_heading = APP)]
    pub(crate) node_args: Option<String>,
    /// Working folder of the app
    #[arg(long, value_name = "FOLDER", allow_hyphen_values = true, help_heading = APP)]
    pub(crate) cwd: Option<String>,
    /// Set a variable, or select `env_<name>` of a process file
    #[arg(long, value_name = "KEY=VALUE|NAME", allow_hyphen_values = true, help_heading = APP)]
    pub(crate) env: Vec<String>,
    /// Variables of this shell that the app does not get
    #[arg(long, value_name = "NAMES", num_args = 0..=1, default_missing_value = "true", help_heading = APP)]
    pub(crate) filter_env: Option<String>,
    /// Give the app this shell's environment anew
    #[arg(short = 'a', long, help_heading = APP)]
    pub(crate) update_env: bool,
    /// Only these apps of the process file
    #[arg(long, value_name = "NAMES", allow_hyphen_values = true, help_heading = APP)]
    pub(crate) only: Option<String>,
    /// Listen for the app on `3000`, `127.0.0.1:3000`, `udp:53`, `unix:app.sock`; its processes find it at descriptor 3
    #[arg(long, value_name = "ADDRESS", allow_hyphen_values = true, help_heading = APP)]
    pub(crate) socket: Vec<String>,
    /// Run as one plain process each (fork mode)
    #[arg(short = 'x', long, help_heading = APP)]
    pub(crate) execute_command: bool,
    /// Start another one beside what runs; save an empty list
    #[arg(short = 'f', long, help_heading = APP)]
    pub(crate) force: bool,
    /// User to run as
    #[arg(long, visible_alias = "user", short_alias = 'u', value_name = "USER", allow_hyphen_values = true, help_heading = APP)]
    pub(crate) uid: Option<String>,
    /// Group to run as
    #[arg(long, value_name = "GROUP", allow_hyphen_values = true, help_heading = APP)]
    pub(crate) gid: Option<String>,

    /// Online only once the app sends 'ready'
    #[arg(long, help_heading = LIFE)]
    pub(crate) wait_ready: bool,
    /// How long to wait for 'ready', ms
    #[arg(long, value_name = "MS", allow_hyphen_values = true, help_heading = LIFE)]
    pub(crate) listen_timeout: Option<String>,
    /// How long the first new process of a reload must live before it replaces the old one, ms [default: 1500]
    #[arg(long, value_name = "MS", allow_hyphen_values = true, help_heading = LIFE)]
    pub(crate) reload_soak: Option<String>,
    /// Instances that `reload` replaces at a time
    #[arg(long, value_name = "N", help_heading = LIFE)]
    pub(crate) parallel: Option<u32>,
    /// `reload`: refuse while another reload of the app is under way, instead of waiting for it
    #[arg(long, help_heading = LIFE)]
    pub(crate) no_wait: bool,
    /// From the stop signal to SIGKILL, ms
    #[arg(short = 'k', long, value_name = "MS", allow_hyphen_values = true, help_heading = LIFE)]
    pub(crate) kill_timeout: Option<String>,
    /// Signal that asks the app to stop [default: SIGINT]
    #[arg(long, value_name = "SIGNAL", allow_hyphen_values = true, help_heading = LIFE)]
    pub(crate) kill_signal: Option<String>,
    /// Ask it to stop with the message 'shutdown'
    #[arg(long, help_heading = LIFE)]
    pub(crate) shutdown_with_message: bool,
    /// Stop the process alone, not its tree
    #[arg(long, help_heading = LIFE)]
    pub(crate) no_treekill: bool,
    /// Pause before a restart, ms
    #[arg(long, value_name = "MS", allow_hyphen_values = true, help_heading = LIFE)]
    pub(crate) restart_delay: Option<String>,
    /// First pause of a growing one, ms
    #[arg(long, value_name = "MS", allow_hyphen_values = true, help_heading = LIFE)]
    pub(crate) exp_backoff_restart_delay: Option<String>,
    /// Unstable exits in a row before it is given up
    #[arg(long, value_name = "N", allow_hyphen_values = true, help_heading = LIFE)]
    pub(crate) max_restarts: Option<String>,
    /// Time after which a run counts as stable, ms
    #[arg(long, value_name = "MS", allow_hyphen_values = true, help_heading = LIFE)]
    pub(crate) min_uptime: Option<String>,
    /// Do not restart it when it ends
    #[arg(long, help_heading = LIFE)]
    pub(crate) no_autorestart: bool,
    /// Only list it
    #[arg(long, help_heading = LIFE)]
    pub(crate) no_autostart: bool,
    /// Exit codes that end it for good
    #[arg(long, value_name = "CODES", allow_hyphen_values = true, help_heading = LIFE)]
    pub(crate) stop_exit_codes: Vec<String>,

    /// File for its output
    #[arg(short = 'o', long, value_name = "FILE", allow_hyphen_values = true, help_heading = LOGS)]
    pub(crate) output: Option<String>,
    /// File for its errors
    #[arg(short = 'e', long, value_name = "FILE", allow_hyphen_values = true, help_heading = LOGS)]
    pub(crate) error: Option<String>,
    /// File for both
    #[arg(short = 'l', long, value_name = "FILE", num_args = 0..=1, default_missing_value = "true", help_heading = LOGS)]
    pub(crate) log: Option<String>,
    /// One file for all instances
    #[arg(long, help_heading = LOGS)]
    pub(crate) merge_logs: bool,
    /// Keep no logs
    #[arg(long, help_heading = LOGS)]
    pub(crate) disable_logs: bool,
    /// Lines as `raw` text or as `json` objects
    #[arg(long, value_name = "TYPE", allow_hyphen_values = true, help_heading = LOGS)]
    pub(crate) log_type: Option<String>,
    /// Time before each line, such as `YYYY-MM-DD HH:mm:ss`
    #[arg(long, value_name = "FORMAT", allow_hyphen_values = true, help_heading = LOGS)]
    pub(crate) log_date_format: Option<String>,
    /// Time before each line
    #[arg(long, help_heading = LOGS)]
    pub(crate) time: bool,
    /// Lines to systemd's journal too, or to syslog where there is none
    #[arg(long, value_name = "journal|syslog", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = LOGS)]
    pub(crate) syslog: Option<String>,

    /// JSON instead of text
    #[arg(long, help_heading = SHOWN)]
    pub(crate) json: bool,
    /// Print nothing but errors
    #[arg(short = 's', long, help_heading = SHOWN)]
    pub(crate) silent: bool,
    /// List as blocks of lines instead of a table
    #[arg(short = 'm', long, help_heading = SHOWN)]
    pub(crate) mini_list: bool,
    /// Sort the list, such as `memory:desc`
    #[arg(long, value_name = "FIELD[:asc|desc]", allow_hyphen_values = true, help_heading = SHOWN)]
    pub(crate) sort: Option<String>,
    /// No colours
    #[arg(long, help_heading = SHOWN)]
    pub(crate) no_color: bool,
    /// Help of this command
    #[arg(short = 'h', long, help_heading = SHOWN)]
    pub(crate) help: bool,
    /// Version of this program
    #[arg(short = 'v', long, short_alias = 'V', help_heading = SHOWN)]
    pub(crate) version: bool,

    #[command(flatten)]
    pub(crate) later: Later,
}

/// PM2's options for what this version does not do yet, or never will: accepted, so that scripts run. The first group is handed to
/// the configuration, which warns of each; the second concerns PM2's hosted service and means nothing here.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Later {
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "true")]
    watch: Option<String>,
    #[arg(long, hide = true, allow_hyphen_values = true)]
    ignore_watch: Option<String>,
    #[arg(long, hide = true, allow_hyphen_values = true)]
    watch_delay: Option<String>,
    #[arg(long, hide = true, allow_hyphen_values = true)]
    max_memory_restart: Option<String>,
    #[arg(short = 'c', long, alias = "cron", hide = true, allow_hyphen_values = true)]
    cron_restart: Option<String>,
    #[arg(short = 'p', long, hide = true, allow_hyphen_values = true)]
    pid: Option<String>,
    #[arg(long, hide = true)]
    source_map_support: bool,
    #[arg(long, hide = true)]
    disable_source_map_support: bool,

    #[arg(long, hide = true, allow_hyphen_values = true)]
    ext: Option<String>,
    #[arg(long, hide = true)]
    no_daemon: bool,
    #[arg(long, hide = true)]
    no_vizion: bool,
    #[arg(long, alias = "no-automation", hide = true)]
    no_pmx: bool,
    #[arg(long, hide = true)]
    trace: bool,
    #[arg(long, hide = true)]
    disable_trace: bool,
    #[arg(long, hide = true)]
    v8: bool,
    #[arg(long, hide = true)]
    event_loop_inspector: bool,
    #[arg(long, hide = true)]
    deep_monitoring: bool,
    #[arg(long, hide = true)]
    attach: bool,
    #[arg(short = 'w', long, hide = true)]
    write: bool,
    /// Home folder of that user
    #[arg(long, hide = true, value_name = "FOLDER", allow_hyphen_values = true)]
    hp: Option<String>,
    /// Name of the service [default: rewake, for a system rewake-<user>]
    #[arg(long, hide = true, value_name = "NAME", allow_hyphen_values = true)]
    service_name: Option<String>,
    /// Start only when the network is up
    #[arg(long, hide = true)]
    wait_ip: bool,
}

impl Later {
    /// What was given that changes what PM2 does, and does nothing here.
    pub(crate) fn without_effect(&self) -> Vec<&'static str> {
        let given = [
            ("--no-daemon", self.no_daemon),
            ("--attach", self.attach),
            ("--write", self.write),
            ("--ext", self.ext.is_some()),
        ];
        given.into_iter().filter(|(_, given)| *given).map(|(option, _)| option).collect()
    }

    /// `start --watch app.js`: the word after `--watch` is the script when there is no other.
    pub(crate) fn script_taken_for_watch(&mut self, no_target: bool) -> Option<String> {
        let word = self.watch.take_if(|word| no_target && word != "true")?;
        self.watch = Some("true".into());
        Some(word)
    }
}

pub(crate) const APP: &str = "App";
pub(crate) const LIFE: &str = "Start, stop and restart";
pub(crate) const LOGS: &str = "Logs";
pub(crate) const SHOWN: &str = "Output";

impl Options {
    /// The variables of `--env KEY=VALUE`.
    pub(crate) fn variables(&self) -> BTreeMap<String, String> {
        let pairs = self.env.iter().filter_map(|text| text.split_once('='));
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    /// The environment that `--env <name>` selects in a process file; the last one counts.
    pub(crate) fn env_name(&self) -> Option<String> {
        self.env.iter().rev().find(|text| !text.contains('=')).cloned()
    }

    /// `--hp`: the home folder of the user that `startup` is for.
    pub(crate) fn home_folder(&self) -> Option<&str> {
        self.later.hp.as_deref()
    }

    /// `--service-name`.
    pub(crate) fn service_name(&self) -> Option<&str> {
        self.later.service_name.as_deref()
    }

    /// `--wait-ip`: at boot, wait for the network.
    pub(crate) fn wait_ip(&self) -> bool {
        self.later.wait_ip
    }

    /// `--only a,b`.
    pub(crate) fn only(&self) -> Vec<String> {
        let names = self.only.iter().flat_map(|names| names.split(','));
        names.map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    /// What was given, under the keys of an ecosystem file.
    pub(crate) fn overrides(&self) -> Map<String, Value> {
        let later = &self.later;
        let texts = [
            ("name", &self.name),
            ("namespace", &self.namespace),
            ("interpreter", &self.interpreter),
            ("node_args", &self.node_args),
            ("cwd", &self.cwd),
            ("uid", &self.uid),
            ("gid", &self.gid),
            ("kill_signal", &self.kill_signal),
            ("out_file", &self.output),
            ("error_file", &self.error),
            ("log_type", &self.log_type),
            ("log_date_format", &self.log_date_format),
            ("ignore_watch", &later.ignore_watch),
            ("max_memory_restart", &later.max_memory_restart),
            ("cron_restart", &later.cron_restart),
            ("pid_file", &later.pid),
        ];
        let numbers = [
            ("instances", &self.instances),
            ("listen_timeout", &self.listen_timeout),
            ("reload_soak", &self.reload_soak),
            ("kill_timeout", &self.kill_timeout),
            ("restart_delay", &self.restart_delay),
            ("exp_backoff_restart_delay", &self.exp_backoff_restart_delay),
            ("max_restarts", &self.max_restarts),
            ("min_uptime", &self.min_uptime),
            ("watch_delay", &later.watch_delay),
        ];
        let switches_or_texts = [
            ("filter_env", &self.filter_env),
            ("log_file", &self.log),
            ("log_syslog", &self.syslog),
            ("watch", &later.watch),
        ];
        let switches = [
            ("wait_ready", self.wait_ready, true),
            ("shutdown_with_message", self.shutdown_with_message, true),
            ("treekill", self.no_treekill, false),
            ("autorestart", self.no_autorestart, false),
            ("autostart", self.no_autostart, false),
            ("merge_logs", self.merge_logs, true),
            ("disable_logs", self.disable_logs, true),
            ("time", self.time, true),
            ("source_map_support", later.source_map_support, true),
            ("disable_source_map_support", later.disable_source_map_support, true),
        ];
        let mut map = Map::new();
        let mut put = |key: &str, value: Value| drop(map.insert(key.to_owned(), value));
        for (key, text) in texts {
            text.iter().for_each(|text| put(key, json!(text)));
        }
        for (key, text) in numbers {
            text.iter().for_each(|text| put(key, number_or_text(text)));
        }
        for (key, text) in switches_or_texts {
            text.iter().for_each(|text| put(key, if text == "true" { json!(true) } else { json!(text) }));
        }
        for (key, _, value) in switches.into_iter().filter(|(_, given, _)| *given) {
            put(key, json!(value));
        }
        if self.execute_command {
            put("exec_mode", json!("fork"));
        }
        let codes = self.stop_exit_codes.iter().flat_map(|codes| codes.split([',', ' ']));
        let codes: Vec<Value> = codes.filter(|code| !code.is_empty()).map(number_or_text).collect();
        if !codes.is_empty() {
            put("stop_exit_codes", Value::Array(codes));
        }
        if !self.socket.is_empty() {
            put("sockets", json!(self.socket));
        }
        let variables = self.variables();
        if !variables.is_empty() {
            put("env", json!(variables));
        }
        map
    }
}

/// A number where it is one; the configuration says what is wrong with another text, by its key.
fn number_or_text(text: &str) -> Value {
    text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number))
}
