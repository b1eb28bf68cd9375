//! THE table of an app's keys: names, aliases, types, and what each becomes. A key that is not here is an error.

use crate::draft::{Draft, Filter, Id, Instances, Limit, Variable};
use crate::sockets::Socket;
use rewake_wire::{ClusterBalance, ExecMode, LogCapture, Rotation, SystemLog};

/// One row.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    /// Each of these, and the name, may also be written in camelCase.
    pub(crate) aliases: &'static [&'static str],
    pub(crate) kind: Kind,
}

/// The type of a key's value, with the place it goes to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Text(fn(&mut Draft, String)),
    Flag(fn(&mut Draft, bool)),
    /// An array, or a string that is split as a shell would.
    Words(fn(&mut Draft, Vec<String>)),
    /// A time: a number of ms, or `100ms`, `10s`, `1m`, `1h`. At least so many ms.
    Millis(u64, fn(&mut Draft, u64)),
    /// A whole number, or `Infinity`.
    Limit(fn(&mut Draft, Limit)),
    Codes(fn(&mut Draft, Vec<i32>)),
    Instances(fn(&mut Draft, Instances)),
    Mode(fn(&mut Draft, ExecMode)),
    Env(fn(&mut Draft, Vec<Variable>)),
    Filter(fn(&mut Draft, Filter)),
    Port(fn(&mut Draft, u16)),
    Id(fn(&mut Draft, Id)),
    Signal(fn(&mut Draft, i32)),
    /// True: `advanced`.
    Serialization(fn(&mut Draft, bool)),
    /// True: `accept`.
    ListenTimeoutAction(fn(&mut Draft, bool)),
    Balance(fn(&mut Draft, ClusterBalance)),
    /// Addresses to listen on.
    Sockets(fn(&mut Draft, Vec<Socket>)),
    /// A path, or a switch for the file of the usual name; `None`: off.
    LogFile(fn(&mut Draft, Option<String>)),
    /// True: `json`.
    LogType(fn(&mut Draft, bool)),
    LogCapture(fn(&mut Draft, LogCapture)),
    /// A switch, or an object; `None`: off.
    LogRotate(fn(&mut Draft, Option<Rotation>)),
    SystemLog(fn(&mut Draft, Option<SystemLog>)),
    /// A feature that this version has not: type-checked, and one warning if the value asks for it.
    Unavailable(&'static [Shape]),
    /// Says more about a feature that this version has not: type-checked, and silent, as the feature's own key warns.
    Detail(&'static [Shape]),
    /// Nothing to us: any value, no noise.
    Ignored,
}

/// A type of which a value can be several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Flag,
    Text,
    Number,
    Words,
    Map,
    /// Bytes, or `10K`, `10M`, `1G`.
    Memory,
    Millis,
}

