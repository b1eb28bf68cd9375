//! How runs have ended is remembered, with the last lines that they wrote.

use std::fs;
use std::process::Command;

use rust_tests::home::{Home, until};
use serde_json::Value;

fn history(home: &Home, target: &str) -> Vec<Value> {
    home.rewake(["history", target, "--json"]).ok().json().as_array().unwrap().clone()
}

fn lines(record: &Value, stream: &str) -> Vec<String> {
    record[stream].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_end_is_kept_with_its_reason_and_its_last_lines() {
    let home = Home::new();
    let script = home.write(
        "a.js",
        "for (let i = 0; i < 5000; i++) console.log(`line ${i}`); console.error('before'); \
         if (process.argv[2] === 'throw') throw new Error('the reason'); \
         if (process.argv[2] === 'kill') process.kill(process.pid, 'SIGKILL'); \
         if (process.argv[2] === 'stay') setInterval(() => {}, 1e6)",
    );
    for (name, how) in [("crash", "throw"), ("killed", "kill"), ("stays", "stay")] {
        let script = script.to_str().unwrap();
        let _ = home.rewake(["start", script, "--name", name, "--no-autorestart", "--disable-logs", "--", how]);
    }
    until("the crash is remembered", || history(&home, "all").len() >= 2);
    let crash = &history(&home, "crash")[0];
    assert_eq!(crash["exit"]["code"], 1);
    assert_eq!((&crash["asked"], &crash["reason"]), (&Value::Bool(false), &Value::from("exited with code 1")));
    let (out, err) = (lines(crash, "out"), lines(crash, "error"));
    assert_eq!(out.last().unwrap(), "line 4999");
    assert!(out.len() > 100 && out.iter().all(|line| line.starts_with("line ")), "whole lines");
    assert!(err[0] == "before" && err.iter().any(|line| line == "Error: the reason"), "{err:?}");
    let killed = &history(&home, "killed")[0];
    assert_eq!(killed["exit"]["signal"], "SIGKILL");
    assert_eq!(lines(killed, "error"), ["before"]);
    // It survives the daemon, and the app's removal.
    home.rewake(["stop", "stays"]).ok();
    until("the stop is remembered", || history(&home, "stays").len() == 1);
    assert_eq!(history(&home, "stays")[0]["asked"], true);
    let daemon = home.daemon().unwrap();
    assert!(Command::new("kill").args(["-9", &daemon.to_string()]).status().unwrap().success());
    until("another daemon", || home.daemon().is_some_and(|now| now != daemon));
    home.rewake(["delete", "crash"]).ok();
    assert_eq!(history(&home, "crash").len(), 1);
    assert_eq!(history(&home, "all")[0]["name"], "stays", "the newest comes first");
    home.rewake(["history", "nosuch"]).fails();
    let text = home.rewake(["history", "crash"]).ok().stdout;
    assert!(text.contains("code 1 after") && text.contains("   err | Error: the reason"), "{text}");
    let text = home.rewake(["describe", "killed"]).ok().stdout;
    assert!(text.contains("Last exits") && text.contains("SIGKILL") && text.contains("   err | before"), "{text}");
}

#[test]
fn a_crash_loop_leaves_one_record_for_each_run_and_a_bounded_file() {
    let home = Home::new();
    let file = home.write(
        "loop.json",
        r#"{"apps": [{"name": "l", "script": "/bin/sh", "interpreter": "none", "max_restarts": 5, "min_uptime": 600000, "args": ["-c", "echo $$; exit 7"]}]}"#,
    );
    let _ = home.rewake([&std::ffi::OsString::from("start"), file.as_os_str()]);
    until("it is given up", || home.slots("l")[0].1 == "errored");
    until("all are remembered", || history(&home, "l").len() == 5);
    for record in history(&home, "l") {
        assert_eq!(record["exit"]["code"], 7);
        assert_eq!(lines(&record, "out"), [record["pid"].to_string()]);
    }
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(home.path().join("exits.jsonl")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}
