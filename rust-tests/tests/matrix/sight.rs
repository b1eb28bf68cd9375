//! What a worker sees of itself, and the kinds of scripts that can be one.

use std::io::Write;
use std::net::Shutdown;

use rust_tests::ports::free_port;
use serde_json::json;

use super::support::MODES;
use super::support::client::{connect, get, read_all};
use super::support::fleet::{App, Fleet, each_node};

#[test]
fn a_worker_and_its_child_see_what_nodes_own_primary_shows_them() {
    let script = ("sight.js", include_str!("scripts/sight.js"));
    for node in each_node() {
        let fleet = Fleet::new(&node, &[script]);
        let app = |name: &str| App::new(name, "sight.js").env("PORT", free_port());
        let apps = MODES.map(|mode| app(mode).mode(mode));
        let own = app("own");
        let primary = fleet.under_nodes_primary(&own, "rr");
        fleet.start(&[&apps[..], &[app("advanced").set("serialization", "advanced")]].concat());
        let mut expected = fleet.told("own", 2).remove(0).seen;
        // Node passes on to its workers what it was itself started with.
        expected["foreign"] = json!([]);
        drop(primary);
        assert_eq!((&expected["isWorker"], &expected["variables"]), (&json!(true), &json!([])), "the script is right");
        for name in MODES.iter().chain(&["advanced"]) {
            let told = fleet.told(name, 2);
            for worker in &told {
                assert_eq!(worker.seen, expected, "Node {} {name}", node.major);
            }
            assert_eq!(told[0].instance + told[1].instance, 1, "instances 0 and 1");
        }
    }
}

#[test]
fn modules_with_top_level_await_types_and_plain_sockets_are_workers_like_any_other() {
    let scripts = [
        ("top_level.mjs", include_str!("scripts/top_level.mjs")),
        ("typed.ts", include_str!("scripts/typed.ts")),
        ("echo.js", include_str!("scripts/echo.js")),
    ];
    for node in each_node() {
        let fleet = Fleet::new(&node, &scripts);
        let mut apps = Vec::new();
        let mut expected = Vec::new();
        for mode in MODES {
            for (script, answer) in [("top_level.mjs", "module"), ("typed.ts", "typed")] {
                // Older ones know no types; that they say so is not ours.
                if script == "typed.ts" && node.major < 22 {
                    continue;
                }
                let port = free_port();
                apps.push(App::new(&format!("{answer}-{mode}"), script).mode(mode).env("PORT", port));
                expected.push((port, answer));
            }
        }
        let echoes = MODES.map(|mode| (mode, free_port()));
        apps.extend(
            echoes.map(|(mode, port)| App::new(&format!("echo-{mode}"), "echo.js").mode(mode).env("PORT", port)),
        );
        fleet.start(&apps);
        for (port, answer) in expected {
            fleet.until("it answers", || get(port).is_ok());
            for _ in 0..4 {
                assert_eq!(get(port).as_deref(), Ok(answer), "Node {}", node.major);
            }
        }
        for (mode, port) in echoes {
            fleet.until("it listens", || connect(("127.0.0.1", port)).is_ok());
            let mut stream = connect(("127.0.0.1", port)).unwrap();
            let sent = "äöü\n".repeat(20_000);
            let mut writer = stream.try_clone().unwrap();
            let writing = std::thread::spawn({
                let sent = sent.clone();
                move || writer.write_all(sent.as_bytes()).and_then(|()| writer.shutdown(Shutdown::Write))
            });
            let got = read_all(&mut stream).unwrap();
            writing.join().unwrap().unwrap();
            assert!(got == sent, "Node {} {mode}: {} bytes", node.major, got.len());
        }
    }
}
