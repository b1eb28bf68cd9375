//! Who gets a new connection, in each way of sharing: only workers that are up and accept, whatever happens to the others and to the daemon.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rust_tests::home::{Home, is_alive, kill, nodes, until};
use rust_tests::ports::free_port;
use serde_json::{Value, json};

use super::http::{SERVER, get, get_from, get_path, load};

const WAYS: [&str; 4] = ["kernel", "client-ip", "round-robin", "shared"];

/// An app from a file, until each of its instances has listened.
fn start(home: &Home, node: &str, script: &str, port: u16, more: &Value) {
    home.write("app.js", script);
    let mut app = json!({
        "name": "web", "script": "app.js", "exec_mode": "cluster", "instances": 2, "interpreter": node,
        "reload_soak": 0, "listen_timeout": 60_000, "kill_timeout": 60_000, "env": { "PORT": port.to_string() },
    });
    app.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    home.write("app.json", &json!({ "apps": [app] }).to_string());
    home.rewake(["start", "app.json"]).ok();
    until("each instance listens", || listens(home).iter().all(|listens| !listens.is_empty()));
}

/// Where each instance listens, as `describe` tells.
fn listens(home: &Home) -> Vec<Vec<Value>> {
    let of = |slot: &Value| slot["rewake"]["cluster"]["listens"].as_array().cloned().unwrap_or_default();
    described(home).iter().map(of).collect()
}

fn described(home: &Home) -> Vec<Value> {
    home.rewake(["describe", "web", "--json"]).ok().json().as_array().unwrap().clone()
}

fn pids(home: &Home) -> BTreeSet<String> {
    home.slots("web").iter().map(|slot| slot.0.to_string()).collect()
}

/// Which processes have answered so many requests, and how often.
fn answers(port: u16, requests: usize) -> BTreeMap<String, usize> {
    let mut answers = BTreeMap::new();
    for _ in 0..requests {
        *answers.entry(get(port).unwrap()).or_default() += 1;
    }
    answers
}

