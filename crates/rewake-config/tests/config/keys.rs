//! Every key of an app: its types, what it becomes, and what is said of a wrong value.

use serde_json::{Value, json};

use crate::bench::{Bench, refused};

/// What an app with this key has at this place of its description.
#[track_caller]
fn check(key: &str, value: Value, pointer: &str, expected: Value) {
    let bench = Bench::new();
    let app = serde_json::to_value(bench.app(json!({ key: value }))).unwrap();
    let text = app.to_string().replace(bench.context.cwd.to_str().unwrap(), "$D");
    let app: Value = serde_json::from_str(&text).unwrap();
    let found = app.pointer(pointer).cloned().unwrap_or(Value::Null);
    assert_eq!(found, expected, "{key} at {pointer} of {app:#}");
}

#[test]
fn each_key_becomes_what_it_means() {
    let cores = std::thread::available_parallelism().unwrap().get();
    let rows = [
        ("name", json!("web"), "/name", json!("web")),
        ("name_prefix", json!("pre"), "/name", json!("pre:app")),
        ("namePrefix", json!("pre"), "/name", json!("pre:app")),
        ("namespace", json!("group"), "/namespace", json!("group")),
        ("cwd", json!("."), "/launch/cwd", json!("$D")),
        ("args", json!("a 'b c' d\\ e"), "/launch/args", json!(["a", "b c", "d e"])),
        ("args", json!(["a b", 3, true]), "/launch/args", json!(["a b", "3", "true"])),
        (
            "node_args",
            json!("--inspect --max-old-space-size=100"),
            "/launch/interpreter_args/1",
            json!("--max-old-space-size=100"),
        ),
        ("nodeArgs", json!(["--inspect"]), "/launch/interpreter_args", json!(["--inspect"])),
        ("interpreter_args", json!(["--inspect"]), "/launch/interpreter_args", json!(["--inspect"])),
        ("interpreterArgs", json!("--inspect"), "/launch/interpreter_args", json!(["--inspect"])),
        ("interpreter", json!("sh"), "/launch/interpreter", json!("sh")),
        ("exec_interpreter", json!("sh"), "/launch/interpreter", json!("sh")),
        ("execInterpreter", json!("/bin/sh"), "/launch/interpreter", json!("/bin/sh")),
        ("exec_mode", json!("cluster"), "/launch/exec_mode", json!("cluster")),
        ("exec_mode", json!("cluster_mode"), "/launch/exec_mode", json!("cluster")),
        ("execMode", json!("fork_mode"), "/launch/exec_mode", json!("fork")),
        ("instances", json!(3), "/instances", json!(3)),
        ("instances", json!("3"), "/instances", json!(3)),
        ("instances", json!("max"), "/instances", json!(cores)),
        ("instances", json!(0), "/instances", json!(cores)),
        ("instances", json!("-1"), "/instances", json!((cores - 1).max(1))),
        ("instances", json!(-4096), "/instances", json!(1)),
        ("instances", json!(2), "/launch/exec_mode", json!("cluster")),
        ("instance_var", json!("INSTANCE"), "/launch/instance_var", json!("INSTANCE")),
        ("increment_var", json!("PORT"), "/launch/increment_var", json!("PORT")),
        ("env", json!({"A": "1"}), "/launch/env/A", json!("1")),
        ("port", json!("8080"), "/launch/env/PORT", json!("8080")),
        ("ipc", json!(false), "/launch/ipc", json!(false)),
        ("serialization", json!("advanced"), "/launch/ipc_advanced", json!(true)),
        ("serialization", json!("json"), "/launch/ipc_advanced", json!(false)),
        ("cluster_balance", json!("kernel"), "/launch/cluster_balance", json!("kernel")),
        ("cluster_balance", json!("client-ip"), "/launch/cluster_balance", json!("client-ip")),
        ("cluster_balance", json!("round-robin"), "/launch/cluster_balance", json!("round-robin")),
        ("cluster_balance", json!("shared"), "/launch/cluster_balance", json!("shared")),
        ("out_file", json!("logs/x.log"), "/logs/out/file", json!("$D/logs/x.log")),
        ("out", json!("~/x.log"), "/logs/out/file", json!("$D/home/x.log")),
        ("output", json!("/x.log"), "/logs/out/file", json!("/x.log")),
        ("outLog", json!("NULL"), "/logs/out", json!("null")),
        ("error_file", json!("../x.log"), "/logs/out", json!("default")),
        ("error", json!("/dev/null"), "/logs/error", json!("null")),
        ("err", json!("x"), "/logs/error/file", json!("$D/x")),
        ("errFile", json!("x"), "/logs/error/file", json!("$D/x")),
        ("err_log", json!("x"), "/logs/error/file", json!("$D/x")),
        ("disable_logs", json!(true), "/logs/out", json!("null")),
        ("disable_logs", json!(true), "/logs/error", json!("null")),
        ("name", json!("x"), "/logs/merge", json!(true)),
        ("instances", json!(1), "/logs/merge", json!(false)),
        ("exec_mode", json!("cluster"), "/logs/merge", json!(false)),
        ("merge_logs", json!(false), "/logs/merge", json!(false)),
        ("combine_logs", json!(false), "/logs/merge", json!(false)),
        ("log_file", json!("all.log"), "/logs/combined/file", json!("$D/all.log")),
        ("log", json!(true), "/logs/combined", json!("default")),
        ("log", json!(false), "/logs/combined", json!("null")),
        ("log_file", json!("NULL"), "/logs/combined", json!("null")),
        ("log_date_format", json!("YYYY"), "/logs/date_format", json!("YYYY")),
        ("time", json!(true), "/logs/date_format", json!("YYYY-MM-DDTHH:mm:ss")),
        ("log_type", json!("json"), "/logs/json", json!(true)),
        ("log_type", json!("raw"), "/logs/json", json!(false)),
        ("log_syslog", json!(true), "/logs/system", json!("any")),
        ("log_syslog", json!("journal"), "/logs/system/journal/path", json!(null)),
        ("logSyslog", json!("syslog:/dev/log"), "/logs/system/syslog/path", json!("/dev/log")),
        ("log_rotate", json!(false), "/logs/rotate", json!(null)),
        ("log_rotate", json!(true), "/logs/rotate/max_size", json!(1 << 30)),
        ("logRotate", json!({"max_size": "10M"}), "/logs/rotate/max_size", json!(10 << 20)),
        ("log_rotate", json!({"maxSize": null, "max_age": "7d"}), "/logs/rotate/max_size", json!(null)),
        ("log_rotate", json!({"maxAge": "7d"}), "/logs/rotate/max_age_ms", json!(604_800_000)),
        ("log_rotate", json!({"keep": 3, "compress": false}), "/logs/rotate/keep", json!(3)),
        ("log_rotate", json!({"total": "1.5g"}), "/logs/rotate/total", json!(3_u64 << 29)),
        ("log_capture", json!("spool"), "/logs/capture", json!("spool")),
        ("logCapture", json!("pipe"), "/logs/capture", json!("pipe")),
        ("autorestart", json!(false), "/policy/autorestart", json!(false)),
        ("autostart", json!(false), "/policy/autostart", json!(false)),
        ("stop_exit_codes", json!([0, "3"]), "/policy/stop_exit_codes", json!([0, 3])),
        ("stopExitCodes", json!(255), "/policy/stop_exit_codes", json!([255])),
        ("stop_exit_codes", json!("1, 2 3"), "/policy/stop_exit_codes", json!([1, 2, 3])),
        ("name", json!("x"), "/policy/min_uptime_ms", json!(1000)),
        ("min_uptime", json!(100), "/policy/min_uptime_ms", json!(100)),
        ("minUptime", json!("10s"), "/policy/min_uptime_ms", json!(10_000)),
        ("min_uptime", json!("1m"), "/policy/min_uptime_ms", json!(60_000)),
        ("min_uptime", json!("1h"), "/policy/min_uptime_ms", json!(3_600_000)),
        ("min_uptime", json!("150ms"), "/policy/min_uptime_ms", json!(150)),
        ("min_uptime", json!("1.5 s"), "/policy/min_uptime_ms", json!(1500)),
        ("name", json!("x"), "/policy/max_restarts", json!(16)),
        ("max_restarts", json!(0), "/policy/max_restarts", json!(0)),
        ("maxRestarts", json!("7"), "/policy/max_restarts", json!(7)),
        ("max_restarts", json!("Infinity"), "/policy/max_restarts", json!(null)),
        ("restart_delay", json!(50), "/policy/restart_delay_ms", json!(50)),
        ("exp_backoff_restart_delay", json!(100), "/policy/exp_backoff_restart_delay_ms", json!(100)),
        ("exp_backoff_restart_delay", json!(100), "/policy/max_restarts", json!(null)),
        ("exp_backoff_restart_delay", json!(0), "/policy/max_restarts", json!(16)),
        ("wait_ready", json!(true), "/policy/wait_ready", json!(true)),
        ("listen_timeout", json!("5000"), "/policy/listen_timeout_ms", json!(5000)),
        ("name", json!("x"), "/policy/accept_unready", json!(false)),
        ("listen_timeout_action", json!("accept"), "/policy/accept_unready", json!(true)),
        ("listenTimeoutAction", json!("fail"), "/policy/accept_unready", json!(false)),
        ("name", json!("x"), "/policy/reload_soak_ms", json!(1500)),
        ("reload_soak", json!(0), "/policy/reload_soak_ms", json!(0)),
        ("reload_soak", json!("30s"), "/policy/reload_soak_ms", json!(30_000)),
        ("reloadSoak", json!(5), "/policy/reload_soak_ms", json!(5)),
        ("name", json!("x"), "/launch/drain", json!(true)),
        ("drain", json!(false), "/launch/drain", json!(false)),
        ("name", json!("x"), "/policy/drain_timeout_ms", json!(10_000)),
        ("drain_timeout", json!("1m"), "/policy/drain_timeout_ms", json!(60_000)),
        ("drainTimeout", json!(0), "/policy/drain_timeout_ms", json!(0)),
        ("kill_timeout", json!(10), "/policy/kill_timeout_ms", json!(10)),
        ("killTimeout", json!("2s"), "/policy/kill_timeout_ms", json!(2000)),
        ("name", json!("x"), "/policy/stop_with", json!({"signal": 2})),
        ("kill_signal", json!("SIGTERM"), "/policy/stop_with", json!({"signal": 15})),
        ("kill_signal", json!("usr2"), "/policy/stop_with", json!({"signal": 12})),
        ("kill_signal", json!(9), "/policy/stop_with", json!({"signal": 9})),
        ("shutdown_with_message", json!(true), "/policy/stop_with", json!("message")),
        ("treekill", json!(false), "/policy/treekill", json!(false)),
        ("uid", json!(0), "/launch/uid", json!(0)),
        ("user", json!("root"), "/launch/uid", json!(0)),
        ("user", json!("root"), "/launch/gid", json!(0)),
        ("user", json!("root"), "/launch/env/USER", json!("root")),
        ("uid", json!("12345"), "/launch/uid", json!(12345)),
        ("gid", json!(7), "/launch/gid", json!(7)),
        ("gid", json!("root"), "/launch/gid", json!(0)),
        ("execute_command", json!(true), "/launch/exec_mode", json!("fork")),
    ];
    for (key, value, pointer, expected) in rows {
        check(key, value, pointer, expected);
    }
}

