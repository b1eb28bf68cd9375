//! Daemon and keeper die at once: what lives is taken back by the next command, and nothing ever runs twice.

use std::os::unix::net::UnixStream;

use rust_tests::home::{is_alive, kill, until};

use crate::http::{get, load};
use crate::supervisor::setup::{Served, of_home, processes_of_apps};

fn kill_both(served: &Served) {
    let (keeper, daemon) = (served.home.keeper().unwrap(), served.home.daemon().unwrap());
    // Stopped first: else the one that lives a moment longer would start the other.
    for (signal, pid) in [("-STOP", keeper), ("-STOP", daemon), ("-KILL", daemon), ("-KILL", keeper)] {
        std::process::Command::new("kill").args([signal, &pid.to_string()]).status().unwrap();
    }
    until("both are gone", || !is_alive(keeper) && !is_alive(daemon));
    // A thread of the daemon may live a moment longer than its first one, and keep the socket open.
    let socket = served.home.path().join("rpc.sock");
    until("nobody listens", || UnixStream::connect(&socket).is_err());
}

#[test]
fn a_fork_app_goes_on_and_is_taken_back_and_workers_are_restarted() {
    let served = Served::new();
    let home = &served.home;
    let one = home.slots("one")[0].0;
    let load = load(served.one, 2);
    for round in 0..3 {
        let workers: Vec<u32> = home.slots("web").iter().map(|slot| slot.0).collect();
        kill_both(&served);
        let slots = home.slots("one");
        assert_eq!((slots[0].0, slots[0].1.as_str()), (one, "online"), "round {round}");
        until("the workers serve again", || {
            home.slots("web").iter().all(|slot| slot.1 == "online" && !workers.contains(&slot.0))
                && get(served.web).is_ok()
        });
        let (mut known, mut found) = (served.pids(), processes_of_apps(home));
        known.sort_unstable();
        found.sort_unstable();
        assert_eq!(known, found, "round {round}: none twice");
    }
    assert_eq!(load.end().failed, Vec::<String>::new());
    let told = home.rewake(["describe", "one"]).ok().stdout;
    assert!(told.contains("taken back"), "{told}");
    home.rewake(["restart", "one"]).ok();
    assert!(!is_alive(one));
    assert!(!home.rewake(["describe", "one"]).ok().stdout.contains("taken back"));
    home.rewake(["kill"]).ok();
    until("nothing is left", || processes_of_apps(home).is_empty() && of_home(home, "--").is_empty());
}

#[test]
fn one_that_is_taken_back_can_be_stopped_and_its_end_is_seen() {
    let served = Served::new();
    let home = &served.home;
    home.write("sleeper.js", "setInterval(() => {}, 1e6)");
    home.rewake(["start", "sleeper.js", "--name", "sleeper"]).ok();
    let (one, sleeper) = (home.slots("one")[0].0, home.slots("sleeper")[0].0);
    kill_both(&served);
    home.rewake(["stop", "one"]).ok();
    assert!(!is_alive(one));
    assert_eq!(home.slots("one")[0].1, "stopped");
    assert_eq!(home.slots("sleeper")[0].0, sleeper);
    kill(sleeper);
    until("it is started again", || home.slots("sleeper").iter().all(|slot| slot.0 != sleeper && slot.1 == "online"));
}

#[test]
fn both_die_while_processes_are_made_and_none_runs_twice() {
    let served = Served::new();
    let home = &served.home;
    for round in 0..5 {
        let log = home.path().join("rewake.log");
        let restarts = || std::fs::read_to_string(&log).unwrap_or_default().matches(" Restart app=").count();
        let before = restarts();
        let mut restart = home.command(["restart", "all", "--silent"]).spawn().unwrap();
        until("it has begun", || restarts() > before || !home.path().join("rpc.sock").exists());
        kill_both(&served);
        // It has lost its daemon, and says so.
        restart.wait().unwrap();
        home.rewake(["ping"]).ok();
        until("all are online", || home.jlist().iter().all(|slot| slot["pm2_env"]["status"] == "online"));
        until("what runs is what is listed", || {
            let (mut known, mut found) = (served.pids(), processes_of_apps(home));
            known.sort_unstable();
            found.sort_unstable();
            assert!(found.len() <= 3 + 2, "round {round}: {found:?}");
            known == found
        });
    }
}
