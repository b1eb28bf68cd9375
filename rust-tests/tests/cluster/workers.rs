//! What a worker sees of itself, how requests reach all of them, and how one is replaced without the others noticing.

use std::collections::BTreeSet;
use std::fs;

use rust_tests::home::{Home, is_alive, nodes, until};
use rust_tests::ports::free_port;

use super::http::{SERVER, get, load};

/// Starts a script in cluster mode.
fn start(home: &Home, node: &str, script: &str, instances: u32, port: u16) {
    home.write("app.js", script);
    let instances = instances.to_string();
    let args = ["start", "app.js", "--name", "web", "-i", &instances, "--interpreter", node];
    let output = home.command(args).env("PORT", port.to_string()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn answering(port: u16, requests: usize) -> BTreeSet<String> {
    (0..requests).filter_map(|_| get(port).ok()).collect()
}

#[test]
fn all_instances_share_one_port_and_each_answers() {
    for node in nodes() {
        let (home, port) = (Home::new(), free_port());
        start(&home, &node, SERVER, 3, port);
        let pids: BTreeSet<String> = home.slots("web").iter().map(|slot| slot.0.to_string()).collect();
        assert_eq!(pids.len(), 3);
        let mut seen = BTreeSet::new();
        until("each has answered", || {
            let load = load(port, 6);
            seen.extend(answering(port, 50));
            let _ = load.end();
            seen.is_superset(&pids)
        });
        assert_eq!(seen, pids, "{node}");
    }
}

#[test]
fn a_worker_sees_what_nodes_own_primary_shows_it() {
    let script = "
        const cluster = require('cluster');
        const seen = { worker: cluster.isWorker, primary: cluster.isPrimary, connected: cluster.worker.isConnected(), id: cluster.worker.id > 0,
          env: Object.keys(process.env).filter((name) => /^NODE_(CHANNEL|UNIQUE)/.test(name)), main: require.main === module, argv: process.argv.length };
        require('child_process').execFile(process.execPath, ['-p', 'JSON.stringify(Object.keys(process.env).filter((name) => /^NODE_(CHANNEL|UNIQUE)/.test(name)))'],
          (error, out) => { seen.child = JSON.parse(out); console.log(JSON.stringify(seen)); });
        require('http').createServer().listen(+process.env.PORT);
    ";
    for node in nodes() {
        let (home, port) = (Home::new(), free_port());
        start(&home, &node, script, 1, port);
        let log = home.path().join("logs/web-out-0.log");
        until("it has spoken", || fs::read_to_string(&log).is_ok_and(|text| text.ends_with('\n')));
        let seen: serde_json::Value = serde_json::from_str(&fs::read_to_string(&log).unwrap()).unwrap();
        let wanted = serde_json::json!({ "worker": true, "primary": false, "connected": true, "id": true, "env": [], "main": true, "argv": 2, "child": [] });
        assert_eq!(seen, wanted, "{node}");
    }
}

#[test]
fn a_killed_worker_is_replaced_while_the_others_serve() {
    let (home, port) = (Home::new(), free_port());
    start(&home, "node", SERVER, 2, port);
    until("both answer", || get(port).is_ok());
    let load = load(port, 4);
    for _ in 0..5 {
        let (victim, _, restarts) = home.slots("web")[0].clone();
        home.rewake(["send-signal", "SIGKILL", "0"]).ok();
        until("it was replaced", || home.slots("web")[0].2 > restarts && home.slots("web")[0].1 == "online");
        assert!(!is_alive(victim));
    }
    let counted = load.end_after(100);
    // Only what was under way on the killed worker may fail: at most the four connections of the load, each time.
    assert!(counted.failed.len() <= 20, "{:?}", counted.failed);
    assert!(counted.failed.iter().all(|error| !error.contains("refused")), "{:?}", counted.failed);
}

#[test]
fn the_address_stays_bound_while_the_only_worker_is_away_and_is_free_after_delete() {
    let (home, port) = (Home::new(), free_port());
    home.write("slow.js", &format!("setTimeout(() => {{ {SERVER} }}, 300)"));
    let args = ["start", "slow.js", "--name", "web", "-i", "1"];
    assert!(home.command(args).env("PORT", port.to_string()).output().unwrap().status.success());
    until("it answers", || get(port).is_ok());
    for _ in 0..3 {
        home.rewake(["send-signal", "SIGKILL", "web"]).ok();
        // The connection waits in the queue for the next worker instead of being refused.
        let answer = get(port);
        assert!(answer.is_ok() || answer.as_ref().is_err_and(|error| !error.contains("refused")), "{answer:?}");
        until("it answers again", || get(port).is_ok());
    }
    home.rewake(["delete", "web"]).ok();
    until("nobody listens", || get(port).is_err_and(|error| error.contains("refused")));
}