#[test]
fn the_script_may_be_named_by_each_alias() {
    let bench = Bench::new();
    for key in ["script", "exec", "cmd", "command"] {
        let loaded = bench.object(json!({ key: "app.js" })).unwrap();
        assert_eq!(loaded.apps[0].launch.script, bench.path("app.js"), "{key}");
    }
}

#[test]
fn options_that_go_together_do() {
    let bench = Bench::new();
    let mode = |keys| bench.app(keys).launch.exec_mode;
    use rewake_wire::ExecMode::{Cluster, Fork};
    assert_eq!(mode(json!({"instances": 2, "exec_mode": "fork"})), Fork);
    assert_eq!(mode(json!({"instances": 2, "execute_command": true})), Fork);
    assert_eq!(mode(json!({"instances": 2, "interpreter": "sh"})), Fork);
    assert_eq!(mode(json!({"instances": 1})), Cluster);
    let shutdown = bench.app(json!({"shutdown_with_message": true, "kill_signal": "SIGTERM", "interpreter": "sh"}));
    assert_eq!(shutdown.policy.stop_with, rewake_wire::StopWith::Message);
    assert!(shutdown.launch.ipc);
    let backoff = bench.app(json!({"exp_backoff_restart_delay": 100, "max_restarts": 3}));
    assert_eq!(backoff.policy.max_restarts, Some(3));
    let merged = bench.app(json!({"instances": 2, "merge_logs": true}));
    assert!(merged.logs.merge);
}

