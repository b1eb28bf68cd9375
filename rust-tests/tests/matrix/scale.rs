//! How many instances there are: as many as there are processors, one less, or what `scale` says, without a request lost.

use std::collections::BTreeSet;

use rust_tests::home::Process;
use rust_tests::ports::free_port;

use super::support::MODES;
use super::support::client::{Load, get};
use super::support::fleet::{App, Fleet, each_node};

const SERVER: (&str, &str) = ("server.js", include_str!("scripts/server.js"));

#[test]
fn max_is_one_instance_for_each_processor_and_minus_one_is_one_less() {
    let fleet = Fleet::new(&each_node()[0], &[SERVER]);
    let processors = std::thread::available_parallelism().unwrap().get();
    let app = |name: &str| App::new(name, "server.js").env("PORT", free_port());
    fleet.start(&[
        app("max").set("instances", "max"),
        app("zero").set("instances", 0),
        app("less").set("instances", -1),
    ]);
    let count = |name: &str| fleet.slots(name).len();
    assert_eq!([count("max"), count("zero"), count("less")], [processors, processors, (processors - 1).max(1)]);
}

#[test]
fn an_app_is_scaled_up_and_down_under_load_in_any_mode() {
    for node in each_node() {
        let fleet = Fleet::new(&node, &[SERVER]);
        let ports = fleet.answering_in_all_modes("server.js");
        let loads = ports.map(Load::begin);
        let mut ever = BTreeSet::new();
        for (to, count) in [("4", 4), ("-1", 3), ("+1", 4), ("1", 1)] {
            let scales: Vec<_> =
                MODES.iter().map(|mode| fleet.command(["scale", mode, to, "--silent"]).spawn().unwrap()).collect();
            for (mode, mut scale) in MODES.iter().zip(scales) {
                assert!(scale.wait().unwrap().success(), "{}", fleet.story(&format!("{mode} to {to}")));
                let pids = fleet.pids(mode);
                assert_eq!(pids.len(), count, "Node {} {mode} to {to}", node.major);
                ever.extend(pids.into_iter().filter_map(Process::of));
            }
        }
        for (mode, load) in MODES.into_iter().zip(loads) {
            let counted = load.end();
            assert_eq!(counted.failed, [""; 0], "Node {} {mode}: {} answered", node.major, counted.answered);
        }
        let stay = MODES.map(|mode| fleet.pids(mode)).concat();
        assert!(
            ever.iter().all(|process| stay.contains(&process.pid) || !process.is_alive()),
            "Node {}: {ever:?} {stay:?}",
            node.major
        );
        for (mode, port) in MODES.into_iter().zip(ports) {
            let pid = fleet.pids(mode)[0].to_string();
            assert_eq!(get(port), Ok(pid), "Node {} {mode}: the last one has it all", node.major);
        }
    }
}
