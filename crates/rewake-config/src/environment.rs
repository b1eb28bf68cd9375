//! The environment of an app: the caller's, then the file's. Never shows it.

use std::collections::BTreeMap;

use crate::draft::{Draft, Filter, Variable};

/// Variables of Node's own channel, of socket activation and of the service manager: they describe descriptors of the caller, and whom it
/// reports to. Neither is the app's.
const OF_DESCRIPTORS: [&str; 10] = [
    "NODE_CHANNEL_FD",
    "NODE_CHANNEL_SERIALIZATION_MODE",
    "NODE_UNIQUE_ID",
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_PIDFDID",
    "LISTEN_FDNAMES",
];

/// What a supervisor adds to an app's environment. When the caller is such an app (it has `pm_id`), these are about the
/// caller, and an app started from it must not take them for its own.
const SUPERVISORS: [&str; 39] = [
    "name",
    "namespace",
    "pm_id",
    "exec_mode",
    "exec_interpreter",
    "instances",
    "NODE_APP_INSTANCE",
    "instance_var",
    "pm_cwd",
    "pm_exec_path",
    "pm_out_log_path",
    "pm_err_log_path",
    "pm_log_path",
    "pm_pid_path",
    "pm_uptime",
    "status",
    "created_at",
    "restart_time",
    "unstable_restarts",
    "unique_id",
    "merge_logs",
    "watch",
    "autorestart",
    "autostart",
    "treekill",
    "vizion",
    "vizion_running",
    "pmx",
    "automation",
    "username",
    "windowsHide",
    "kill_retry_time",
    "km_link",
    "PM2_HOME",
    "PM2_USAGE",
    "PM2_JSON_PROCESSING",
    "PM2_INTERACTOR_PROCESSING",
    "PM2_PROGRAMMATIC",
    "REWAKE_HOME",
];

pub(crate) fn is_of_descriptors(name: &str) -> bool {
    OF_DESCRIPTORS.contains(&name)
}

/// The whole environment: caller < `port` < `env` < `env_<name>` < the options' `env`.
pub(crate) fn whole(
    draft: &Draft,
    over: &[Variable],
    env_name: Option<&str>,
    caller: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut env = inherited(caller, &draft.filter_env);
    if let Some(port) = draft.port {
        env.insert("PORT".into(), port.to_string());
    }
    let named = env_name.and_then(|name| draft.named_env.get(name)).map_or(&[][..], Vec::as_slice);
    for variable in draft.env.iter().chain(named).chain(over) {
        match &variable.value {
            Some(value) => env.insert(variable.name.clone(), value.clone()),
            None => env.remove(&variable.name),
        };
    }
    env
}

fn inherited(caller: &BTreeMap<String, String>, filter: &Filter) -> BTreeMap<String, String> {
    let managed = caller.contains_key("pm_id");
    caller
        .iter()
        .filter(|(name, value)| {
            let ours = managed && SUPERVISORS.contains(&name.as_str());
            let dropped = match filter {
                Filter::Nothing => false,
                Filter::All => true,
                Filter::Containing(parts) => parts.iter().any(|part| name.contains(part)),
            };
            // A caller that is JavaScript can hand over what no environment can hold.
            let impossible = name.is_empty() || name.contains(['=', '\0']) || value.contains('\0');
            !(ours || dropped || impossible || is_of_descriptors(name))
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
