//! Reload: new processes one by one, no request lost, and a bad release never replaces a good one.

use std::collections::BTreeSet;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rust_tests::home::{Home, is_alive, nodes, until};
use rust_tests::ports::free_port;

use super::http::{SERVER, get, load};

/// Without a soak, which most tests here are not about.
fn start(home: &Home, node: &str, script: &str, instances: &str, port: u16, more: &[&str]) {
    start_with(home, node, script, instances, port, &[&["--reload-soak", "0"], more].concat());
}

fn start_with(home: &Home, node: &str, script: &str, instances: &str, port: u16, more: &[&str]) {
    home.write("app.js", script);
    // A slow machine is no reason for a reload to fail. What a test says of it comes later, and holds.
    let args = ["start", "app.js", "--name", "web", "-i", instances, "--interpreter", node];
    let args = [&args[..], &["--listen-timeout", "60000", "--kill-timeout", "60000"], more].concat();
    let output = home.command(args).env("PORT", port.to_string()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // All of them: one that has not yet read its script would read what a test writes next.
    let pids: BTreeSet<String> = home.slots("web").iter().map(|slot| slot.0.to_string()).collect();
    let mut seen = BTreeSet::new();
    until("each instance answers", || {
        let load = load(port, 4);
        seen.extend((0..20).filter_map(|_| get(port).ok()));
        let _ = load.end();
        seen == pids
    });
}

fn pids(home: &Home) -> BTreeSet<u32> {
    home.slots("web").iter().map(|slot| slot.0).collect()
}

/// Reloads under load; every process is another one afterwards, and every request was answered.
fn reload_loses_nothing(node: &str, script: &str, instances: &str) {
    let (home, port) = (Home::new(), free_port());
    start(&home, node, script, instances, port, &[]);
    let load = load(port, 4);
    for _ in 0..3 {
        let before = pids(&home);
        home.rewake(["reload", "web"]).ok();
        let after = pids(&home);
        assert!(before.is_disjoint(&after), "{node}: {before:?} {after:?}");
        assert!(before.iter().all(|pid| !is_alive(*pid)), "{node}: the old ones have ended");
    }
    let counted = load.end_after(50);
    assert_eq!(counted.failed, Vec::<String>::new(), "{node}: {} answered", counted.answered);
}

#[test]
fn an_app_that_never_heard_of_signals_loses_no_request_in_a_reload() {
    for node in nodes() {
        reload_loses_nothing(&node, SERVER, "2");
    }
}

#[test]
fn one_instance_reloads_as_gaplessly_as_many() {
    reload_loses_nothing("node", SERVER, "1");
}

#[test]
fn an_app_that_closes_its_server_on_sigint_loses_no_request_in_a_reload() {
    let script = "
        const server = require('http').createServer((q, r) => setTimeout(() => r.end(String(process.pid)), 20)).listen(+process.env.PORT);
        process.on('SIGINT', () => server.close(() => process.exit(0)));
    ";
    reload_loses_nothing("node", script, "2");
}

#[test]
fn a_bad_release_never_replaces_a_good_one() {
    let releases = [
        ("throws at start", "throw new Error('bad release')"),
        ("exits before it listens", "setTimeout(() => process.exit(7), 50)"),
        ("has a syntax error", "this is no JavaScript"),
    ];
    for (what, release) in releases {
        let (home, port) = (Home::new(), free_port());
        start(&home, "node", SERVER, "2", port, &[]);
        let before = pids(&home);
        home.write("app.js", release);
        let load = load(port, 2);
        let output = home.rewake(["reload", "web"]).fails();
        let counted = load.end();
        assert_eq!(counted.failed, Vec::<String>::new(), "{what}");
        assert_eq!(pids(&home), before, "{what}: the old ones serve on");
        assert!(before.iter().all(|pid| is_alive(*pid)), "{what}");
        assert!(output.stderr.contains("goes on with its old process"), "{what}: {}", output.stderr);
    }
}

#[test]
fn a_release_that_dies_a_moment_after_it_listens_never_replaces_a_good_one() {
    let (home, port) = (Home::new(), free_port());
    // Longer than it lives on the slowest machine.
    start_with(&home, "node", SERVER, "2", port, &["--reload-soak", "60000"]);
    let before = pids(&home);
    let dies = ".listen(+process.env.PORT, () => setTimeout(() => { throw new Error('no database') }, 300))";
    home.write("app.js", &SERVER.replace(".listen(+process.env.PORT)", dies));
    let output = home.rewake(["reload", "web"]).fails();
    assert!(output.stderr.contains("was ready but exited with code 1"), "{}", output.stderr);
    assert_eq!(pids(&home), before, "the old ones serve on");
    assert!(before.contains(&get(port).unwrap().parse().unwrap()));
}

#[test]
fn the_first_new_process_of_a_reload_soaks_unless_told_otherwise() {
    let (home, port) = (Home::new(), free_port());
    start_with(&home, "node", SERVER, "2", port, &[]);
    let before = pids(&home);
    let load = load(port, 2);
    let began = Instant::now();
    home.rewake(["reload", "web"]).ok();
    assert!(began.elapsed() >= Duration::from_millis(1500), "the first of them has soaked: {:?}", began.elapsed());
    assert!(before.is_disjoint(&pids(&home)));
    assert_eq!(load.end().failed, Vec::<String>::new());
}

#[test]
fn a_release_that_never_becomes_ready_is_refused_after_listen_timeout() {
    let (home, port) = (Home::new(), free_port());
    let good = "require('http').createServer((q, r) => r.end(String(process.pid))).listen(+process.env.PORT, () => process.send('ready'))";
    start(&home, "node", good, "2", port, &["--wait-ready", "--listen-timeout", "500"]);
    let before = pids(&home);
    home.write("app.js", "setInterval(() => {}, 1e6)");
    let output = home.rewake(["reload", "web"]).fails();
    assert!(output.stderr.contains("not ready in time"), "{}", output.stderr);
    assert_eq!(pids(&home), before);
    assert!(before.contains(&get(port).unwrap().parse().unwrap()));
}

#[test]
fn a_stop_in_the_middle_of_a_reload_wins() {
    let (home, port) = (Home::new(), free_port());
    start(&home, "node", SERVER, "2", port, &[]);
    home.write("app.js", "setInterval(() => {}, 1e6)");
    let mut reload = home.command(["reload", "web"]).spawn().unwrap();
    let log = home.path().join("rewake.log");
    until("it is under way", || std::fs::read_to_string(&log).is_ok_and(|text| text.contains("Reload app")));
    home.rewake(["stop", "web"]).ok();
    assert_eq!(reload.wait().unwrap().code(), Some(1));
    assert!(home.slots("web").iter().all(|slot| slot.1 == "stopped" && slot.0 == 0));
}

#[test]
fn an_app_is_scaled_up_and_down_under_load_without_losing_a_request() {
    let (home, port) = (Home::new(), free_port());
    start(&home, "node", SERVER, "2", port, &[]);
    let load = load(port, 4);
    for (to, count) in [("4", 4), ("-1", 3), ("+2", 5), ("1", 1)] {
        home.rewake(["scale", "web", to]).ok();
        assert_eq!(home.slots("web").len(), count);
    }
    let counted = load.end();
    assert_eq!(counted.failed, Vec::<String>::new());
    home.rewake(["scale", "web", "0"]).fails();
    home.rewake(["scale", "web", "1"]).fails();
}

#[test]
fn the_daemon_dies_in_the_middle_and_reload_and_restart_go_on() {
    let (home, port) = (Home::new(), free_port());
    start(&home, "node", SERVER, "2", port, &[]);
    let load = load(port, 4);
    for _ in 0..3 {
        let (daemon, before) = (home.daemon().unwrap(), pids(&home));
        std::process::Command::new("kill").args(["-KILL", &daemon.to_string()]).status().unwrap();
        until("another daemon is there", || home.daemon().is_some_and(|now| now != daemon && is_alive(now)));
        assert_eq!(pids(&home), before, "nobody noticed");
        home.rewake(["reload", "web"]).ok();
        assert!(before.is_disjoint(&pids(&home)));
    }
    let counted = load.end();
    assert_eq!(counted.failed, Vec::<String>::new(), "{} answered", counted.answered);
    home.rewake(["delete", "web"]).ok();
    until("nobody listens", || get(port).is_err_and(|error| error.contains("refused")));
}

#[test]
fn a_daemon_that_dies_in_the_middle_of_a_reload_leaves_one_process_for_each_instance() {
    let (home, port) = (Home::new(), free_port());
    start(&home, "node", SERVER, "2", port, &[]);
    let load = load(port, 2);
    let mut ever = pids(&home);
    for moment in 0..8 {
        let daemon = home.daemon().unwrap();
        let mut reload = home.command(["reload", "web"]).stderr(Stdio::null()).spawn().unwrap();
        // Different moments of the reload, which takes some 200 ms: before, between and behind its steps.
        std::thread::sleep(Duration::from_millis(moment * 30));
        std::process::Command::new("kill").args(["-KILL", &daemon.to_string()]).status().unwrap();
        reload.wait().unwrap();
        // After so many deaths the keeper waits for somebody to ask before it starts the next.
        until("another daemon is there", || {
            home.rewake(["ping"]).code == 0 && home.daemon().is_some_and(|now| now != daemon && is_alive(now))
        });
        until("both instances are up", || home.slots("web").iter().all(|slot| slot.1 == "online" && is_alive(slot.0)));
        let keeper = home.keeper().unwrap();
        // The next daemon goes on with the reload, if the last one had begun.
        until("nothing else is left", || {
            let (now, children) = (pids(&home), rust_tests::home::children(keeper));
            now.len() == 2 && children.iter().all(|(pid, _)| now.contains(pid) || Some(*pid) == home.daemon())
        });
        ever.extend(pids(&home));
    }
    home.rewake(["reload", "web"]).ok();
    let counted = load.end();
    assert_eq!(counted.failed, Vec::<String>::new(), "{} answered", counted.answered);
}

#[test]
fn after_a_failed_reload_a_crash_starts_the_old_release_again() {
    let (home, port) = (Home::new(), free_port());
    let script = format!("if (process.env.BAD) throw new Error('bad release'); {SERVER}");
    start(&home, "node", &script, "2", port, &[]);
    home.rewake(["reload", "web", "--env", "BAD=1"]).fails();
    let (victim, _, restarts) = home.slots("web")[0].clone();
    home.rewake(["send-signal", "SIGKILL", "0"]).ok();
    until("it runs again", || {
        let slot = &home.slots("web")[0];
        slot.0 != victim && slot.1 == "online" && slot.2 == restarts + 1
    });
    home.rewake(["restart", "web"]).ok();
    until("it answers", || get(port).is_ok());
}

/// Begins a reload that sets `BAD`, and waits until its first new process is ordered.
fn begin_bad_reload(home: &Home) -> Child {
    let reload = home.command(["reload", "web", "--env", "BAD=1"]).stderr(Stdio::piped()).spawn().unwrap();
    let log = home.path().join("rewake.log");
    until("it is under way", || std::fs::read_to_string(&log).is_ok_and(|text| text.contains("Reload app")));
    reload
}

fn fails_with(reload: Child, what: &str) {
    let output = reload.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains(what), "{said}");
}