const fn key(name: &'static str, aliases: &'static [&'static str], kind: Kind) -> Key {
    Key { name, aliases, kind }
}

use Kind::{
    Codes, Detail, Env, Flag, Ignored, Limit as Times, Millis, Mode, Port, Serialization, Signal, Text, Unavailable,
    Words,
};

pub(crate) static KEYS: &[Key] = &[
    // What runs.
    key("script", &["exec", "cmd", "command"], Text(|d, v| d.script = Some(v))),
    key("name", &[], Text(|d, v| d.name = Some(v))),
    key("name_prefix", &[], Text(|d, v| d.name_prefix = Some(v))),
    key("namespace", &[], Text(|d, v| d.namespace = Some(v))),
    key("cwd", &[], Text(|d, v| d.cwd = Some(v))),
    key("args", &[], Words(|d, v| d.args = v)),
    key("interpreter", &["exec_interpreter"], Text(|d, v| d.interpreter = Some(v))),
    key("node_args", &["interpreter_args"], Words(|d, v| d.node_args = v)),
    key("exec_mode", &[], Mode(|d, v| d.exec_mode = Some(v))),
    key("execute_command", &[], Flag(|d, v| d.execute_command = v)),
    key("instances", &[], Kind::Instances(|d, v| d.instances = Some(v))),
    key("instance_var", &[], Text(|d, v| d.instance_var = Some(v))),
    key("increment_var", &[], Text(|d, v| d.increment_var = Some(v))),
    key("uid", &["user"], Kind::Id(|d, v| d.uid = Some(v))),
    key("gid", &[], Kind::Id(|d, v| d.gid = Some(v))),
    // Its environment. `env_<name>` is beside the table.
    key("env", &[], Env(|d, v| d.env.extend(v))),
    key("filter_env", &[], Kind::Filter(|d, v| d.filter_env = v)),
    key("append_env_to_name", &[], Flag(|d, v| d.append_env_to_name = v)),
    key("port", &[], Port(|d, v| d.port = Some(v))),
    // What its processes find open.
    key("sockets", &[], Kind::Sockets(|d, v| d.sockets = v)),
    // Its channel.
    key("ipc", &[], Flag(|d, v| d.ipc = Some(v))),
    key("serialization", &[], Serialization(|d, v| d.ipc_advanced = v)),
    // Its output.
    key("out_file", &["out", "output", "out_log"], Text(|d, v| d.out_file = Some(v))),
    key("error_file", &["error", "err", "err_file", "err_log"], Text(|d, v| d.error_file = Some(v))),
    key("merge_logs", &["combine_logs"], Flag(|d, v| d.merge_logs = Some(v))),
    key("disable_logs", &[], Flag(|d, v| d.disable_logs = v)),
    key("log_file", &["log"], Kind::LogFile(|d, v| d.log_file = v)),
    key("log_type", &[], Kind::LogType(|d, v| d.log_json = v)),
    key("log_date_format", &[], Text(|d, v| d.log_date_format = Some(v))),
    key("time", &[], Flag(|d, v| d.time = v)),
    key("log_syslog", &[], Kind::SystemLog(|d, v| d.log_syslog = v)),
    key("log_rotate", &[], Kind::LogRotate(|d, v| d.log_rotate = Some(v))),
    key("log_capture", &[], Kind::LogCapture(|d, v| d.log_capture = v)),
    key("pid_file", &["pid"], Unavailable(&[Shape::Text])),
    // When it starts, restarts and counts as ready.
    key("autorestart", &[], Flag(|d, v| d.autorestart = Some(v))),
    key("autostart", &[], Flag(|d, v| d.autostart = Some(v))),
    key("stop_exit_codes", &[], Codes(|d, v| d.stop_exit_codes = v)),
    key("min_uptime", &[], Millis(100, |d, v| d.min_uptime_ms = Some(v))),
    key("max_restarts", &[], Times(|d, v| d.max_restarts = Some(v))),
    key("restart_delay", &[], Millis(0, |d, v| d.restart_delay_ms = Some(v))),
    key("exp_backoff_restart_delay", &[], Millis(0, |d, v| d.exp_backoff_restart_delay_ms = Some(v))),
    key("wait_ready", &[], Flag(|d, v| d.wait_ready = v)),
    key("listen_timeout", &[], Millis(0, |d, v| d.listen_timeout_ms = Some(v))),
    key("listen_timeout_action", &[], Kind::ListenTimeoutAction(|d, v| d.accept_unready = v)),
    key("reload_soak", &[], Millis(0, |d, v| d.reload_soak_ms = Some(v))),
    key("max_memory_restart", &[], Unavailable(&[Shape::Memory])),
    key("cron_restart", &["cron"], Unavailable(&[Shape::Text, Shape::Number])),
    key("watch", &[], Unavailable(&[Shape::Flag, Shape::Words])),
    key("ignore_watch", &[], Detail(&[Shape::Words])),
    key("watch_options", &[], Detail(&[Shape::Map])),
    key("watch_delay", &[], Detail(&[Shape::Millis])),
    // How it is stopped.
    key("kill_timeout", &[], Millis(0, |d, v| d.kill_timeout_ms = Some(v))),
    key("kill_signal", &[], Signal(|d, v| d.kill_signal = Some(v))),
    key("shutdown_with_message", &[], Flag(|d, v| d.shutdown_with_message = v)),
    key("cluster_balance", &[], Kind::Balance(|d, v| d.cluster_balance = v)),
    key("drain", &[], Flag(|d, v| d.drain = Some(v))),
    key("drain_timeout", &[], Millis(0, |d, v| d.drain_timeout_ms = Some(v))),
    key("treekill", &[], Flag(|d, v| d.treekill = Some(v))),
    // Polling of "is it dead", which we do not do.
    key("kill_retry_time", &[], Ignored),
    // Instrumentation, paid services, modules, and PM2's own bookkeeping.
    key("source_map_support", &[], Ignored),
    key("disable_source_map_support", &[], Ignored),
    key("vizion", &[], Ignored),
    key("vizion_running", &[], Ignored),
    key("pmx", &[], Ignored),
    key("automation", &[], Ignored),
    key("io", &[], Ignored),
    key("trace", &[], Ignored),
    key("disable_trace", &[], Ignored),
    key("v8", &[], Ignored),
    key("event_loop_inspector", &[], Ignored),
    key("deep_monitoring", &[], Ignored),
    key("install_url", &[], Ignored),
    key("post_update", &[], Ignored),
    key("km_link", &[], Ignored),
    key("instance_id", &[], Ignored),
    key("force", &[], Ignored),
    key("write", &[], Ignored),
    key("username", &[], Ignored),
    key("windows_hide", &[], Ignored),
];

/// The row of a key, by its name, an alias, or the camelCase form of either.
pub(crate) fn find(spelled: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.spellings().any(|spelling| spelling == spelled || camel_case(spelling) == spelled))
}

impl Key {
    pub(crate) fn spellings(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }
}

/// `kill_timeout` as `killTimeout`.
pub(crate) fn camel_case(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut raise = false;
    for c in name.chars() {
        if c == '_' {
            raise = true;
        } else if raise {
            camel.extend(c.to_uppercase());
            raise = false;
        } else {
            camel.push(c);
        }
    }
    camel
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_keys_share_a_spelling() {
        let mut all: Vec<String> = KEYS
            .iter()
            .flat_map(|key| {
                // A name without an underscore is its own camelCase.
                let own: std::collections::BTreeSet<String> =
                    key.spellings().flat_map(|name| [name.to_owned(), camel_case(name)]).collect();
                own
            })
            .collect();
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
        // What would be taken for variables of `--env`.
        assert!(all.iter().all(|spelling| !spelling.starts_with("env_")));
    }

    #[test]
    fn a_key_is_found_by_every_spelling() {
        for spelled in ["exec_interpreter", "execInterpreter", "interpreterArgs", "windowsHide", "killTimeout", "err"] {
            assert!(find(spelled).is_some(), "{spelled}");
        }
        assert_eq!(find("outLog").unwrap().name, "out_file");
        assert!(find("Script").is_none() && find("kill-timeout").is_none() && find("").is_none());
    }
}