#[test]
fn null_is_the_same_as_not_given() {
    let bench = Bench::new();
    let all: serde_json::Map<String, Value> =
        ["cwd", "instances", "env", "env_x", "watch", "max_restarts", "uid", "args", "exec_mode"]
            .into_iter()
            .map(|key| (key.to_owned(), Value::Null))
            .collect();
    assert_eq!(bench.app(Value::Object(all)), bench.app(json!({})));
}

#[test]
fn keys_of_instrumentation_and_services_are_passed_over_in_silence() {
    let bench = Bench::new();
    let keys = [
        "vizion",
        "pmx",
        "automation",
        "io",
        "trace",
        "disable_trace",
        "disableTrace",
        "v8",
        "event_loop_inspector",
        "deep_monitoring",
        "install_url",
        "post_update",
        "km_link",
        "source_map_support",
        "disable_source_map_support",
        "windowsHide",
        "instance_id",
        "force",
        "write",
        "username",
        "kill_retry_time",
    ];
    for key in keys {
        for value in [json!(true), json!("x"), json!({"a": []})] {
            assert_eq!(bench.app(json!({ key: value })), bench.app(json!({})), "{key}");
        }
    }
}

#[test]
fn a_feature_that_is_not_there_warns_only_when_it_is_asked_for() {
    let bench = Bench::new();
    let rows = [
        ("watch", json!(true)),
        ("watch", json!(["src"])),
        ("watch", json!("src")),
        ("cron_restart", json!("0 0 * * *")),
        ("cron", json!("0 0 * * *")),
        ("max_memory_restart", json!("200M")),
        ("maxMemoryRestart", json!(1_000_000)),
        ("pid_file", json!("x.pid")),
    ];
    for (key, value) in rows {
        let loaded = bench.object(json!({ "script": "app.js", key: value })).unwrap();
        let warning = format!("options: `{key}` of app `app` is not available in this version and is ignored");
        assert_eq!(loaded.warnings, [warning]);
        assert_eq!(loaded.apps, [bench.app(json!({}))]);
    }
    let quiet = [
        ("watch", json!(false)),
        ("watch", json!([])),
        ("cron_restart", json!(0)),
        ("cron_restart", json!("0")),
        ("max_memory_restart", json!(0)),
        ("ignore_watch", json!(["node_modules"])),
        ("watch_options", json!({"followSymlinks": false})),
        ("watch_delay", json!("1s")),
    ];
    for (key, value) in quiet {
        bench.app(json!({ key: value }));
    }
}