#[test]
fn describe_tells_where_each_worker_listens_and_how_connections_come_there() {
    for way in WAYS {
        let (home, port) = (Home::new(), free_port());
        start(&home, "node", SERVER, port, &json!({ "cluster_balance": way }));
        for listens in listens(&home) {
            assert_eq!(listens.len(), 1, "{listens:?}");
            assert_eq!((&listens[0]["balance"], &listens[0]["address"]), (&json!(way), &json!(format!("[::]:{port}"))));
        }
        let open: Vec<_> = (0..3).map(|_| std::net::TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
        until("three connections are open", || {
            let of = |slot: &Value| slot["rewake"]["cluster"]["open_connections"].as_u64().unwrap();
            described(&home).iter().map(of).sum::<u64>() == 3
        });
        drop(open);
        let table = home.rewake(["describe", "0"]).ok().stdout;
        assert!(table.contains(&format!("[::]:{port} ({way})")), "{table}");
    }
}

#[test]
fn in_each_way_every_worker_gets_connections_and_in_round_robin_each_as_many() {
    for node in nodes() {
        for way in ["kernel", "client-ip", "round-robin"] {
            let (home, port) = (Home::new(), free_port());
            start(&home, &node, SERVER, port, &json!({ "cluster_balance": way, "instances": 4 }));
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            for client in 1..=200_u8 {
                *counts.entry(get_from([127, 0, 3, client], port).unwrap()).or_default() += 1;
            }
            let (least, most) = (counts.values().min().unwrap(), counts.values().max().unwrap());
            assert_eq!(counts.len(), 4, "{node} {way}: {counts:?}");
            match way {
                "round-robin" => assert!(most - least <= 2, "{node} {way}: {counts:?}"),
                // Six standard deviations of chance.
                _ => assert!(*least >= 13 && *most <= 87, "{node} {way}: {counts:?}"),
            }
        }
    }
}

#[test]
fn a_client_stays_with_its_worker_also_while_another_one_is_replaced() {
    let (home, port) = (Home::new(), free_port());
    start(&home, "node", SERVER, port, &json!({ "cluster_balance": "client-ip", "instances": 4 }));
    let clients: Vec<[u8; 4]> = (1..=60).map(|n| [127, 0, 4, n]).collect();
    let first: Vec<String> = clients.iter().map(|client| get_from(*client, port).unwrap()).collect();
    for _ in 0..3 {
        for (client, worker) in clients.iter().zip(&first) {
            assert_eq!(&get_from(*client, port).unwrap(), worker);
        }
    }
    let victim = first[0].clone();
    kill(victim.parse().unwrap());
    while pids(&home).contains(&victim) {
        for (client, worker) in clients.iter().zip(&first).filter(|(_, worker)| **worker != victim) {
            assert_eq!(&get_from(*client, port).unwrap(), worker);
        }
    }
    until("the new one has the clients of the old one, and all of them", || {
        let now: Vec<String> = clients.iter().map(|client| get_from(*client, port).unwrap()).collect();
        let pairs: BTreeSet<(&String, &String)> = first.iter().zip(&now).collect();
        pairs.len() == 4 && pairs.iter().all(|(before, now)| (before == now) != (**before == victim))
    });
    // Also over a reload: who shared a worker shares one again.
    home.rewake(["reload", "web"]).ok();
    let after: Vec<String> = clients.iter().map(|client| get_from(*client, port).unwrap()).collect();
    let pairs: BTreeSet<(&String, &String)> = first.iter().zip(&after).collect();
    assert_eq!(pairs.len(), 4, "{pairs:?}");
}

#[test]
fn what_waits_for_a_worker_that_dies_is_served_by_others_at_once() {
    let (home, port) = (Home::new(), free_port());
    let script = "
        const http = require('http');
        http.createServer((q, r) => {
            if (q.url !== '/stop') return r.end(String(process.pid));
            r.end(String(process.pid));
            // It accepts nothing any more, as if it were very busy.
            setTimeout(() => { for (;;); }, 1);
        }).listen(+process.env.PORT);
    ";
    // The successor must not be what serves them: it comes when no client waits any more.
    let more = json!({ "cluster_balance": "kernel", "instances": 2, "restart_delay": 120_000 });
    start(&home, "node", script, port, &more);
    let busy = get_path(port, "/stop").unwrap();
    let load = load(port, 8);
    kill(busy.parse().unwrap());
    until("it is gone", || !is_alive(busy.parse().unwrap()));
    let served = answers(port, 50);
    assert!(!served.contains_key(&busy));
    let counted = load.end();
    assert!(counted.slowest < Duration::from_secs(10), "{:?}", counted.slowest);
    assert!(counted.failed.len() <= 8, "only what the dead one had accepted: {:?}", counted.failed);
}

#[test]
fn a_worker_that_blocks_its_event_loop_gets_no_connections_meanwhile() {
    let (home, port) = (Home::new(), free_port());
    let script = "
        const fs = require('fs');
        const http = require('http');
        // It says when it stands still, and does so until it is told.
        const block = () => {
            fs.writeFileSync('blocked', '');
            const never = new Int32Array(new SharedArrayBuffer(4));
            while (!fs.existsSync('go on')) Atomics.wait(never, 0, 0, 10);
        };
        http.createServer((q, r) => {
            r.end(String(process.pid));
            if (q.url === '/block') setTimeout(block, 1);
        }).listen(+process.env.PORT);
    ";
    start(&home, "node", script, port, &json!({ "cluster_balance": "kernel" }));
    let blocked = get_path(port, "/block").unwrap();
    until("it stands still", || home.folder().join("blocked").exists());
    let mut slowest = Duration::ZERO;
    let mut served: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..300 {
        let asked = Instant::now();
        *served.entry(get(port).unwrap()).or_default() += 1;
        slowest = slowest.max(asked.elapsed());
    }
    assert!(!served.contains_key(&blocked), "{served:?}");
    assert!(slowest < Duration::from_secs(10), "{slowest:?}");
    home.write("go on", "");
    until("it gets connections again", || get(port).unwrap() == blocked);
}

#[test]
fn no_connection_reaches_a_new_process_before_it_is_ready() {
    for way in ["kernel", "client-ip", "round-robin"] {
        let (home, port) = (Home::new(), free_port());
        start(&home, "node", SERVER, port, &json!({ "cluster_balance": way }));
        let old = pids(&home);
        // It listens, and fails whoever asks it; a second later it dies.
        home.write(
            "app.js",
            "require('http').createServer((q, r) => q.socket.destroy()).listen(+process.env.PORT);
             setTimeout(() => process.exit(3), 1000);",
        );
        home.write(
            "app.json",
            &std::fs::read_to_string(home.folder().join("app.json"))
                .unwrap()
                .replace("\"reload_soak\":0", "\"reload_soak\":60000"),
        );
        let load = load(port, 4);
        let output = home.rewake(["reload", "app.json"]).fails();
        let counted = load.end();
        assert_eq!(counted.failed, Vec::<String>::new(), "{way}: {} answered", counted.answered);
        assert!(output.stderr.contains("exited with code 3"), "{}", output.stderr);
        assert_eq!(pids(&home), old, "{way}");
    }
}

#[test]
fn in_each_way_reload_and_scale_lose_nothing() {
    for way in WAYS {
        let (home, port) = (Home::new(), free_port());
        start(&home, "node", SERVER, port, &json!({ "cluster_balance": way }));
        let load = load(port, 4);
        for act in [
            ["reload", "web"].as_slice(),
            &["scale", "web", "4"],
            &["reload", "web"],
            &["scale", "web", "1"],
            &["reload", "web"],
            &["scale", "web", "+2"],
        ] {
            home.rewake(act).ok();
        }
        let counted = load.end();
        assert_eq!(counted.failed, Vec::<String>::new(), "{way}: {} answered", counted.answered);
        let now = pids(&home);
        assert_eq!(now.len(), 3);
        if way != "client-ip" {
            until("each of them answers", || answers(port, 50).into_keys().collect::<BTreeSet<_>>() == now);
        }
    }
}

#[test]
fn the_next_daemon_goes_on_where_the_last_one_was_killed() {
    for way in WAYS {
        let (home, port) = (Home::new(), free_port());
        start(&home, "node", SERVER, port, &json!({ "cluster_balance": way, "instances": 3 }));
        // So that seats, slots and runs are not in the same order.
        home.rewake(["reload", "web"]).ok();
        let workers = pids(&home);
        for _ in 0..3 {
            let daemon = home.daemon().unwrap();
            let load = load(port, 4);
            kill(daemon);
            until("there is another daemon", || home.daemon().is_some_and(|pid| pid != daemon && is_alive(pid)));
            home.rewake(["ping"]).ok();
            let failed = load.end().failed;
            // In round robin the connection that the daemon has in its hand dies with it.
            assert!(failed.len() <= usize::from(way == "round-robin"), "{way}: {failed:?}");
        }
        assert_eq!(pids(&home), workers);
        for listens in listens(&home) {
            assert_eq!(listens.first().map(|listens| &listens["balance"]), Some(&json!(way)));
        }
        let clients = |n: u8| get_from([127, 0, 5, n], port).unwrap();
        until("each worker gets connections", || (1..=60).map(clients).collect::<BTreeSet<_>>() == workers);
        let load = load(port, 4);
        home.rewake(["reload", "web"]).ok();
        assert_eq!(load.end().failed, Vec::<String>::new(), "{way}: in the reload after");
        let workers = pids(&home);
        until("each new worker gets connections", || (1..=60).map(clients).collect::<BTreeSet<_>>() == workers);
        home.rewake(["delete", "web"]).ok();
        let answer = get(port);
        assert!(answer.as_ref().is_err_and(|error| error.contains("refused")), "{way}: {answer:?}");
    }
}

#[test]
fn two_clusters_on_one_port_are_told_apart_by_name_and_a_stranger_by_its_pid() {
    let (home, port) = (Home::new(), free_port());
    start(&home, "node", SERVER, port, &json!({ "cluster_balance": "kernel" }));
    home.write("second.js", SERVER);
    let start_second = || {
        let second = json!({ "name": "second", "script": "second.js", "exec_mode": "cluster", "max_restarts": 2,
            "min_uptime": "1h", "env": { "PORT": port.to_string() } });
        home.write("second.json", &json!({ "apps": [second] }).to_string());
        home.rewake(["start", "second.json"]);
        until("it is given up", || home.slots("second").iter().all(|slot| slot.1 == "errored"));
        let described = home.rewake(["describe", "second", "--json"]).ok().json();
        described[0]["rewake"]["reason"].as_str().unwrap().to_owned()
    };
    let reason = start_second();
    assert!(reason.contains(&port.to_string()) && reason.contains("in use by app `web`"), "{reason}");
    assert!(answers(port, 1).len() == 1, "the first one serves on");
    home.rewake(["delete", "all"]).ok();
    let _stranger = std::net::TcpListener::bind(("0.0.0.0", port)).unwrap();
    let reason = start_second();
    assert!(reason.contains(&format!("process {}", std::process::id())), "{reason}");
}
