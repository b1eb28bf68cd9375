//! `rewake update`: the supervisor becomes another executable, and nobody notices; one that is no good replaces nothing.

use std::fs;
use std::path::{Path, PathBuf};

use rust_tests::client::Client;
use rust_tests::home::{Home, Output, executable, is_alive, until};

use serde_json::json;

use crate::http::load;
use crate::supervisor::setup::{Served, keepers, of_home};

/// A copy of the executable under another name.
fn copy(home: &Home, name: &str) -> PathBuf {
    let path = home.folder().join(name);
    fs::copy(executable(), &path).unwrap();
    path
}

fn update(home: &Home, path: &Path) -> Output {
    home.rewake(["update".as_ref(), path.as_os_str()])
}

/// The file that a process runs.
fn runs(pid: u32) -> PathBuf {
    fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default()
}

#[test]
fn an_update_under_load_touches_no_process_and_loses_no_request_line_or_exit() {
    let served = Served::new();
    let home = &served.home;
    home.write("lines.js", "let n = 0; setInterval(() => console.log('line ' + n++), 2);");
    home.write("ends.js", "setTimeout(() => process.exit(42), 30 + 60 * Math.random());");
    home.rewake(["start", "lines.js"]).ok();
    let (keeper, pids) = (home.keeper().unwrap(), served.pids());
    let loads = [load(served.web, 2), load(served.one, 2)];
    for round in 0..5 {
        // Its end falls somewhere into the updates.
        let name = format!("ends-{round}");
        home.rewake(["start", "ends.js", "--name", &name, "--no-autorestart"]).ok();
        let daemon = home.daemon().unwrap();
        let new = copy(home, &format!("rewake-{round}"));
        let told = update(home, &new).ok();
        assert!(told.stderr.contains("no process was touched"), "{}", told.stderr);
        assert_eq!(runs(keeper), new, "the same keeper is another executable");
        let next = home.daemon().unwrap();
        assert_ne!(next, daemon);
        assert_eq!(runs(next), new);
        assert!(!is_alive(daemon));
    }
    for load in loads {
        let counted = load.end_after(50);
        assert_eq!(counted.failed, Vec::<String>::new(), "{} answered", counted.answered);
    }
    let mut now = served.pids();
    now.retain(|pid| pids.contains(pid));
    assert_eq!(now, pids, "the same processes");
    assert_eq!(keepers(home), [keeper]);
    let log = home.path().join("rewake.log");
    for round in 0..5 {
        let name = format!("app=\"ends-{round}\"");
        let ends = || {
            let log = fs::read_to_string(&log).unwrap_or_default();
            log.lines().filter(|line| line.contains(&name) && line.contains("exited with code 42")).count()
        };
        until("its exit is known", || ends() > 0);
        assert_eq!(ends(), 1, "told once");
    }
    home.rewake(["stop", "lines"]).ok();
    let log = fs::read_to_string(home.path().join("logs/lines-out.log")).unwrap();
    for (n, line) in log.lines().enumerate() {
        assert_eq!(line, format!("line {n}"));
    }
    home.rewake(["reload", "web"]).ok();
    home.rewake(["restart", "one"]).ok();
}

#[test]
fn an_executable_whose_daemon_does_not_come_up_gives_way_to_the_former_one() {
    let served = Served::new();
    let home = &served.home;
    let (keeper, pids, former) = (home.keeper().unwrap(), served.pids(), runs(home.keeper().unwrap()));
    let loads = [load(served.web, 2), load(served.one, 2)];
    let bad = PathBuf::from(env!("CARGO_BIN_EXE_bad_update"));
    let output = update(home, &bad).fails();
    assert!(output.stderr.contains("goes on"), "{}", output.stderr);
    for load in loads {
        assert_eq!(load.end().failed, Vec::<String>::new());
    }
    assert_eq!(served.pids(), pids);
    assert_eq!((keepers(home), runs(keeper)), (vec![keeper], former.clone()));
    assert_eq!(runs(home.daemon().unwrap()), former);
    // It is as good as before, also for the next update.
    home.rewake(["restart", "one"]).ok();
    update(home, &copy(home, "good")).ok();
    home.rewake(["reload", "web"]).ok();
}

#[test]
fn of_two_updates_at_once_each_is_done_or_refused() {
    let served = Served::new();
    let home = &served.home;
    let pids = served.pids();
    let paths: Vec<PathBuf> = (0..3).map(|n| copy(home, &format!("rewake-{n}"))).collect();
    let outputs: Vec<Output> = std::thread::scope(|scope| {
        let all: Vec<_> = paths.iter().map(|path| scope.spawn(move || update(home, path))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(outputs.iter().any(|output| output.code == 0), "{outputs:?}");
    for output in outputs.iter().filter(|output| output.code != 0) {
        assert!(output.stderr.contains("under way"), "{output:?}");
    }
    assert_eq!(served.pids(), pids);
    assert_eq!((keepers(home).len(), of_home(home, "--daemon").len()), (1, 1));
}

#[test]
fn whoever_asks_late_is_told_of_its_own_update_though_others_came_after_it() {
    let home = Home::new();
    home.write("a.js", "setInterval(() => {}, 1e6)");
    home.rewake(["start", "a.js"]).ok();
    let (token, path) = (7, copy(&home, "rewake-first"));
    let ask = json!({ "update": { "path": path, "token": token } });
    let answer = Client::connect(&home.path()).unwrap().request(&ask).unwrap();
    assert_eq!(answer["reply"]["reply"], "handing_over", "{answer}");
    until("the first has taken over", || home.daemon().is_some_and(|daemon| runs(daemon) == path));
    update(&home, &copy(&home, "rewake-second")).ok();
    update(&home, Path::new(env!("CARGO_BIN_EXE_bad_update"))).fails();
    let mut client = Client::connect(&home.path()).unwrap();
    let mut outcome = |token: u64| client.request(&json!({ "updated": { "token": token } })).unwrap();
    let first = outcome(token);
    let told = &first["reply"]["reply"]["updated"];
    assert!(told["from"].is_string() && told["failed"].is_null(), "{first}");
    let unknown = outcome(token + 1);
    assert!(unknown["error"]["error"]["message"].as_str().unwrap().contains("is not known"), "{unknown}");
}

#[test]
fn an_update_waits_for_a_reload_that_is_under_way() {
    let served = Served::new();
    let home = &served.home;
    let before = served.pids();
    let load = load(served.web, 2);
    let mut reload = home.command(["reload", "web", "--silent"]).spawn().unwrap();
    until("it has begun", || {
        let log = fs::read_to_string(home.path().join("rewake.log")).unwrap_or_default();
        log.contains(" Reload app=")
    });
    update(home, &copy(home, "rewake-new")).ok();
    assert!(reload.wait().unwrap().success(), "the reload has had its answer");
    assert_eq!(load.end().failed, Vec::<String>::new());
    let after = served.pids();
    assert_eq!(before.iter().filter(|pid| after.contains(pid)).count(), 1, "only the fork app is the same");
}

#[test]
fn without_a_daemon_there_is_nothing_to_update() {
    let home = Home::new();
    let output = home.rewake(["update", "--json"]).ok();
    assert_eq!(output.json()["updated"], false);
    assert!(home.daemon().is_none());
    home.write("a.js", "setInterval(() => {}, 1e6)");
    home.rewake(["start", "a.js"]).ok();
    let told = home.rewake(["update", "--json"]).ok().json();
    assert_eq!((told["updated"].as_bool(), told["from"].as_str()), (Some(true), told["to"].as_str()));
    assert!(told["ms"].is_u64());
}