#[test]
fn a_value_of_the_wrong_type_is_named_with_what_was_expected() {
    let bench = Bench::new();
    let number = "a whole number up to 4096, or `max`";
    let time = "a time (a number of ms, or like `10s`, `1m`, `1h`)";
    let words = "an array of strings or one string";
    let rows = [
        ("name", json!(5), "a string, found the number `5`".to_owned()),
        ("cwd", json!(["a"]), "a string, found an array".to_owned()),
        ("log_capture", json!("x"), "`auto`, `spool` or `pipe`, found the string `x`".to_owned()),
        ("autorestart", json!("yes"), "a boolean, found the string `yes`".to_owned()),
        (
            "autorestart",
            json!("true"),
            "a boolean, found the string `true`\n  hint: write true without quotes".to_owned(),
        ),
        ("treekill", json!(1), "a boolean, found the number `1`".to_owned()),
        ("instances", json!("many"), format!("{number}, found the string `many`")),
        ("instances", json!(1.5), format!("{number}, found the number `1.5`")),
        ("instances", json!(100_000), format!("{number}, found the number `100000`")),
        ("instances", json!(true), format!("{number}, found the boolean `true`")),
        ("exec_mode", json!("thread"), "`fork` or `cluster`, found the string `thread`".to_owned()),
        ("args", json!(3), format!("{words}, found the number `3`")),
        ("args", json!([["a"]]), format!("{words}, found an array in it")),
        ("env", json!("A=1"), "an object, found the string `A=1`".to_owned()),
        ("env_production", json!([]), "an object, found an array".to_owned()),
        ("filter_env", json!(3), "a boolean, a string or an array of strings, found the number `3`".to_owned()),
        ("port", json!("http"), "a port number, found the string `http`".to_owned()),
        ("port", json!(70_000), "a port number, found the number `70000`".to_owned()),
        ("min_uptime", json!(99), "a time between 100 ms and 4294967295 ms, found the number `99`".to_owned()),
        ("kill_timeout", json!(-1), "a time between 0 ms and 4294967295 ms, found the number `-1`".to_owned()),
        ("listen_timeout_action", json!("kill"), "`fail` or `accept`, found the string `kill`".to_owned()),
        ("listen_timeout_action", json!(true), "`fail` or `accept`, found the boolean `true`".to_owned()),
        ("drain", json!("no"), "a boolean, found the string `no`".to_owned()),
        ("drain_timeout", json!("soon"), format!("{time}, found the string `soon`")),
        ("kill_timeout", json!("soon"), format!("{time}, found the string `soon`")),
        ("kill_timeout", json!("1d"), format!("{time}, found the string `1d`")),
        ("restart_delay", json!("1e3"), format!("{time}, found the string `1e3`")),
        ("max_restarts", json!(-1), "a whole number, 0 or more, found the number `-1`".to_owned()),
        ("max_restarts", json!("inf"), "a whole number, 0 or more, found the string `inf`".to_owned()),
        (
            "stop_exit_codes",
            json!(256),
            "an exit code (0 to 255) or an array of them, found the number `256`".to_owned(),
        ),
        (
            "stop_exit_codes",
            json!(["x"]),
            "an exit code (0 to 255) or an array of them, found the string `x`".to_owned(),
        ),
        ("kill_signal", json!("SIGFOO"), "a signal, like `SIGTERM`, found the string `SIGFOO`".to_owned()),
        ("kill_signal", json!(0), "a signal, like `SIGTERM`, found the number `0`".to_owned()),
        (
            "cluster_balance",
            json!("random"),
            "`kernel`, `client-ip`, `round-robin` or `shared`, found the string `random`".to_owned(),
        ),
        ("serialization", json!("v8"), "`json` or `advanced`, found the string `v8`".to_owned()),
        ("uid", json!(-1), "a name or a number, found the number `-1`".to_owned()),
        ("gid", json!([]), "a name or a number, found an array".to_owned()),
        ("watch", json!(3), "a boolean or an array of strings or a string, found the number `3`".to_owned()),
        ("watch_options", json!(true), "an object, found the boolean `true`".to_owned()),
        (
            "max_memory_restart",
            json!("lots"),
            "a size (a number of bytes, or like `200M`, `1G`), found the string `lots`".to_owned(),
        ),
    ];
    for (key, value, expected) in rows {
        let found = refused(&bench, bench.object(json!({ "script": "app.js", "name": "app", key: value })));
        assert_eq!(found, format!("options: `{key}` of app `app` must be {expected}"));
    }
}

