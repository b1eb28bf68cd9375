//! The keeper dies: the daemon starts another one, and apps keep their processes, sockets and channels.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use rust_tests::home::{Home, children, descriptors, is_alive, kill, until};

use crate::http::load;
use crate::supervisor::setup::{Served, keepers, new_keeper, of_home, processes_of_apps};

#[test]
fn a_keeper_that_dies_ten_times_under_load_costs_no_request_and_no_process() {
    let served = Served::new();
    let home = &served.home;
    home.write("lines.js", "let n = 0; setInterval(() => console.log('line ' + n++), 2);");
    home.rewake(["start", "lines.js"]).ok();
    let (daemon, pids) = (home.daemon().unwrap(), served.pids());
    let loads = [load(served.web, 2), load(served.one, 2)];
    let mut keeper = keepers(home)[0];
    let mut open = 0;
    for round in 0..10 {
        kill(keeper);
        keeper = new_keeper(home, keeper);
        assert_eq!(served.pids(), pids, "round {round}");
        if round == 0 {
            open = descriptors(daemon);
        }
    }
    // A few are those of commands that are just ending; one that is left over by each keeper would show.
    until("descriptors of the dead are closed", || descriptors(daemon) <= open + 3);
    until("no dead keeper is left", || children(daemon).len() == 1);
    assert_eq!(home.daemon(), Some(daemon));
    for load in loads {
        let counted = load.end_after(50);
        assert_eq!(counted.failed, Vec::<String>::new(), "{} answered", counted.answered);
    }
    home.rewake(["reload", "web"]).ok();
    home.rewake(["restart", "one"]).ok();
    home.rewake(["stop", "lines"]).ok();
    let log = fs::read_to_string(home.path().join("logs/lines-out.log")).unwrap();
    for (n, line) in log.lines().enumerate() {
        assert_eq!(line, format!("line {n}"));
    }
    home.rewake(["kill"]).ok();
    until("nothing is left", || {
        processes_of_apps(home).is_empty() && of_home(home, "--").is_empty() && pids.iter().all(|pid| !is_alive(*pid))
    });
    assert!(!home.path().join("rpc.sock").exists());
}

#[test]
fn a_keeper_that_cannot_be_replaced_at_once_costs_no_process_and_comes_later() {
    let served = Served::new();
    let home = &served.home;
    let (daemon, pids, keeper) = (home.daemon().unwrap(), served.pids(), keepers(home)[0]);
    let loads = [load(served.web, 1), load(served.one, 1)];
    let log = home.path().join("rewake.log");
    let tries = || fs::read_to_string(&log).unwrap_or_default().matches("there is no keeper; trying again").count();
    // The daemon can open nothing more.
    let most = open_files(daemon, "3:");
    kill(keeper);
    // More often than a daemon would try that takes it for final.
    until("it is tried again and again", || tries() > 5);
    assert!(keepers(home).is_empty());
    open_files(daemon, &format!("{most}:"));
    new_keeper(home, keeper);
    assert_eq!((served.pids(), home.daemon()), (pids, Some(daemon)));
    for load in loads {
        assert_eq!(load.end().failed, Vec::<String>::new());
    }
    home.rewake(["reload", "web"]).ok();
    home.rewake(["restart", "one"]).ok();
}

#[test]
fn without_a_keeper_a_stop_is_as_polite_as_ever() {
    let served = Served::new();
    let home = &served.home;
    let polite = "const bye = () => { require('fs').writeFileSync('note', 'bye'); process.exit(); };
         process.on('SIGINT', () => setTimeout(bye, 300)); setInterval(() => {}, 1e6); console.log('up')";
    home.write("polite.js", polite);
    home.rewake(["start", "polite.js", "--kill-timeout", "60000"]).ok();
    let out = home.path().join("logs/polite-out.log");
    until("it takes the signal", || fs::read_to_string(&out).unwrap_or_default().contains("up"));
    let (daemon, keeper, pid) = (home.daemon().unwrap(), keepers(home)[0], home.slots("polite")[0].0);
    // The descriptor of the last command's connection must not come on top.
    until("the last command has hung up", || connections(home) == 0);
    // Enough for a client, too little for a keeper.
    let most = open_files(daemon, &format!("{}:", third_free(daemon)));
    kill(keeper);
    let log = home.path().join("rewake.log");
    until("there is none", || fs::read_to_string(&log).unwrap_or_default().contains("there is no keeper"));
    let mut stop = home.command(["stop", "polite", "--silent"]).spawn().unwrap();
    until("it has ended", || !is_alive(pid));
    assert_eq!(fs::read_to_string(home.folder().join("note")).unwrap(), "bye");
    assert!(keepers(home).is_empty());
    open_files(daemon, &format!("{most}:"));
    assert!(stop.wait().unwrap().success());
    assert_eq!(home.slots("polite")[0].1, "stopped");
}

