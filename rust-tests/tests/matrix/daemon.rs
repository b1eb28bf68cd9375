//! The daemon dies while its workers do all that workers do. They go on, and so does what they had begun.

use std::process::Command;
use std::time::Instant;

use rust_tests::home::{PATIENCE, is_alive};
use rust_tests::ports::free_port;
use serde_json::json;

use super::support::MODES;
use super::support::client::{Load, get, is_unanswered};
use super::support::fleet::{App, Fleet, each_node};
use super::support::wire::{Caller, Hearer};

const BUSY: (&str, &str) = ("busy.js", include_str!("scripts/busy.js"));

/// Two workers for each mode that are busy with these tasks, and the ports on which they serve.
fn busy(fleet: &Fleet, tasks: &str, length: usize) -> [u16; 4] {
    let also = |app: App| app.env("OTHER", free_port()).env("TASKS", tasks).env("LENGTH", length);
    let ports = fleet.start_in_all_modes("busy.js", also);
    for port in ports {
        fleet.until("it answers", || get(port).is_ok());
    }
    ports
}

/// Each worker of these apps still hears and speaks, and nothing that it did has failed.
fn all_is_well(fleet: &Fleet, apps: &[&str]) {
    let mut caller = Caller::connect(fleet);
    for mode in apps {
        let heard = fleet.heard(mode).len();
        caller.send(mode, "\"there\"");
        let told = fleet.told(mode, heard + 2);
        let wrong: Vec<_> = told.iter().filter(|told| told.seen.get("wrong").is_some()).collect();
        assert!(wrong.is_empty(), "Node {} {mode}: {wrong:?}", fleet.node.major);
    }
}

#[test]
fn a_killed_daemon_is_noticed_by_no_client_and_by_no_worker_in_any_mode() {
    for node in each_node() {
        let fleet = Fleet::new(&node, &[BUSY]);
        let ports = busy(&fleet, "speak", 10);
        let pids = MODES.map(|mode| fleet.pids(mode));
        let loads = ports.map(Load::begin);
        for _ in 0..3 {
            fleet.kill_daemon();
            assert_eq!(MODES.map(|mode| fleet.pids(mode)), pids, "Node {}: the same processes", node.major);
        }
        for (mode, load) in MODES.into_iter().zip(loads) {
            load.wait_for(20);
            let counted = load.end();
            // What a daemon has just accepted to hand it over dies with it.
            let bound = if mode == "round-robin" { 3 } else { 0 };
            let what = format!("Node {} {mode}: {} answered, {:?}", node.major, counted.answered, counted.failed);
            assert!(counted.failed.len() <= bound, "{what}");
            // Its end comes before the client has asked, or while it waits; never in the middle of an answer.
            assert!(counted.failed.iter().all(|error| is_unanswered(error)), "{what}");
        }
        all_is_well(&fleet, &MODES);
    }
}

#[test]
fn a_worker_that_opens_and_closes_a_server_while_the_daemon_dies_is_never_refused() {
    for node in each_node() {
        let fleet = Fleet::new(&node, &[BUSY]);
        busy(&fleet, "open", 10);
        for _ in 0..3 {
            fleet.kill_daemon();
        }
        all_is_well(&fleet, &MODES);
    }
}

#[test]
fn a_worker_that_sends_sockets_while_the_daemon_dies_is_answered_once_for_each() {
    for node in each_node() {
        let fleet = Fleet::new(&node, &[BUSY]);
        busy(&fleet, "give speak", 10);
        let pids = MODES.map(|mode| fleet.pids(mode));
        for _ in 0..3 {
            fleet.kill_daemon();
        }
        // An answer too many ends a worker, one too few silences it.
        all_is_well(&fleet, &MODES);
        assert_eq!(MODES.map(|mode| fleet.pids(mode)), pids, "Node {}", node.major);
    }
}

