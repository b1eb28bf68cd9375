//! Workers with children, and programs that are their own primary: under us as under plain Node.

use std::process::{Command, Stdio};

use rust_tests::home::{children, is_alive};
use rust_tests::ports::free_port;
use serde_json::json;

use super::support::MODES;
use super::support::client::get;
use super::support::fleet::{App, Fleet, each_node};

const FORKS: (&str, &str) = ("forks.js", include_str!("scripts/forks.js"));
const OWN_PRIMARY: (&str, &str) = ("own_primary.js", include_str!("scripts/own_primary.js"));

#[test]
fn a_worker_may_fork_and_its_child_knows_nothing_of_the_cluster() {
    for node in each_node() {
        let fleet = Fleet::new(&node, &[FORKS]);
        fleet.start(&MODES.map(|mode| App::new(mode, "forks.js").mode(mode).instances(1).env("PORT", free_port())));
        for mode in MODES {
            let seen = fleet.told(mode, 1).remove(0).seen;
            let expected = json!({ "heard": [[true, false, true], "hello"], "code": 0, "worker": true });
            assert_eq!(seen, expected, "Node {} {mode}", node.major);
        }
    }
}

#[test]
fn a_program_in_fork_mode_is_its_own_primary_as_under_plain_node() {
    for node in each_node() {
        let fleet = Fleet::new(&node, &[OWN_PRIMARY]);
        let plain = {
            let mut process = Command::new(&node.path)
                .arg("own_primary.js")
                .current_dir(fleet.folder())
                .env("PORT", free_port().to_string())
                .env("REPORT", fleet.folder().join("plain.told"))
                .stdin(Stdio::null())
                // Its workers complain when it is gone.
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let told = fleet.told("plain", 2);
            process.kill().unwrap();
            process.wait().unwrap();
            told
        };
        let port = free_port();
        fleet.start(&[App::new("own", "own_primary.js").set("exec_mode", "fork").instances(1).env("PORT", port)]);
        let told = fleet.told("own", 2);
        let what = format!("Node {}", node.major);
        assert_eq!([&told[0].seen, &told[1].seen], [&plain[0].seen, &plain[1].seen], "{what}");
        fleet.until("the third serves", || get(port).as_deref() == Ok("worker 3"));
        let own = fleet.pids("own")[0];
        let workers = children(own);
        assert_eq!(workers.len(), 1, "{what}: {workers:?}");
        fleet.rewake(["stop", "own"]).ok();
        assert!(!is_alive(workers[0].0), "{what}: its worker is gone with it");
    }
}