/// How many clients the daemon has: what was accepted has the name of the socket that listens, and the state of what is connected.
fn connections(home: &Home) -> usize {
    let socket = home.path().join("rpc.sock").display().to_string();
    let open = fs::read_to_string("/proc/net/unix").unwrap();
    open.lines().filter(|line| line.ends_with(&socket) && line.split_ascii_whitespace().nth(5) == Some("03")).count()
}

/// The number of a process's third descriptor from now: with it as the limit there are two.
fn third_free(pid: u32) -> usize {
    let names = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().map(|entry| entry.unwrap().file_name());
    let open: BTreeSet<usize> = names.map(|name| name.to_str().unwrap().parse().unwrap()).collect();
    (0..).filter(|number| !open.contains(number)).nth(2).unwrap()
}

/// Sets the limit of open files of a process (`soft:`); the former one.
fn open_files(pid: u32, limit: &str) -> String {
    let prlimit = |args: &[&str]| {
        let output =
            Command::new("prlimit").args(["--pid", &pid.to_string()]).args(args).output().expect("prlimit runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let former = prlimit(&["--nofile", "--raw", "--noheadings", "--output", "SOFT"]);
    prlimit(&[&format!("--nofile={limit}")]);
    former
}

#[test]
fn exits_after_the_keepers_death_are_told_as_far_as_the_kernel_does() {
    let served = Served::new();
    let home = &served.home;
    home.write(
        "ends.js",
        "process.on('SIGUSR2', () => process.exit(42)); setInterval(() => {}, 1e6); console.log('up')",
    );
    home.rewake(["start", "ends.js", "--name", "code", "--no-autorestart"]).ok();
    home.rewake(["start", "ends.js", "--name", "signal"]).ok();
    let log = home.path().join("logs/code-out.log");
    until("it takes the signal", || fs::read_to_string(&log).unwrap_or_default().contains("up"));
    let keeper = keepers(home)[0];
    kill(keeper);
    new_keeper(home, keeper);
    let before = home.slots("signal")[0].0;
    kill(before);
    home.rewake(["send-signal", "USR2", "code"]).ok();
    let told = |name: &str| home.rewake(["describe", name]).ok().stdout;
    until("both have ended", || home.slots("code")[0].1 == "stopped" && home.slots("signal")[0].0 != before);
    until("the second one runs again", || home.slots("signal")[0].1 == "online");
    assert!(told("code").contains("code 42") || told("code").contains("unknown"), "{}", told("code"));
    assert!(told("signal").contains("SIGKILL") || told("signal").contains("unknown"), "{}", told("signal"));
    assert!(!is_alive(before));
}

#[test]
fn after_the_keeper_the_daemon_may_die_too_and_after_it_the_keeper_again() {
    let served = Served::new();
    let home = &served.home;
    let pids = served.pids();
    let loads = [load(served.web, 2), load(served.one, 2)];
    let mut keeper = keepers(home)[0];
    for _ in 0..3 {
        kill(keeper);
        keeper = new_keeper(home, keeper);
        // What it is told is in its hands before the daemon may go.
        assert_eq!(served.pids(), pids);
        let daemon = home.daemon().unwrap();
        kill(daemon);
        until("another daemon serves", || home.daemon() != Some(daemon) && home.rewake(["ping"]).code == 0);
        assert_eq!(served.pids(), pids);
    }
    for load in loads {
        assert_eq!(load.end().failed, Vec::<String>::new());
    }
    assert_eq!((keepers(home).len(), of_home(home, "--daemon").len()), (1, 1));
    home.rewake(["update"]).ok();
    assert_eq!(served.pids(), pids);
}

#[test]
fn a_keeper_that_dies_while_processes_are_made_leaves_each_slot_one_process() {
    let served = Served::new();
    let home = &served.home;
    for round in 0..8 {
        let keeper = keepers(home)[0];
        let mut restart = home.command(["restart", "all", "--silent"]).spawn().unwrap();
        let log = home.path().join("rewake.log");
        let restarts = || fs::read_to_string(&log).unwrap_or_default().matches(" Restart app=").count();
        until("it has begun", || restarts() > round * 3);
        kill(keeper);
        assert!(restart.wait().unwrap().success(), "round {round}");
        new_keeper(home, keeper);
        until("all are online", || home.jlist().iter().all(|slot| slot["pm2_env"]["status"] == "online"));
        // One that the dead keeper could not tell of any more is killed; that may take its time.
        until("no process is left but those that are listed", || {
            let (mut known, mut found) = (served.pids(), processes_of_apps(home));
            known.sort_unstable();
            found.sort_unstable();
            known == found
        });
    }
}
