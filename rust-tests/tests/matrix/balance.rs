//! Which worker gets a connection: even among those that live, none to one that leaves or is full, and none lost with one that dies.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rust_tests::home::{PATIENCE, is_alive};

use super::support::MODES;
use super::support::client::{ask, connect, connect_from, get};
use super::support::fleet::{App, Fleet, each_node};
use rust_tests::ports::{free_port, has_ipv6};

const HOLDER: (&str, &str) = ("holder.js", include_str!("scripts/holder.js"));

/// An app of these modes each, and for each the port on which it holds connections and the one on which it takes orders.
fn holders(fleet: &Fleet, modes: &[&'static str], change: impl Fn(App) -> App) -> Vec<(&'static str, u16, u16)> {
    let ports: Vec<_> = modes.iter().map(|mode| (*mode, free_port(), free_port())).collect();
    let app = |(mode, port, control): &(&str, u16, u16)| {
        change(App::new(mode, "holder.js").mode(mode).env("PORT", port).env("CONTROL", control))
    };
    fleet.start(&ports.iter().map(app).collect::<Vec<_>>());
    for (mode, port, control) in &ports {
        let pids: BTreeSet<u32> = fleet.pids(mode).into_iter().collect();
        let mut seen = BTreeSet::new();
        fleet.until("each instance answers on both", || {
            // Several at once: of one after the other the same worker may get all.
            let clients: Vec<_> = (1..=32)
                .map(|client| {
                    let port = *port;
                    std::thread::spawn(move || connect_from(client, port).and_then(greeting).map(|(pid, _)| pid))
                })
                .collect();
            seen.extend(clients.into_iter().filter_map(|client| client.join().unwrap().ok()));
            get(*control).is_ok() && seen == pids
        });
    }
    ports
}

/// Who holds a new connection, and the connection.
fn greeting(mut stream: TcpStream) -> Result<(u32, TcpStream), String> {
    let mut buffer = [0; 16];
    let length = loop {
        match stream.read(&mut buffer) {
            // A stopped process that goes on hears of it here.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => break read.map_err(|error| error.to_string())?,
        }
    };
    let pid = String::from_utf8_lossy(&buffer[..length]).parse().map_err(|_| "closed".to_owned())?;
    Ok((pid, stream))
}

fn counts(held: &[(u32, TcpStream)]) -> BTreeMap<u32, usize> {
    let mut counts = BTreeMap::new();
    for (pid, _) in held {
        *counts.entry(*pid).or_default() += 1;
    }
    counts
}

#[test]
fn forty_connections_that_stay_are_ten_on_each_of_four_workers_in_round_robin() {
    for node in each_node() {
        let fleet = Fleet::new(&node, &[HOLDER]);
        let (_, port, _) = holders(&fleet, &["round-robin"], |app| app.instances(4))[0];
        let held: Vec<_> = (1..=40).map(|client| connect_from(client, port).and_then(greeting).unwrap()).collect();
        let counts = counts(&held);
        assert!(counts.len() == 4 && counts.values().all(|count| *count == 10), "Node {}: {counts:?}", node.major);
    }
}

#[test]
fn a_worker_that_has_more_connections_than_others_gets_fewer_new_ones() {
    for node in each_node() {
        let fleet = Fleet::new(&node, &[HOLDER]);
        let (mode, port, _) = holders(&fleet, &["kernel"], |app| app.instances(1))[0];
        let _held: Vec<_> = (1..=40).map(|client| connect_from(client, port).and_then(greeting).unwrap()).collect();
        let first = fleet.pids(mode)[0];
        fleet.rewake(["scale", mode, "4"]).ok();
        fleet.until("all of them get some", || {
            let counts = counts(
                &(1..=32).map(|client| connect_from(client, port).and_then(greeting).unwrap()).collect::<Vec<_>>(),
            );
            counts.keys().filter(|pid| **pid != first).count() == 3
        });
        let new: Vec<_> = (1..=60)
            .map(|client| {
                // As they arrive in life: one by one, not in one burst.
                std::thread::sleep(Duration::from_millis(10));
                connect_from(client, port).and_then(greeting).unwrap()
            })
            .collect();
        let counts = counts(&new);
        // A quarter by chance; none if all were exact.
        let to_first = counts.get(&first).copied().unwrap_or(0);
        assert!(to_first <= 7, "Node {}: {to_first} of {counts:?} went to the one with forty", node.major);
    }
}

#[test]
fn both_families_of_addresses_reach_every_worker() {
    if !has_ipv6() {
        return;
    }
    for node in each_node() {
        let fleet = Fleet::new(&node, &[HOLDER]);
        for (mode, port, _) in holders(&fleet, &["kernel", "round-robin"], |app| app.instances(3)) {
            for host in ["127.0.0.1", "::1"] {
                let mut seen = BTreeSet::new();
                fleet.until(&format!("{mode} {host}: each worker gets some"), || {
                    seen.insert(connect((host, port)).and_then(greeting).unwrap().0);
                    seen.len() == 3
                });
            }
        }
    }
}

#[test]
fn a_worker_that_drains_gets_nothing_new() {
    for node in each_node() {
        let fleet = Fleet::new(&node, &[HOLDER]);
        // What is held keeps it from leaving at once.
        for (mode, port, control) in holders(&fleet, &MODES, |app| app.set("drain_timeout", 30_000).instances(1)) {
            let (old, held) = connect_from(1, port).and_then(greeting).unwrap();
            let mut reload = fleet.command(["reload", mode, "--silent"]).spawn().unwrap();
            fleet.until("the new one is there", || fleet.pids(mode)[0] != old);
            if mode == "shared" {
                // Where we do not choose who gets it, the old one must have heard that it is to close its servers.
                fleet.until("the old one listens no more", || !listens(old, port) && !listens(old, control));
            }
            let what = format!("Node {} {mode}", node.major);
            for client in 1..=100 {
                let (by, _) =
                    connect_from(client, port).and_then(greeting).unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_ne!(by, old, "{what}");
            }
            assert!(get(control).is_ok_and(|by| by != old.to_string()), "{what}");
            assert!(is_alive(old), "{what}: it was still there");
            drop(held);
            assert!(reload.wait().unwrap().success());
        }
    }
}

/// Whether a process has the socket that listens on this port.
fn listens(pid: u32, port: u16) -> bool {
    let tables = ["tcp", "tcp6"].map(|name| fs::read_to_string(format!("/proc/net/{name}")).unwrap_or_default());
    let (ends, listening) = (format!(":{port:04X}"), "0A");
    let sockets: Vec<PathBuf> = tables
        .iter()
        .flat_map(|table| table.lines())
        .map(|line| line.split_ascii_whitespace().collect::<Vec<_>>())
        .filter(|fields| fields[1].ends_with(&ends) && fields[3] == listening)
        .map(|fields| format!("socket:[{}]", fields[9]).into())
        .collect();
    let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().filter_map(|fd| fs::read_link(fd.ok()?.path()).ok());
    open.into_iter().any(|fd| sockets.contains(&fd))
}

#[test]
fn a_full_worker_leaves_connections_to_others_and_when_all_are_full_they_wait() {
    for node in each_node() {
        let fleet = Fleet::new(&node, &[HOLDER]);
        let ports = holders(&fleet, &["round-robin"], |app| app.env("MAX", 3));
        let (_, port, _) = ports[0];
        let mut held: Vec<_> = (1..=6)
            .map(|client| {
                // The connections of the start may be about to end.
                let mut got = None;
                fleet.until("there is room", || {
                    got = connect_from(client, port).and_then(greeting).ok();
                    got.is_some()
                });
                got.unwrap()
            })
            .collect();
        assert!(counts(&held).values().all(|count| *count == 3), "Node {}: {:?}", node.major, counts(&held));
        let waiting = connect_from(7, port).unwrap();
        waiting.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let mut early = waiting.try_clone().unwrap();
        assert!(early.read(&mut [0; 1]).is_err(), "Node {}: it waits, and is neither served nor closed", node.major);
        let (freed, _) = held.remove(0);
        waiting.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(greeting(waiting).map(|(pid, _)| pid), Ok(freed), "Node {}: as soon as there is room", node.major);
    }
}

#[test]
fn what_a_blocked_worker_was_given_is_served_by_others_when_it_dies() {
    for node in each_node() {
        let fleet = Fleet::new(&node, &[HOLDER]);
        for (mode, port, control) in holders(&fleet, &MODES, |app| app.set("restart_delay", 120_000)) {
            let blocked = block(&fleet, mode, control);
            let clients: Vec<_> = (1..=30)
                .map(|client| {
                    std::thread::spawn(move || connect_from(client, port).and_then(greeting).map(|(pid, _)| pid))
                })
                .collect();
            let done = || clients.iter().filter(|client| client.is_finished()).count();
            fleet.until("those of the other are answered", || done() >= 5);
            Command::new("kill").args(["-KILL", &blocked.to_string()]).status().unwrap();
            // Nobody waits for the next worker: it comes when no client has patience any more.
            for client in clients {
                let by = client.join().unwrap();
                assert!(by.as_ref().is_ok_and(|by| *by != blocked), "Node {} {mode}: {by:?}", node.major);
            }
        }
    }
}

/// Lets a worker stand still, for longer than the test lasts; who it is.
fn block(fleet: &Fleet, app: &str, control: u16) -> u32 {
    let asked = ask(connect(("127.0.0.1", control)).unwrap(), "/?block=600000");
    let blocked = fleet.told(app, 1).remove(0).pid;
    assert_eq!(asked, Ok(blocked.to_string()));
    blocked
}

#[test]
fn while_a_worker_stands_still_few_clients_notice() {
    for node in each_node() {
        let fleet = Fleet::new(&node, &[HOLDER]);
        // With client-ip its own clients wait for it, and are not meant to do otherwise.
        for (mode, port, control) in holders(&fleet, &["kernel", "round-robin", "shared"], |app| app) {
            let blocked = block(&fleet, mode, control);
            let mut clients: Vec<_> = (0..100)
                .map(|client| {
                    // Not faster than the daemon can see to it, however slow it is: each comes when the daemon has had its turn.
                    fleet.run(&["ping"]).ok();
                    std::thread::spawn(move || connect_from(client + 1, port).and_then(greeting).map(|(by, _)| by))
                })
                .collect();
            // Half of them would wait if nobody saw to it. A few go there before it is seen that it stands still: eight by round robin.
            fleet.until(&format!("{mode}: at most twelve wait"), || {
                clients.iter().filter(|client| client.is_finished()).count() >= 88
            });
            for client in clients.extract_if(.., |client| client.is_finished()) {
                let by = client.join().unwrap();
                assert!(by.as_ref().is_ok_and(|by| *by != blocked), "Node {} {mode}: {by:?}", node.major);
            }
        }
    }
}
