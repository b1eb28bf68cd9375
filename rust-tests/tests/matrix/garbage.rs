//! Workers that misbehave on their channel: they harm themselves at most. The daemon stays up, keeps its memory and its descriptors,
//! and serves everybody else.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use rust_tests::home::{descriptors, is_alive};
use rust_tests::ports::free_port;
use serde_json::json;

use super::support::MODES;
use super::support::client::{connect, read_all};
use super::support::fleet::{App, Fleet, each_node};
use super::support::wire::{Caller, Hearer};

/// A fleet whose `node` is no Node.
fn raw_fleet() -> Fleet {
    let fleet = Fleet::new(&each_node()[0], &[("raw.js", "// Never read.")]);
    symlink(env!("CARGO_BIN_EXE_raw_worker"), fleet.folder().join("node")).unwrap();
    fleet.run(&["ping"]).ok();
    fleet
}

fn raw(fleet: &Fleet, name: &str, behaviour: &str) -> App {
    let app = App::new(name, "raw.js").instances(1).env("RAW", behaviour).env("PORT", free_port());
    app.set("interpreter", fleet.folder().join("node").display().to_string())
}

/// What a daemon may not lose or gain by a worker.
struct Before {
    daemon: u32,
    descriptors: usize,
}

/// The daemon's memory, in bytes.
fn memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    1024 * line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
}

impl Before {
    fn of(fleet: &Fleet) -> Self {
        let daemon = fleet.daemon().unwrap();
        Self { daemon, descriptors: descriptors(daemon) }
    }

    /// Nothing is lost: the worker of a good app still answers, and so does the daemon.
    fn is_unharmed(&self, fleet: &Fleet, caller: &mut Caller, hearer: &mut Hearer) {
        assert_eq!(fleet.daemon(), Some(self.daemon));
        caller.send("good", "\"good\"");
        assert_eq!(hearer.message().data, "\"good\"");
        fleet.rewake(["delete", "bad"]).ok();
        // Clients and apps that are gone leave none behind.
        fleet.until("their descriptors are closed", || descriptors(self.daemon) <= self.descriptors + 1);
        let memory = memory(self.daemon);
        assert!(memory < 200 << 20, "{memory} bytes");
    }
}

/// A bad worker beside a good one; what it reports.
fn beside_a_good_one(behaviour: &str, mode: &str, env: &[(&str, &str)]) -> serde_json::Value {
    let fleet = raw_fleet();
    fleet.start(&[raw(&fleet, "good", "serve")]);
    fleet.told("good", 1);
    let (mut caller, mut hearer) = (Caller::connect(&fleet), Hearer::connect_to(&fleet, "good"));
    let mut all = Hearer::connect(&fleet);
    let before = Before::of(&fleet);
    let bad = raw(&fleet, "bad", behaviour).mode(mode);
    fleet.start(&[env.iter().fold(bad, |bad, (name, value)| bad.env(name, value))]);
    let began = Instant::now();
    let mut slowest = Duration::ZERO;
    // Everybody else is served in the meantime.
    while fleet.heard("bad").is_empty() {
        assert!(began.elapsed() < Duration::from_secs(60), "{}", fleet.story(behaviour));
        let asked = Instant::now();
        fleet.run(&["ping"]).ok();
        slowest = slowest.max(asked.elapsed());
    }
    assert!(slowest < Duration::from_secs(5), "{behaviour}: a ping took {slowest:?}");
    let seen = fleet.told("bad", 1).remove(0).seen;
    if behaviour == "garbage" {
        while all.message().data != "\"and a message\"" {}
    }
    assert_eq!(fleet.slots("bad")[0].2, 0, "it lives on: {}", fleet.story(behaviour));
    drop(all);
    before.is_unharmed(&fleet, &mut caller, &mut hearer);
    seen
}

#[test]
fn garbage_half_messages_and_huge_lines_are_passed_over() {
    assert_eq!(beside_a_good_one("garbage", "shared", &[]), "done");
}

#[test]
fn every_handle_is_answered_once_in_a_flood_whether_or_not_its_descriptor_came() {
    let seen = beside_a_good_one("handles", "round-robin", &[]);
    // Who reads no answers is not read, either.
    assert_eq!(seen, json!({ "was_held_up": true, "refused": 100_000, "acknowledged": 2000 }));
}

#[test]
fn messages_of_the_protocol_without_sense_are_passed_over_and_each_question_is_answered() {
    for mode in MODES {
        let seen = beside_a_good_one("nonsense", mode, &[]);
        for answer in seen["refused"].as_array().unwrap() {
            assert_eq!(answer[0], true, "{mode}: {answer}");
        }
        assert_eq!(seen["odd"], json!([0, 0, 0]), "{mode}");
    }
}

fn asks_for_ten_thousand_servers(mode: &str) {
    let seen = beside_a_good_one("many", mode, &[("COUNT", "10000")]);
    let got = seen["got"].as_u64().unwrap();
    assert!((100..=1024).contains(&got), "{seen}");
    // EMFILE.
    assert_eq!(seen["refused"], json!({ "-24": 10_000 - got }));
}

#[test]
fn a_worker_that_asks_for_ten_thousand_servers_gets_what_an_app_may_have() {
    asks_for_ten_thousand_servers("kernel");
}

#[test]
fn a_worker_that_asks_for_ten_thousand_servers_of_ours_gets_what_an_app_may_have() {
    asks_for_ten_thousand_servers("round-robin");
}

#[test]
fn a_worker_that_is_gone_before_its_answer_leaves_the_address_to_its_successor() {
    for mode in MODES {
        let fleet = raw_fleet();
        let app = raw(&fleet, "leaver", "leaver").mode(mode).set("max_restarts", 100);
        let port = free_port();
        fleet.start(&[app.env("PORT", port)]);
        fleet.told("leaver", 1);
        fleet.until("it answers", || connect(("127.0.0.1", port)).and_then(read_all).is_ok_and(|by| !by.is_empty()));
        assert_eq!(fleet.slots("leaver")[0].2, 8, "{mode}");
        fleet.rewake(["delete", "leaver"]).ok();
        fleet.until("the port is free", || connect(("127.0.0.1", port)).is_err());
    }
}

#[test]
fn a_worker_that_takes_connections_and_never_says_so_keeps_a_few_of_them_until_it_is_gone() {
    let fleet = raw_fleet();
    let port = free_port();
    fleet.start(&[raw(&fleet, "web", "deaf").mode("round-robin").instances(2).env("PORT", port)]);
    fleet.told("web", 2);
    let clients: Vec<_> =
        (0..60).map(|_| std::thread::spawn(move || connect(("127.0.0.1", port)).and_then(read_all))).collect();
    let (deaf, good) = (fleet.pids("web")[0], fleet.pids("web")[1]);
    // The rest is served by the other.
    fleet.until("most are answered", || clients.iter().filter(|client| client.is_finished()).count() >= 60 - 8);
    assert!(is_alive(deaf));
    fleet.rewake(["send-signal", "SIGKILL", &fleet.jlist()[0]["pm_id"].to_string()]).ok();
    let answers: BTreeSet<String> = clients.into_iter().map(|client| client.join().unwrap().unwrap()).collect();
    assert!(answers.contains(&good.to_string()) && !answers.contains(&deaf.to_string()), "{answers:?} {deaf} {good}");
    assert!(!answers.contains(""), "none is dropped");
}
