//! One slot in PM2's `jlist` shape, ours under `rewake`. Never the environment, unless it is handed in.

use std::collections::BTreeMap;

use rewake_wire::{ExecMode, SlotInfo, StopWith};
use serde_json::{Map, Value, json};

/// The entry of a slot. `env`, if given, is shown twice as PM2 does: under `env`, and flat among the other keys
/// (where a name of ours wins).
pub(crate) fn entry(slot: &SlotInfo, env: Option<&BTreeMap<String, String>>) -> Value {
    let mut pm2_env: Map<String, Value> = Map::new();
    if let Some(env) = env {
        pm2_env.extend(env.iter().map(|(key, value)| (key.clone(), json!(value))));
        pm2_env.insert("env".into(), json!(env));
    }
    if let Value::Object(ours) = pm2_fields(slot) {
        pm2_env.extend(ours);
    }
    let online = slot.pid.is_some();
    // PM2 rounds to one decimal; as f64, or JSON would show the float's rounding error.
    let cpu = (f64::from(slot.cpu_percent.unwrap_or(0.0)) * 10.0).round() / 10.0;
    json!({
        "pid": slot.pid.unwrap_or(0),
        "name": slot.name,
        "pm2_env": pm2_env,
        "pm_id": slot.id,
        "monit": {
            "memory": if online { slot.memory_bytes.unwrap_or(0) } else { 0 },
            "cpu": if online { cpu } else { 0.0 },
        },
        "rewake": {
            "run": slot.run,
            "last_exit": slot.last_exit,
            "reason": slot.reason,
            "cluster": slot.cluster,
            "sockets": slot.sockets,
        },
    })
}

fn pm2_fields(slot: &SlotInfo) -> Value {
    let (spec, launch, policy) = (&slot.spec, &slot.spec.launch, &slot.spec.policy);
    let mut fields = json!({
        "name": slot.name,
        "namespace": slot.namespace,
        "pm_id": slot.id,
        "status": slot.status.as_str(),
        "version": spec.version.as_deref().unwrap_or("N/A"),
        "pm_uptime": slot.started_at_ms.unwrap_or(slot.created_at_ms),
        "created_at": slot.created_at_ms,
        "restart_time": slot.restarts,
        "unstable_restarts": slot.unstable_restarts,
        "unique_id": unique_id(slot),
        "username": slot.user,
        "pm_exec_path": launch.script,
        "pm_cwd": launch.cwd,
        "pm_out_log_path": slot.out_log.as_deref().unwrap_or("/dev/null"),
        "pm_err_log_path": slot.error_log.as_deref().unwrap_or("/dev/null"),
        "exec_interpreter": launch.interpreter.as_deref().unwrap_or("none"),
        "exec_mode": match launch.exec_mode {
            ExecMode::Fork => "fork_mode",
            ExecMode::Cluster => "cluster_mode",
        },
        "node_args": launch.interpreter_args,
        "args": launch.args,
        "instances": spec.instances,
        "instance_var": launch.instance_var,
        "merge_logs": spec.logs.merge,
        "autorestart": policy.autorestart,
        "autostart": policy.autostart,
        "stop_exit_codes": policy.stop_exit_codes,
        "min_uptime": policy.min_uptime_ms,
        "restart_delay": policy.restart_delay_ms,
        "exp_backoff_restart_delay": policy.exp_backoff_restart_delay_ms,
        "wait_ready": policy.wait_ready,
        "listen_timeout": policy.listen_timeout_ms,
        "kill_timeout": policy.kill_timeout_ms,
        "shutdown_with_message": policy.stop_with == StopWith::Message,
        "treekill": policy.treekill,
        "watch": false,
        "vizion": false,
        "vizion_running": false,
        "km_link": false,
        "axm_actions": [],
        "axm_monitor": {},
        "axm_options": {},
        "axm_dynamic": {},
    });
    let (instance_var, instance) = (launch.instance_var.as_str(), json!(slot.instance));
    fields[instance_var] = instance;
    if let Some(limit) = policy.max_restarts {
        fields["max_restarts"] = json!(limit);
    }
    if let Some(exit) = &slot.last_exit {
        fields["exit_code"] = json!(exit_code(exit));
    }
    fields
}

