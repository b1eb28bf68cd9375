//! Bad luck: strangers on a port, files of the dead, workers that die all at once.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use rewake_unix::listen::group::Group;
use rust_tests::ports::free_port;

use super::support::MODES;
use super::support::client::{Load, connect_unix, get};
use super::support::fleet::{App, Fleet, each_node};

const RETRIES: (&str, &str) = ("retries.js", include_str!("scripts/retries.js"));
const SERVER: (&str, &str) = ("server.js", include_str!("scripts/server.js"));

#[test]
fn a_port_that_a_stranger_has_is_refused_even_if_he_would_share_it_and_can_be_had_after_him() {
    for node in each_node() {
        let fleet = Fleet::new(&node, &[RETRIES]);
        let ports = MODES.map(|_| free_port());
        // Two who would share their ports, and two who would not.
        let sharing = [0, 1].map(|at| Group::first(Some("127.0.0.1"), ports[at], false, 5).unwrap());
        let alone = [2, 3].map(|at| TcpListener::bind(("127.0.0.1", ports[at])).unwrap());
        let app = |(mode, port): (&str, &u16)| App::new(mode, "retries.js").mode(mode).env("PORT", port);
        fleet.start(&MODES.into_iter().zip(&ports).map(app).collect::<Vec<_>>());
        for mode in MODES {
            let told = fleet.told(mode, 2);
            assert!(told.iter().all(|told| told.seen == "EADDRINUSE"), "Node {} {mode}: {told:?}", node.major);
        }
        drop((sharing, alone));
        for (mode, port) in MODES.into_iter().zip(ports) {
            let told = fleet.told(mode, 4).split_off(2);
            assert!(told.iter().all(|told| told.seen == "listens"), "Node {} {mode}: {told:?}", node.major);
            assert_eq!(get(port).as_deref(), Ok("served"), "Node {} {mode}", node.major);
        }
    }
}

#[test]
fn a_socket_file_of_a_dead_owner_is_replaced_and_gone_after_stop() {
    for node in each_node() {
        let fleet = Fleet::new(&node, &[SERVER]);
        let file = |mode: &str| fleet.folder().join(format!("{mode}.sock"));
        for mode in MODES {
            // The file stays behind.
            drop(UnixListener::bind(file(mode)).unwrap());
        }
        let app = |mode: &str| {
            App::new(mode, "server.js").mode(mode).env("PORT", free_port()).env("SOCKET", file(mode).display())
        };
        fleet.start(&MODES.map(app));
        for mode in MODES {
            fleet.until("it listens there", || connect_unix(&file(mode)).is_ok());
            fleet.rewake(["stop", mode]).ok();
            assert!(!file(mode).exists(), "Node {} {mode}", node.major);
        }
    }
}

#[test]
fn connections_wait_while_all_workers_are_dead() {
    let slow = ("slow.js", &*format!("setTimeout(() => {{ {} }}, 200)", SERVER.1));
    for node in each_node().into_iter().take(1) {
        let fleet = Fleet::new(&node, &[slow]);
        let ports = fleet.answering_in_all_modes("slow.js");
        for _ in 0..2 {
            let before = MODES.map(|mode| fleet.pids(mode)).concat();
            fleet.rewake(["send-signal", "SIGKILL", "all"]).ok();
            for (mode, port) in MODES.into_iter().zip(ports) {
                // A connection that a dying worker has just taken ends with it; no one is refused.
                let answer = get(port);
                let refused = answer.as_ref().is_err_and(|error| error.contains("refused"));
                assert!(!refused, "{mode}: {answer:?}");
            }
            fleet.until("others answer", || {
                let now = MODES.map(|mode| fleet.pids(mode)).concat();
                now.iter().all(|pid| *pid != 0 && !before.contains(pid)) && ports.iter().all(|port| get(*port).is_ok())
            });
        }
    }
}

#[test]
fn a_killed_worker_costs_at_most_what_it_was_answering() {
    for node in each_node().into_iter().take(1) {
        let fleet = Fleet::new(&node, &[SERVER]);
        let ports = fleet.answering_in_all_modes("server.js");
        let loads = ports.map(Load::begin);
        for _ in 0..5 {
            for mode in MODES {
                let slots = fleet.jlist();
                let slot = slots.iter().find(|slot| slot["name"] == mode).unwrap();
                let restarts = slot["pm2_env"]["restart_time"].as_u64().unwrap();
                fleet.rewake(["send-signal", "SIGKILL", &slot["pm_id"].to_string()]).ok();
                fleet.until("another has taken its place", || {
                    let first = fleet.slots(mode).remove(0);
                    first.2 > restarts && first.1 == "online"
                });
            }
        }
        for (mode, load) in MODES.into_iter().zip(loads) {
            load.wait_for(50);
            let counted = load.end();
            // Each of the four clients of a port may have been with the one that was killed, each time.
            assert!(counted.failed.len() <= 20, "{mode}: {:?}", counted.failed);
            let hung =
                counted.failed.iter().any(|error| error.contains("refused") || error.contains("Resource temporarily"));
            assert!(!hung, "{mode}: {:?}", counted.failed);
        }
    }
}

#[test]
fn a_release_whose_port_is_taken_replaces_nothing() {
    let node = &each_node()[0];
    let fleet = Fleet::new(node, &[SERVER]);
    let ports = fleet.start_in_all_modes("server.js", |app| app);
    let stranger = TcpListener::bind("[::]:0").or_else(|_| TcpListener::bind("0.0.0.0:0")).unwrap();
    let taken = stranger.local_addr().unwrap().port();
    for (mode, port) in MODES.into_iter().zip(ports) {
        // A new process need not listen in the place of one that has not yet.
        fleet.until_all_listen(mode);
        let before = fleet.pids(mode);
        let refused = fleet.rewake(["reload", mode, "--env", &format!("PORT={taken}")]).fails();
        assert!(refused.stderr.contains("goes on with its old process"), "{mode}: {}", refused.stderr);
        assert_eq!(fleet.pids(mode), before, "{mode}");
        assert!(get(port).is_ok_and(|by| before.contains(&by.parse().unwrap())), "{mode}");
    }
}

#[test]
fn a_path_longer_than_the_kernel_takes_is_listened_on_all_the_same() {
    for node in each_node() {
        let fleet = Fleet::new(&node, &[SERVER]);
        let folder = fleet.folder().join("a".repeat(120));
        std::fs::create_dir(&folder).unwrap();
        let file = |mode: &str| folder.join(format!("{mode}.sock"));
        let app = |mode: &str| {
            App::new(mode, "server.js").mode(mode).env("PORT", free_port()).env("SOCKET", file(mode).display())
        };
        fleet.start(&MODES.map(app));
        for mode in MODES {
            // Clients cannot name it, either, but by a shorter way.
            let link = fleet.folder().join(format!("{mode}-link"));
            std::os::unix::fs::symlink(&folder, &link).unwrap();
            fleet.until("it listens there", || connect_unix(&link.join(format!("{mode}.sock"))).is_ok());
        }
    }
}