#[test]
fn values_that_cannot_reach_a_process_are_refused() {
    let bench = Bench::new();
    let rows = [
        (json!({"script": "a\0b"}), "`script` of app `a\\0b` must not hold a NUL character"),
        (json!({"args": ["a\0"]}), "`args` of app `app` must not hold a NUL character"),
        (json!({"args": "'open"}), "`args` of app `app` has a quote that is not closed"),
        (json!({"env": {"A=B": 1}}), "`env` of app `app` has `A=B`, which cannot be a variable's name"),
        (json!({"env": {"": 1}}), "`env` of app `app` has ``, which cannot be a variable's name"),
        (json!({"env": {"A": "secret\0"}}), "`env` of app `app` has a NUL character in the value of `A`"),
        (json!({"name": ""}), "name `` is empty"),
        (json!({"name": "a\nb"}), "name `a\\nb` has control characters"),
        (json!({"namespace": " "}), "namespace ` ` is empty"),
        (json!({"uid": "nobody-of-this-name"}), "unknown user `nobody-of-this-name`"),
        (json!({"gid": "nobody-of-this-name"}), "unknown group `nobody-of-this-name`"),
    ];
    for (keys, expected) in rows {
        let mut object = json!({ "script": "app.js" });
        object.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        let found = refused(&bench, bench.object(object));
        assert_eq!(found, format!("options: {expected}"), "{keys}");
    }
    let long = "x".repeat(201);
    let found = refused(&bench, bench.object(json!({"script": "app.js", "name": long})));
    assert!(found.ends_with("is longer than 200 bytes"), "{found}");
}

#[test]
fn one_key_by_two_names_must_say_the_same() {
    let bench = Bench::new();
    bench.app(json!({"interpreter": "node", "exec_interpreter": "node"}));
    let found = refused(&bench, bench.object(json!({"script": "app.js", "killTimeout": 1, "kill_timeout": 2})));
    assert_eq!(found, "options: `killTimeout` and `kill_timeout` are the same key, with two values");
}
