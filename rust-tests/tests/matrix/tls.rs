//! TLS: what a client was given by one worker is good for all, and for those of the next release.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::support::MODES;
use super::support::client::connect;
use super::support::fleet::{Fleet, each_node};

#[test]
fn a_session_goes_on_with_another_worker_and_with_those_of_a_later_release() {
    let scripts =
        [("tls.js", include_str!("scripts/tls.js")), ("tls_client.js", include_str!("scripts/tls_client.js"))];
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../js-tests/drain/fixtures");
    for node in each_node() {
        let fleet = Fleet::new(&node, &scripts);
        for (from, to) in [("test-cert.pem", "cert.pem"), ("test-key.pem", "key.pem")] {
            std::fs::copy(fixtures.join(from), fleet.folder().join(to)).unwrap();
        }
        let ports = fleet.start_in_all_modes("tls.js", |app| app.env("FOLDER", fleet.folder().display()));
        let resumed = |mode: &str, port: u16| {
            let output = Command::new(&node.path)
                .args(["tls_client.js", &port.to_string(), &format!("{mode}.session")])
                .current_dir(fleet.folder())
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", fleet.story(&String::from_utf8_lossy(&output.stderr)));
            let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(seen["fresh"], 0, "Node {} {mode}: {seen}", node.major);
            seen["pids"].as_array().unwrap().len()
        };
        for (mode, port) in MODES.into_iter().zip(ports) {
            fleet.until("it listens", || connect(("127.0.0.1", port)).is_ok());
            // By chance one worker may get all; not again and again.
            fleet.until("both have answered", || resumed(mode, port) == 2);
            fleet.rewake(["reload", mode]).ok();
            resumed(mode, port);
        }
    }
}
