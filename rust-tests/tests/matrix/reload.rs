//! New releases: no request is lost, and an address may change with them.

use std::collections::BTreeSet;
use std::io::{Read, Write};

use rust_tests::home::is_alive;
use rust_tests::ports::free_port;

use super::support::MODES;
use super::support::client::{Kept, Load, connect_unix, get, get_from, is_unanswered};
use super::support::fleet::{App, Fleet, each_node};

const SERVER: (&str, &str) = ("server.js", include_str!("scripts/server.js"));

/// Waits until every instance of an app answers.
fn all_answer(fleet: &Fleet, app: &str, port: u16) {
    let pids: BTreeSet<String> = fleet.pids(app).iter().map(u32::to_string).collect();
    let mut seen = BTreeSet::new();
    fleet.until("each instance answers", || {
        // Several at once: of one after the other the same process may get all.
        let clients: Vec<_> = (1..=8).map(|client| std::thread::spawn(move || get_from(client, port))).collect();
        seen.extend(clients.into_iter().filter_map(|client| client.join().unwrap().ok()));
        seen.is_superset(&pids)
    });
}

/// Reloads these apps, all at once: most of a reload's time is waiting for connections to end.
fn reload_all(fleet: &Fleet, apps: &[&str]) {
    let reloads: Vec<_> = apps.iter().map(|app| fleet.command(["reload", app, "--silent"]).spawn().unwrap()).collect();
    for (app, mut reload) in apps.iter().zip(reloads) {
        assert!(reload.wait().unwrap().success(), "{}", fleet.story(app));
    }
}

/// A reload under load loses nothing, in any mode, and leaves no old process.
fn loses_nothing(graceful: &str) {
    for node in each_node() {
        let fleet = Fleet::new(&node, &[SERVER]);
        let ports = MODES.map(|_| free_port());
        let app = |(mode, port): (&str, &u16)| {
            let app = App::new(mode, "server.js").mode(mode).env("PORT", port).env("GRACEFUL", graceful);
            app.env("SOCKET", fleet.folder().join(format!("{mode}.sock")).display())
        };
        fleet.start(&MODES.into_iter().zip(&ports).map(app).collect::<Vec<_>>());
        for (mode, port) in MODES.into_iter().zip(ports) {
            all_answer(&fleet, mode, port);
        }
        let before = MODES.map(|mode| fleet.pids(mode));
        let loads = ports.map(Load::begin);
        // Some for the old ones, and some for the new ones: all that is asked after the reload, at most four are still under way.
        loads.iter().for_each(|load| load.wait_for(1));
        reload_all(&fleet, &MODES);
        loads.iter().for_each(|load| load.wait_for(5));
        for ((mode, before), load) in MODES.into_iter().zip(before).zip(loads) {
            let what = format!("Node {} {mode}", node.major);
            let counted = load.end();
            assert_eq!(counted.failed, [""; 0], "{what}: {} answered", counted.answered);
            let now = fleet.pids(mode);
            assert!(now.len() == 2 && now.iter().all(|pid| !before.contains(pid)), "{what}: {before:?} {now:?}");
            assert!(before.iter().all(|pid| !is_alive(*pid)), "{what}: {before:?}");
            let answered: u64 = now.iter().filter_map(|pid| counted.by.get(&pid.to_string())).sum();
            assert!(answered > 0 && answered < counted.answered, "{what}: {:?} {now:?}", counted.by);
            assert_eq!(over_unix(&fleet, mode).map(|by| now.contains(&by)), Ok(true), "{what}");
        }
    }
}

/// Who answers on the socket in the file system.
fn over_unix(fleet: &Fleet, app: &str) -> Result<u32, String> {
    let mut stream = connect_unix(&fleet.folder().join(format!("{app}.sock")))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").map_err(|error| error.to_string())?;
    let mut text = String::new();
    stream.read_to_string(&mut text).map_err(|error| error.to_string())?;
    text.rsplit("\r\n").next().and_then(|pid| pid.parse().ok()).ok_or(text)
}

#[test]
fn a_reload_of_an_app_that_never_heard_of_signals_loses_nothing_in_any_mode() {
    loses_nothing("");
}

#[test]
fn a_reload_of_an_app_that_closes_its_servers_loses_nothing_in_any_mode() {
    loses_nothing("yes");
}

