//! SIGTERM and SIGINT, to the daemon and to the keeper: everything ends by the rules of each app, and is not forgotten.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use rust_tests::home::{Home, until};

use super::folk::{all_gone, signal, start_obedient, start_polite, start_stubborn};

/// What stays in a home when nothing runs.
const DURABLE: [&str; 9] = [
    "drain.cjs",
    "dump.json",
    "exits.jsonl",
    "keeper.lock",
    "logs",
    "rewake.log",
    "start.lock",
    "table.json",
    "table.json.bak",
];

fn only_durable_files_are_left(home: &Home) {
    let found: BTreeSet<String> =
        fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let more: Vec<&String> = found.iter().filter(|name| !DURABLE.contains(&name.as_str())).collect();
    assert!(more.is_empty(), "left behind: {more:?}");
}

/// A polite app, one that notes that it was asked, a stubborn one, and one that is stopped; then the signal; then what is left and what
/// comes back.
fn ends_in_order(name: &str, to: fn(&Home) -> Option<u32>) {
    let home = Home::new();
    let polite = start_polite(&home, "polite");
    let (obedient, note) = start_obedient(&home, "obedient");
    let (stubborn, _) = start_stubborn(&home, "stubborn", "300");
    start_polite(&home, "down");
    home.rewake(["stop", "down"]).ok();
    let pids = [home.daemon().unwrap(), home.keeper().unwrap(), polite, obedient, stubborn];
    let before = Instant::now();
    signal(to(&home).unwrap(), name);
    all_gone(&pids);
    assert!(note.exists(), "apps are asked before they are killed");
    assert!(before.elapsed() >= Duration::from_millis(300), "the stubborn one has its time");
    only_durable_files_are_left(&home);
    // Nothing is started before somebody asks, and nothing is forgotten.
    assert_eq!(home.slots("polite"), [(0, "stopped".to_owned(), 0)]);
    home.rewake(["resurrect"]).ok();
    let status = |name: &str| home.slots(name)[0].1.clone();
    assert_eq!(["polite", "obedient", "stubborn", "down"].map(status), ["online", "online", "online", "stopped"]);
}

#[test]
fn a_signal_to_the_daemon_stops_all_by_their_rules_and_forgets_nothing() {
    ends_in_order("TERM", Home::daemon);
    ends_in_order("INT", Home::daemon);
}

#[test]
fn a_signal_to_the_keeper_stops_all_by_their_rules_and_forgets_nothing() {
    ends_in_order("TERM", Home::keeper);
    ends_in_order("INT", Home::keeper);
}

#[test]
fn a_second_signal_does_not_wait_for_the_stubborn() {
    for to in [Home::daemon, Home::keeper] {
        let home = Home::new();
        let (stubborn, note) = start_stubborn(&home, "stubborn", "600000");
        let pids = [home.daemon().unwrap(), home.keeper().unwrap(), stubborn];
        let to = to(&home).unwrap();
        signal(to, "TERM");
        until("it was asked to stop", || note.exists());
        signal(to, "TERM");
        all_gone(&pids);
        only_durable_files_are_left(&home);
    }
}

#[test]
fn a_daemon_that_hangs_does_not_hold_the_end_up() {
    let home = Home::new();
    let polite = start_polite(&home, "polite");
    let (obedient, note) = start_obedient(&home, "obedient");
    let (stubborn, _) = start_stubborn(&home, "stubborn", "300");
    let (daemon, keeper) = (home.daemon().unwrap(), home.keeper().unwrap());
    signal(daemon, "STOP");
    let asked = Instant::now();
    signal(keeper, "TERM");
    all_gone(&[daemon, keeper, polite, obedient, stubborn]);
    assert!(asked.elapsed() > Duration::from_secs(2), "it was given some time");
    assert!(note.exists(), "apps are asked before they are killed");
    only_durable_files_are_left(&home);
    // It could not say that it ended in order: what ought to run runs again with the next command.
    until("all run again", || ["polite", "obedient", "stubborn"].iter().all(|name| home.slots(name)[0].1 == "online"));
}
