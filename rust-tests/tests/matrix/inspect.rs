//! Debugged workers: each has a port of its own, also while two processes of one instance are there, as under Node's own primary.

use std::collections::BTreeSet;

use serde_json::json;

use super::support::fleet::{App, Fleet, Told, each_node};
use rust_tests::ports::{free_port, free_ports};

const SCRIPT: (&str, &str) = ("inspected.js", include_str!("scripts/inspected.js"));

fn app(name: &str) -> App {
    App::new(name, "inspected.js").env("PORT", free_port())
}

/// The ports on which these debuggers listen; each must.
fn ports(told: &[Told]) -> BTreeSet<u16> {
    let port = |told: &Told| told.seen["listens"].as_u64().and_then(|port| u16::try_from(port).ok());
    told.iter().map(|told| port(told).unwrap_or_else(|| panic!("its debugger does not listen: {told:?}"))).collect()
}

#[test]
fn every_debugged_worker_has_a_port_of_its_own_also_during_a_reload() {
    for node in each_node() {
        // One for a primary, and two for each of six instances.
        let base = free_ports(13);
        let fleet = Fleet::new(&node, &[SCRIPT]);
        fleet.start(&[
            app("args").instances(4).set("node_args", format!("--inspect={base}")),
            app("options").env("NODE_OPTIONS", format!("--inspect=127.0.0.1:{base}")),
        ]);
        // As many reloads as there are ports for an instance.
        for round in 0..3 {
            let args = fleet.told("args", 4 * (round + 1)).split_off(4 * round);
            let options = fleet.told("options", 2 * (round + 1)).split_off(2 * round);
            let ports = &ports(&args) | &ports(&options);
            let slots: Vec<u16> = ports.iter().map(|port| (port - base - 1) / 2).collect();
            assert_eq!(slots, [0, 1, 2, 3, 4, 5], "Node {}: {ports:?} from {base} on", node.major);
            if round == 1 {
                // The next daemon has to find out which ports its workers have.
                fleet.kill_daemon();
            }
            if round < 2 {
                fleet.rewake(["reload", "all"]).ok();
            }
        }
        let story = fleet.story("");
        assert!(!story.contains("address already in use"), "{story}");
    }
}

#[test]
fn the_debuggers_port_is_left_alone_where_there_is_none_or_the_system_chooses() {
    for node in each_node() {
        let fleet = Fleet::new(&node, &[SCRIPT]);
        fleet.start(&[
            app("plain"),
            app("zero").set("node_args", "--inspect=0"),
            app("fork").set("exec_mode", "fork").set("node_args", "--inspect=0").instances(1),
        ]);
        let options = |told: &Told| told.seen["options"].clone();
        let plain = fleet.told("plain", 2);
        assert!(plain.iter().all(|told| options(told) == json!([]) && told.seen["listens"].is_null()), "{plain:?}");
        let zero = fleet.told("zero", 2);
        assert_eq!(options(&zero[0]), json!(["--inspect=0", "--inspect-port=0"]), "Node {}", node.major);
        assert_eq!(ports(&zero).len(), 2, "{zero:?}");
        assert_eq!(options(&fleet.told("fork", 1)[0]), json!(["--inspect=0"]), "Node {}", node.major);
    }
}