/// One number for an exit: the code, or 128 and the signal's number as shells count.
fn exit_code(exit: &rewake_wire::ExitInfo) -> i32 {
    let signal = exit.signal.as_deref().and_then(|name| name.parse::<nix::sys::signal::Signal>().ok());
    exit.code.or(signal.map(|signal| 128 + signal as i32)).unwrap_or(0)
}

/// PM2 gives all processes of one start the same random UUID. This one comes from what makes the app the same app, so it
/// stays over a restart of the daemon.
fn unique_id(slot: &SlotInfo) -> String {
    let words = [&slot.name, &slot.namespace, &slot.spec.launch.script, &slot.spec.launch.cwd];
    let hash = |seed: u64| {
        // FNV-1a: stable over versions and machines, which the standard library's hasher does not promise.
        let bytes = words.iter().flat_map(|word| word.bytes().chain([0]));
        bytes.fold(0xcbf2_9ce4_8422_2325 ^ seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    };
    let (a, b) = (hash(0), hash(0x9e37_79b9_7f4a_7c15));
    // Version 8 (our own making), variant 1.
    format!(
        "{:08x}-{:04x}-8{:03x}-{:04x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xfff,
        0x8000 | ((b >> 48) & 0x3fff),
        b & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use rewake_wire::{ExitInfo, Status};

    use super::*;
    use crate::ui::list::tests::slot;

    #[test]
    fn an_entry_has_pm2s_shape_and_no_environment() {
        let mut slot = slot(3, "web");
        slot.spec.launch.env.insert("SECRET".into(), "s3cret".into());
        slot.cpu_percent = Some(12.34);
        let entry = entry(&slot, None);
        assert_eq!(entry["pid"], 1003);
        assert_eq!(entry["pm_id"], 3);
        assert_eq!(entry["name"], "web");
        assert_eq!(entry["monit"], json!({"memory": 53_896_806, "cpu": 12.3}));
        let env = &entry["pm2_env"];
        assert_eq!(env["status"], "online");
        assert_eq!(env["exec_mode"], "fork_mode");
        assert_eq!(env["pm_exec_path"], "/srv/app.js");
        assert_eq!(env["NODE_APP_INSTANCE"], 0);
        assert_eq!(env["watch"], false);
        assert_eq!(env["axm_actions"], json!([]));
        assert!(env.get("env").is_none() && !entry.to_string().contains("s3cret"));
    }

    #[test]
    fn what_does_not_run_has_pid_zero_and_its_exit() {
        let mut slot = slot(0, "web");
        (slot.status, slot.pid) = (Status::Stopped, None);
        slot.last_exit = Some(ExitInfo { code: None, signal: Some("SIGKILL".into()), at_ms: 1, lived_ms: 2 });
        let entry = entry(&slot, None);
        assert_eq!((&entry["pid"], &entry["monit"]["memory"]), (&json!(0), &json!(0)));
        assert_eq!(entry["pm2_env"]["exit_code"], 137);
        assert_eq!(entry["rewake"]["last_exit"]["signal"], "SIGKILL");
    }

    #[test]
    fn the_environment_is_there_when_asked_for_and_cannot_hide_our_keys() {
        let env = BTreeMap::from([("A".to_owned(), "1".to_owned()), ("status".to_owned(), "fake".to_owned())]);
        let entry = entry(&slot(0, "web"), Some(&env));
        assert_eq!(entry["pm2_env"]["A"], "1");
        assert_eq!(entry["pm2_env"]["status"], "online");
        assert_eq!(entry["pm2_env"]["env"]["status"], "fake");
    }

    #[test]
    fn slots_of_one_app_share_an_id_that_no_other_app_has() {
        assert_eq!(unique_id(&slot(0, "web")), unique_id(&slot(1, "web")));
        assert_ne!(unique_id(&slot(0, "web")), unique_id(&slot(0, "api")));
        assert_eq!(unique_id(&slot(0, "web")).len(), 36);
    }
}