fn is_the_good_release(home: &Home, port: u16) {
    until("it serves again", || {
        home.slots("web").iter().all(|slot| slot.1 == "online")
            && get(port).is_ok_and(|pid| pids(home).contains(&pid.parse().unwrap()))
    });
    assert!(!home.rewake(["env", "0"]).ok().stdout.contains("BAD"));
}

#[test]
fn another_command_in_the_middle_does_not_make_a_bad_release_the_one_that_is_restarted() {
    let (home, port) = (Home::new(), free_port());
    let script = format!("if (process.env.BAD) setInterval(() => {{}}, 1e6); else {{ {SERVER} }}");
    start(&home, "node", &script, "1", port, &["--listen-timeout", "1000"]);
    let reload = begin_bad_reload(&home);
    home.rewake(["reset", "web"]).ok();
    fails_with(reload, "the new one was not ready in time");
    let old = home.slots("web")[0].0;
    home.rewake(["send-signal", "SIGKILL", "0"]).ok();
    until("it has ended", || !is_alive(old));
    is_the_good_release(&home, port);
}

#[test]
fn an_old_process_that_dies_in_the_middle_does_not_make_a_bad_release_a_success() {
    let (home, port) = (Home::new(), free_port());
    // It ends when the test has seen it alone.
    let bad = "setInterval(() => { if (require('fs').existsSync('seen')) process.exit(7); }, 10)";
    let script = format!("if (process.env.BAD) {bad}; else {{ {SERVER} }}");
    start(&home, "node", &script, "1", port, &[]);
    let reload = begin_bad_reload(&home);
    home.rewake(["send-signal", "SIGKILL", "0"]).ok();
    until("the new one is alone", || home.slots("web")[0].1 == "launching");
    home.write("seen", "");
    fails_with(reload, "its old process ended meanwhile, and the new one exited with code 7");
    is_the_good_release(&home, port);
}