/// Each process that a reload replaces has cleaned up, for this reason.
fn cleans_up(why: &str) {
    let script = ("cleans.js", include_str!("scripts/cleans.js"));
    for node in each_node() {
        let fleet = Fleet::new(&node, &[script]);
        let app = |mode| App::new(mode, "cleans.js").mode(mode).env("PORT", free_port());
        let app = |mode| app(mode).set("shutdown_with_message", why == "shutdown");
        fleet.start(&MODES.map(app));
        MODES.iter().for_each(|mode| fleet.until_all_listen(mode));
        for round in 1..=2 {
            let before = MODES.map(|mode| fleet.pids(mode));
            reload_all(&fleet, &MODES);
            for (mode, before) in MODES.iter().zip(before) {
                let told = fleet.heard(mode);
                let cleaned: Vec<u32> = told.iter().filter(|told| told.seen == why).map(|told| told.pid).collect();
                let what = format!("Node {} {mode}, reload {round}: of {before:?} {cleaned:?} cleaned up", node.major);
                assert!(before.iter().all(|pid| cleaned.contains(pid)), "{what}");
            }
        }
    }
}

#[test]
fn what_an_app_does_on_the_stop_signal_is_done_in_a_reload_too() {
    cleans_up("SIGINT");
}

#[test]
fn what_an_app_does_on_the_shutdown_message_is_done_in_a_reload_too() {
    cleans_up("shutdown");
}

#[test]
fn a_connection_from_before_a_reload_is_answered_or_ended_cleanly_after_it() {
    for node in each_node() {
        let fleet = Fleet::new(&node, &[SERVER]);
        let kinds = MODES.iter().flat_map(|mode| [(*mode, true), (*mode, false)]);
        let kinds: Vec<(&str, bool, String, u16)> =
            kinds.map(|(mode, drain)| (mode, drain, format!("{mode}-{drain}"), free_port())).collect();
        let app = |(mode, drain, name, port): &(&str, bool, String, u16)| {
            let app = App::new(name, "server.js").mode(mode).instances(1).env("PORT", port).set("drain", *drain);
            // Without the helper Node 18 waits for idle connections, and only this ends it.
            app.set("drain_timeout", if *drain { 60_000 } else { 1500 })
        };
        fleet.start(&kinds.iter().map(app).collect::<Vec<_>>());
        let clients: Vec<_> = kinds
            .iter()
            .map(|(_, drain, name, port)| {
                fleet.until("it answers", || get(*port).is_ok());
                let [idle, used] = [1, 2].map(|client| {
                    let mut kept = Kept::open(client, *port).unwrap();
                    kept.get().unwrap();
                    kept
                });
                let (drain, what) = (*drain, format!("Node {} {name}", node.major));
                std::thread::spawn(move || one_before_a_reload(idle, used, drain, &what))
            })
            .collect();
        reload_all(&fleet, &kinds.iter().map(|(_, _, name, _)| name.as_str()).collect::<Vec<_>>());
        for client in clients {
            client.join().unwrap();
        }
    }
}

/// Two connections to one server that is about to go: one is asked all the time, the other was asked once.
fn one_before_a_reload(mut idle: Kept, mut used: Kept, drain: bool, what: &str) {
    let last = loop {
        if let Err(error) = used.get() {
            break error;
        }
        if used.is_over {
            break String::new();
        }
    };
    // With the helper the last answer says that it is that, to a client that asks promptly. Without it a connection is cut between two
    // answers, at least.
    assert!(!drain || last.is_empty() || (used.was_late && is_unanswered(&last)), "{what}: {last}");
    assert!(!last.contains("HTTP/1.1"), "{what}: {last}");
    assert!(idle.ends(), "{what}: the idle one is ended");
}

#[test]
fn a_release_on_another_port_is_served_there_and_the_old_port_is_given_up() {
    for node in each_node().into_iter().take(1) {
        let fleet = Fleet::new(&node, &[SERVER]);
        let ports = MODES.map(|_| (free_port(), free_port()));
        let apps = |pick: fn(&(u16, u16)) -> u16| {
            let app = |(mode, ports)| App::new(mode, "server.js").mode(mode).env("PORT", pick(ports));
            MODES.into_iter().zip(&ports).map(app).collect::<Vec<_>>()
        };
        fleet.start(&apps(|ports| ports.0));
        for (mode, ports) in MODES.into_iter().zip(ports) {
            all_answer(&fleet, mode, ports.0);
            fleet.rewake(["reload", mode, "--env", &format!("PORT={}", ports.1)]).ok();
            all_answer(&fleet, mode, ports.1);
        }
        for (mode, ports) in MODES.into_iter().zip(ports) {
            fleet.until(&format!("{mode}: the old port is free"), || {
                get(ports.0).is_err_and(|error| error.contains("refused"))
            });
            all_answer(&fleet, mode, ports.1);
        }
    }
}
