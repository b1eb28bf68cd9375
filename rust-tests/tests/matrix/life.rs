//! How workers end: by themselves, by their primary, by accident. They see what they see under Node's own primary, and others follow.

use std::collections::BTreeMap;

use rust_tests::ports::free_port;
use serde_json::{Value, json};

use super::support::MODES;
use super::support::client::get;
use super::support::fleet::{App, Fleet, each_node};
use super::support::wire::Hearer;

const SCRIPT: (&str, &str) = ("life.js", include_str!("scripts/life.js"));

/// How a worker ends; what it sees of that, with `exitedAfterDisconnect`, `isConnected()` and `isDead()`; and what is seen of it: code and
/// signal. The same under Node's own primary, of every version and with either policy.
fn ends() -> Vec<(&'static str, Value, Value)> {
    let closed = || json!(["closed", true, true, false]);
    let disconnected = [closed(), closed(), json!(["worker disconnect", true, false, false])];
    let disconnected = [&disconnected[..], &[json!(["process disconnect", true, false, false])]].concat();
    let in_order = Value::from([&disconnected[..], &[json!(["exit 0", true, false, false])]].concat());
    let twice = [&[json!(["twice", true, true, false])], &in_order.as_array().unwrap()[..]].concat();
    let at_once = json!([
        ["worker disconnect", true, false, false],
        ["process disconnect", true, false, false],
        ["exit 0", true, false, true],
    ]);
    vec![
        ("disconnect", in_order, json!([0, null])),
        ("disconnectTwice", twice.into(), json!([0, null])),
        ("kill", at_once.clone(), json!([0, null])),
        ("destroy", at_once, json!([0, null])),
        (
            "process",
            json!([["worker disconnect", null, false, false], ["exit 0", null, false, true]]),
            json!([0, null]),
        ),
        ("exit", json!([["exit 7", null, true, true]]), json!([7, null])),
        ("throw", json!([["exit 1", null, true, true]]), json!([1, null])),
        ("abort", json!([]), json!([null, "SIGKILL"])),
    ]
}

#[test]
fn a_worker_that_ends_sees_what_node_shows_it_and_is_replaced() {
    let ends = ends();
    let hows: Vec<&str> = ends.iter().map(|(how, _, _)| *how).collect();
    for node in each_node() {
        let fleet = Fleet::new(&node, &[SCRIPT]);
        fleet.run(&["ping"]).ok();
        let mut hearer = Hearer::connect(&fleet);
        let also = |app: App| app.instances(1).env("HOWS", hows.join(" ")).set("max_restarts", 100);
        fleet.start_in_all_modes("life.js", also);
        let mut exits: BTreeMap<u64, Vec<Value>> = BTreeMap::new();
        while exits.values().map(Vec::len).sum::<usize>() < MODES.len() * ends.len() {
            let (id, exit) = hearer.exit();
            exits.entry(id).or_default().push(json!([exit["code"], exit["signal"]]));
        }
        for (id, mode) in (0..).zip(MODES) {
            fleet.until("the last one stays", || fleet.heard(mode).iter().any(|told| told.seen == "stays"));
            let mut runs: Vec<(u32, Vec<Value>)> = Vec::new();
            for told in fleet.heard(mode) {
                match runs.last_mut() {
                    Some((pid, seen)) if *pid == told.pid => seen.push(told.seen),
                    Some(_) | None => runs.push((told.pid, vec![told.seen])),
                }
            }
            let seen: Vec<Value> = runs.into_iter().map(|(_, seen)| seen.into()).collect();
            let expected: Vec<Value> =
                ends.iter().map(|(_, seen, _)| seen.clone()).filter(|seen| seen != &json!([])).collect();
            assert_eq!(seen, [&expected[..], &[json!(["stays"])]].concat(), "Node {} {mode}", node.major);
            let expected: Vec<Value> = ends.iter().map(|(_, _, exit)| exit.clone()).collect();
            assert_eq!(exits[&id], expected, "Node {} {mode}", node.major);
            assert_eq!(fleet.slots(mode)[0].2, ends.len() as u64, "{mode}: each was followed by another");
        }
    }
}

/// Workers that were let go by a reload of two instances and a scale to one, with what each has told.
fn let_go(fleet: &Fleet, mode: &str) -> Vec<Vec<Value>> {
    let before = fleet.pids(mode);
    fleet.rewake(["reload", mode]).ok();
    let reloaded = fleet.pids(mode);
    fleet.rewake(["scale", mode, "1"]).ok();
    let stays = fleet.pids(mode);
    let gone = before.iter().chain(reloaded.iter().filter(|pid| !stays.contains(pid)));
    let told = |pid: &u32| {
        let told = fleet.heard(mode).into_iter().filter(|told| told.pid == *pid);
        told.map(|told| told.seen).filter(|seen| seen != "stays").collect()
    };
    gone.map(told).collect()
}

#[test]
fn a_worker_that_its_primary_lets_go_closes_its_servers() {
    let (_, expected, _) = ends().remove(0);
    let expected = &expected.as_array().unwrap()[..2];
    for node in each_node() {
        let fleet = Fleet::new(&node, &[SCRIPT]);
        let app = |mode| App::new(mode, "life.js").mode(mode).env("PORT", free_port()).env("HOWS", "");
        fleet.start(&MODES.map(app));
        for mode in MODES {
            fleet.told(mode, 2);
            for told in let_go(&fleet, mode) {
                assert_eq!(&told[..2.min(told.len())], expected, "Node {} {mode}", node.major);
            }
        }
    }
}

#[test]
fn a_process_in_fork_mode_may_close_its_channel_and_lives_on() {
    let script = "
        process.disconnect();
        require('./report.js')([process.connected, typeof process.send]);
        require('http').createServer((request, response) => response.end('alive')).listen(process.env.PORT);
    ";
    for node in each_node() {
        let (fleet, port) = (Fleet::new(&node, &[("leaves.js", script)]), free_port());
        fleet.start(&[App::new("leaves", "leaves.js").set("exec_mode", "fork").instances(1).env("PORT", port)]);
        assert_eq!(fleet.told("leaves", 1)[0].seen, json!([false, "function"]), "Node {}", node.major);
        fleet.until("it serves", || get(port).as_deref() == Ok("alive"));
        let (pid, status, restarts) = fleet.slots("leaves").remove(0);
        assert_eq!(
            (pid, status.as_str(), restarts),
            (fleet.heard("leaves")[0].pid, "online", 0),
            "Node {}",
            node.major
        );
    }
}
