//! The list on disk: it survives, and a damaged one is met with the generation before.

use std::fs;

use rust_tests::home::{Home, is_alive, until};

fn start(home: &Home, name: &str) {
    home.rewake(["start", "/bin/sleep", "--interpreter", "none", "--name", name, "--", "86400"]).ok();
}

fn end_in_order(home: &Home) {
    let daemon = home.daemon().unwrap();
    let keeper = home.keeper().unwrap();
    std::process::Command::new("kill").args(["-TERM", &daemon.to_string()]).status().unwrap();
    until("daemon and keeper have ended", || !is_alive(daemon) && !is_alive(keeper));
}

#[test]
fn a_daemon_ended_by_sigterm_stops_everything_and_the_list_is_found_again() {
    let home = Home::new();
    start(&home, "a");
    start(&home, "b");
    home.rewake(["stop", "b"]).ok();
    let pid = home.slots("a")[0].0;
    end_in_order(&home);
    assert!(!is_alive(pid));
    assert_eq!(home.slots("a")[0].1, "stopped", "nothing starts before somebody asks");
    home.rewake(["resurrect"]).ok();
    assert_eq!(home.slots("a")[0].1, "online");
    assert_eq!(home.slots("b")[0].1, "stopped");
}

#[test]
fn a_damaged_list_gives_way_to_the_generation_before() {
    let home = Home::new();
    start(&home, "a");
    start(&home, "b");
    end_in_order(&home);
    let table = home.path().join("table.json");
    let bytes = fs::read(&table).unwrap();
    fs::write(&table, &bytes[..bytes.len() / 2]).unwrap();
    let names: Vec<String> = home.jlist().iter().map(|slot| slot["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["a", "b"]);
    assert!(home.path().join("table.json.corrupt").exists());
}

#[test]
fn a_dump_cut_in_half_is_resurrected_from_its_backup_and_garbage_is_an_error() {
    let home = Home::new();
    start(&home, "a");
    home.rewake(["save"]).ok();
    home.rewake(["save"]).ok();
    home.rewake(["kill"]).ok();
    let dump = home.path().join("dump.json");
    let bytes = fs::read(&dump).unwrap();
    fs::write(&dump, &bytes[..bytes.len() / 2]).unwrap();
    home.rewake(["resurrect"]).ok();
    assert_eq!(home.slots("a")[0].1, "online");
    home.rewake(["kill"]).ok();
    fs::write(&dump, b"garbage").unwrap();
    fs::write(home.path().join("dump.json.bak"), b"garbage").unwrap();
    let output = home.rewake(["resurrect"]).fails();
    assert!(output.stderr.contains("dump.json"), "{}", output.stderr);
    start(&home, "later");
    assert_eq!(home.slots("later")[0].1, "online");
}

#[test]
fn a_killed_daemon_comes_back_with_the_same_processes() {
    let home = Home::new();
    start(&home, "a");
    let (pid, daemon) = (home.slots("a")[0].0, home.daemon().unwrap());
    std::process::Command::new("kill").args(["-KILL", &daemon.to_string()]).status().unwrap();
    until("another daemon is there", || home.daemon().is_some_and(|now| now != daemon && is_alive(now)));
    assert_eq!(home.slots("a")[0], (pid, "online".to_owned(), 0));
    home.rewake(["restart", "a"]).ok();
    assert!(!is_alive(pid));
}

#[test]
fn a_lost_keeper_is_replaced_and_nothing_runs_twice() {
    let home = Home::new();
    start(&home, "a");
    let (pid, keeper, daemon) = (home.slots("a")[0].0, home.keeper().unwrap(), home.daemon().unwrap());
    std::process::Command::new("kill").args(["-KILL", &keeper.to_string()]).status().unwrap();
    until("another keeper is there", || home.keeper().is_some_and(|now| now != keeper && is_alive(now)));
    assert_eq!(home.daemon(), Some(daemon));
    assert_eq!(home.slots("a")[0], (pid, "online".to_owned(), 0));
    home.rewake(["restart", "a"]).ok();
    assert!(!is_alive(pid));
}
