//! What a daemon must remember that was killed while it waited: streaks, delays, deadlines, and a release that is being tried out.

use std::time::{SystemTime, UNIX_EPOCH};

use rust_tests::home::{Home, is_alive, kill, until};
use rust_tests::ports::free_port;

use super::load::{SERVER, get};

fn kill_daemon(home: &Home) {
    let daemon = home.daemon().unwrap();
    kill(daemon);
    until("another daemon is there", || home.daemon().is_some_and(|now| now != daemon && is_alive(now)));
    home.rewake(["ping"]).ok();
}

fn start(home: &Home, script: &str, more: &[&str]) {
    home.write("app.js", script);
    home.rewake([&["start", "app.js", "--name", "app"], more].concat());
}

fn status(home: &Home) -> (String, u64) {
    let (_, status, restarts) = home.slots("app").remove(0);
    (status, restarts)
}

/// How and when the last run has ended.
fn last_exit(home: &Home) -> serde_json::Value {
    home.jlist()[0]["rewake"]["last_exit"].clone()
}

fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

#[test]
fn a_streak_of_failures_goes_on_and_is_given_up_at_its_end() {
    let home = Home::new();
    // Each run fails when it is told, so that the daemon dies between two of them.
    let script = "const told = `fail-${process.env.restart_time ?? 0}`;
        setInterval(() => { if (require('fs').existsSync(told)) process.exit(3); }, 10);";
    start(&home, script, &["--max-restarts", "3", "--min-uptime", "1h"]);
    home.write("fail-0", "");
    until("it has failed once", || status(&home).1 == 1);
    kill_daemon(&home);
    home.write("fail-1", "");
    home.write("fail-2", "");
    until("it is given up", || status(&home).0 == "errored");
    assert_eq!(status(&home).1, 2, "the first failure counts");
}

#[test]
fn a_delay_before_a_restart_goes_on() {
    let home = Home::new();
    let script = "if (!Number(process.env.restart_time ?? 0)) process.exit(3); setInterval(() => {}, 1000);";
    // Long enough for a slow machine to have another daemon meanwhile.
    start(&home, script, &["--restart-delay", "10s"]);
    until("it waits", || status(&home).0 == "waiting restart");
    kill_daemon(&home);
    assert_eq!(status(&home), ("waiting restart".to_owned(), 0));
    until("it is started again", || status(&home) == ("online".to_owned(), 1));
    let (exit, started) = (last_exit(&home), home.jlist()[0]["pm2_env"]["pm_uptime"].as_u64().unwrap());
    assert_eq!(exit["code"], 3);
    let waited = started - exit["at_ms"].as_u64().unwrap();
    // The two times may be of two clocks.
    assert!(waited > 9_900, "not before its time: {waited} ms");
}

#[test]
fn a_process_that_ignores_its_signal_is_killed_when_its_time_is_over() {
    let home = Home::new();
    start(
        &home,
        "process.on('SIGINT', () => {}); setInterval(() => {}, 1000); process.send('ready')",
        &["--wait-ready", "--listen-timeout", "60000", "--kill-timeout", "10s"],
    );
    let (pid, began) = (home.slots("app")[0].0, now_ms());
    let mut stop = home.command(["stop", "app"]).stderr(std::process::Stdio::null()).spawn().unwrap();
    until("it is stopping", || status(&home).0 == "stopping");
    kill_daemon(&home);
    stop.wait().unwrap();
    until("it is stopped", || status(&home).0 == "stopped");
    assert!(!is_alive(pid));
    let exit = last_exit(&home);
    let lived = exit["at_ms"].as_u64().unwrap() - began;
    // The two times may be of two clocks.
    assert!(exit["signal"] == "SIGKILL" && lived > 9_900, "neither sooner nor otherwise: {exit}, {lived} ms");
}

#[test]
fn one_that_has_not_said_ready_is_still_waited_for() {
    let home = Home::new();
    let script = "const fs = require('fs'); setInterval(() => { if (fs.existsSync('go')) process.send('ready'); }, 20)";
    home.write("app.js", script);
    let args = ["start", "app.js", "--name", "app", "--wait-ready", "--listen-timeout", "60000"];
    let mut start = home.command(args).stderr(std::process::Stdio::null()).spawn().unwrap();
    until("it is launching", || {
        home.path().join("rpc.sock").exists() && home.slots("app").first().is_some_and(|slot| slot.1 == "launching")
    });
    kill_daemon(&home);
    start.wait().unwrap();
    assert_eq!(status(&home).0, "launching");
    home.write("go", "");
    until("it is online", || status(&home).0 == "online");
}

#[test]
fn a_bad_release_that_was_being_tried_out_is_not_what_a_crash_starts_later() {
    let home = Home::new();
    let (port, good) = (free_port(), SERVER);
    let bad = "require('fs').writeFileSync('tried', ''); setInterval(() => {}, 1000);";
    home.write("app.js", &format!("if (process.env.RELEASE === 'bad') {{ {bad} }} else {{ {good} }}"));
    let args = ["start", "app.js", "--name", "app", "-i", "1", "--listen-timeout", "10s"];
    let output = home.command(args).env("RELEASE", "good").env("PORT", port.to_string()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let pid = home.slots("app")[0].0;
    until("it listens", || get(port).is_ok());
    let mut reload = home
        .command(["reload", "app", "--update-env"])
        .env("RELEASE", "bad")
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    until("the bad release is being tried", || home.folder().join("tried").exists());
    kill_daemon(&home);
    reload.wait().unwrap();
    until("the reload has failed", || {
        std::fs::read_to_string(home.path().join("rewake.log")).unwrap().contains("ReloadFailed")
    });
    assert_eq!(home.slots("app")[0].0, pid, "the good one serves on");
    kill(pid);
    until("it is up again", || home.slots("app")[0].0 != pid && status(&home).0 == "online");
    let env = home.rewake(["env", "0"]).ok().stdout;
    let release = env.lines().find(|line| line.trim_start().starts_with("RELEASE"));
    assert!(release.is_some_and(|line| line.contains("good")), "{release:?}");
}