#[test]
fn a_message_of_a_megabyte_that_the_daemon_dies_over_does_not_spoil_the_next() {
    for node in each_node() {
        let fleet = Fleet::new(&node, &[BUSY]);
        let app = App::new("web", "busy.js").env("PORT", free_port()).env("TASKS", "speak").env("LENGTH", 500_000);
        fleet.start(&[app]);
        for _ in 0..3 {
            // In the middle of it, as they come one after the other.
            Hearer::connect_to(&fleet, "web").messages(2);
            fleet.kill_daemon();
        }
        let mut hearer = Hearer::connect_to(&fleet, "web");
        let (mut whole, began) = ([0; 2], Instant::now());
        while whole.iter().any(|count| *count < 3) {
            assert!(began.elapsed() < 2 * PATIENCE, "heard of each: {whole:?}");
            // Of so much that is said this thread may miss some, but never a part.
            let Some(message) = hearer.message_unless_missed() else { continue };
            let text: serde_json::Value = serde_json::from_str(&message.data).unwrap();
            assert_eq!(text["text"].as_str().unwrap().chars().count(), 500_000, "it is whole");
            whole[usize::try_from(message.id).unwrap()] += 1;
        }
        all_is_well(&fleet, &["web"]);
        let log = std::fs::read_to_string(fleet.path().join("rewake.log")).unwrap();
        assert!(!log.contains("not a message"), "{log}");
    }
}

#[test]
fn an_exit_while_there_is_no_daemon_is_reported_with_its_status_and_another_takes_its_place() {
    for node in each_node() {
        let fleet = Fleet::new(&node, &[BUSY]);
        let ports = busy(&fleet, "", 0);
        // One that answers is not both: a signal to one that has just begun would be its end, without the code.
        all_is_well(&fleet, &MODES);
        let pids = MODES.map(|mode| fleet.pids(mode));
        // It hears of nothing any more, as if it were dead already.
        signal("STOP", fleet.daemon().unwrap());
        for pid in pids.iter().flatten() {
            signal("USR2", *pid);
        }
        fleet.until("all have left", || pids.iter().flatten().all(|pid| !is_alive(*pid)));
        fleet.kill_daemon();
        for (mode, (port, before)) in MODES.into_iter().zip(ports.into_iter().zip(&pids)) {
            let what = format!("Node {} {mode}", node.major);
            fleet.until("others are there", || {
                fleet.slots(mode).iter().all(|slot| slot.1 == "online" && !before.contains(&slot.0))
            });
            for slot in fleet.jlist().iter().filter(|slot| slot["name"] == mode) {
                let env = &slot["pm2_env"];
                assert_eq!((&env["exit_code"], &env["restart_time"]), (&json!(42), &json!(1)), "{what}: {env}");
            }
            fleet.until("they serve", || get(port).is_ok());
        }
    }
}

fn signal(name: &str, pid: u32) {
    let sent = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
    assert!(sent.unwrap().success(), "{name} to {pid}");
}

/// How often a process was put to sleep and woken again.
fn switches(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let number = |name: &str| -> u64 {
        status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().parse().unwrap()
    };
    number("voluntary_ctxt_switches:") + number("nonvoluntary_ctxt_switches:")
}

#[test]
fn a_daemon_whose_workers_have_nothing_to_do_sleeps() {
    let fleet = Fleet::new(&each_node()[0], &[BUSY]);
    let ports = busy(&fleet, "", 0);
    let (daemon, keeper) = (fleet.daemon().unwrap(), fleet.keeper().unwrap());
    for port in ports {
        get(port).unwrap();
    }
    // It looks once, ten seconds after they came, for addresses that nobody needs any more.
    fleet.until("it has been asleep for five seconds", || {
        let before = [switches(daemon), switches(keeper)];
        std::thread::sleep(std::time::Duration::from_secs(5));
        [switches(daemon), switches(keeper)] == before
    });
    assert_eq!(fleet.daemon(), Some(daemon));
}
