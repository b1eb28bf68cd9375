//! A reload of an app with sockets is as gapless as in cluster mode, and its list of sockets may change with it.

use std::collections::BTreeSet;

use rust_tests::home::{Home, children, is_alive, nodes, until};
use rust_tests::ports::free_port;
use serde_json::{Value, json};

use super::http::{
    SERVER, get, kill_daemon, load, load_on_kept_connections, opened, opened_port, pid, refuses, start, with_file,
};

fn pids(home: &Home) -> BTreeSet<u32> {
    home.slots("web").iter().map(|slot| slot.0).collect()
}

/// Reloads under load; every process is another one afterwards, and every request was answered.
fn reload_loses_nothing(node: &str, more: &[&str]) {
    let (home, port) = (Home::new(), free_port());
    start(&home, node, SERVER, port, more);
    let load = load(port, 4);
    for _ in 0..2 {
        let before = pids(&home);
        home.rewake(["reload", "web"]).ok();
        assert!(before.is_disjoint(&pids(&home)), "{node}");
        assert!(before.iter().all(|pid| !is_alive(*pid)), "{node}: the old ones have ended");
    }
    let counted = load.end_after(100);
    assert_eq!(counted.failed, Vec::<String>::new(), "{node}: {} answered", counted.answered);
}

#[test]
fn no_new_connection_fails_in_a_reload_of_one_process() {
    for node in nodes() {
        reload_loses_nothing(&node, &["--min-uptime", "300"]);
    }
}

#[test]
fn no_new_connection_fails_in_a_reload_of_several() {
    reload_loses_nothing("node", &["-i", "3", "--wait-ready", "--env", "SAYS_READY=1"]);
}

#[test]
fn with_the_drain_helper_no_request_on_a_kept_connection_fails_either() {
    for node in nodes() {
        let home = Home::new();
        home.write("app.js", SERVER);
        let app = json!({
            "name": "web", "script": "app.js", "interpreter": node, "sockets": "127.0.0.1:0", "drain": true,
            "wait_ready": true, "env": { "SAYS_READY": "1" }, "listen_timeout": 60_000, "kill_timeout": 60_000,
        });
        with_file(&home, "start", &app).ok();
        let load = load_on_kept_connections(opened_port(&home, "web"), 3);
        for _ in 0..2 {
            home.rewake(["reload", "web"]).ok();
        }
        let counted = load.end_after(100);
        assert_eq!(counted.failed, Vec::<String>::new(), "{node}: {} answered", counted.answered);
    }
}

#[test]
fn a_request_in_flight_is_finished_by_the_old_process() {
    let (home, port) = (Home::new(), free_port());
    start(&home, "node", SERVER, port, &["--wait-ready", "--env", "SAYS_READY=1"]);
    let old = home.slots("web")[0].0;
    let slow = std::thread::spawn(move || {
        let mut answers = Vec::new();
        while let Ok(answer) = get(port, "/slow") {
            let done = pid(&answer) != old;
            answers.push(pid(&answer));
            if done {
                return answers;
            }
        }
        panic!("a request failed after {answers:?}");
    });
    home.rewake(["reload", "web"]).ok();
    assert!(slow.join().unwrap().contains(&home.slots("web")[0].0));
}

#[test]
fn a_bad_release_replaces_nothing() {
    for (what, release, more) in [
        // Not so old on the slowest machine that it counts as ready.
        ("exits", "setTimeout(() => process.exit(7), 50)", &["--min-uptime", "1h"][..]),
        (
            "is never ready",
            "setInterval(() => {}, 1e6)",
            &["--wait-ready", "--listen-timeout", "500", "--env", "SAYS_READY=1"],
        ),
    ] {
        let (home, port) = (Home::new(), free_port());
        start(&home, "node", SERVER, port, more);
        let before = pids(&home);
        home.write("app.js", release);
        let load = load(port, 2);
        let output = home.rewake(["reload", "web"]).fails();
        let counted = load.end();
        // The bad one never touches its descriptor, so it takes no connection away.
        assert_eq!(counted.failed, Vec::<String>::new(), "{what}");
        assert_eq!(pids(&home), before, "{what}");
        assert!(output.stderr.contains("goes on with its old process"), "{what}: {}", output.stderr);
    }
}

/// An app of two instances with these sockets and this release.
fn release(home: &Home, script: &str, sockets: &Value, number: u32) -> Value {
    home.write(&format!("{number}.js"), script);
    json!({
        "name": "web", "script": format!("{number}.js"), "instances": 2, "exec_mode": "fork", "sockets": sockets,
        "wait_ready": true, "env": { "SAYS_READY": "1", "RELEASE": number }, "listen_timeout": 60_000, "kill_timeout": 60_000,
    })
}

#[test]
fn a_new_list_keeps_what_is_the_same_opens_what_is_new_and_closes_the_rest_at_the_end() {
    let home = Home::new();
    let [kept, dropped, new, own] = [(); 4].map(|()| free_port());
    let at = |port: u16| format!("127.0.0.1:{port}");
    // Served on the dropped one as well, by the old release.
    let old = format!("require('http').createServer((q, r) => r.end('{{}}')).listen({{ fd: 4 }}); {SERVER}");
    with_file(&home, "start", &release(&home, &old, &json!([at(kept), at(dropped)]), 1)).ok();
    let (load, both) = (load(kept, 2), get(dropped, "/"));
    assert!(both.is_ok(), "{both:?}");
    let before = pids(&home);

    // One that cannot be had: nothing changes, also not what comes before it in the list.
    let stranger = std::net::TcpListener::bind(at(own)).unwrap();
    let bad = release(&home, SERVER, &json!([at(new), at(kept), at(own)]), 2);
    let output = with_file(&home, "reload", &bad).fails();
    let expected = format!("socket `{}` cannot be opened: it is in use by process {}", at(own), std::process::id());
    assert!(
        output.stderr.contains("goes on with its old process") && output.stderr.contains(&expected),
        "{}",
        output.stderr
    );
    assert_eq!(pids(&home), before);
    assert!(refuses(new) && get(dropped, "/").is_ok());
    drop(stranger);

    // One whose process is no good: what it had asked for is closed again.
    let bad = release(&home, "process.exit(3)", &json!([at(new), at(kept)]), 3);
    with_file(&home, "reload", &bad).fails();
    assert_eq!(pids(&home), before);
    assert!(refuses(new) && get(dropped, "/").is_ok());

    // A good one, with the kept one in another place.
    let second = SERVER.replace("fd: 3", "fd: 4");
    with_file(&home, "reload", &release(&home, &second, &json!([at(new), at(kept)]), 4)).ok();
    assert!(before.is_disjoint(&pids(&home)));
    assert!(refuses(dropped) && !refuses(new));
    assert_eq!(get(kept, "/").unwrap()["release"], "4");
    assert_eq!(opened(&home, "web").into_iter().map(|(_, address)| address).collect::<Vec<_>>(), [at(new), at(kept)]);
    let counted = load.end();
    assert_eq!(counted.failed, Vec::<String>::new(), "{} answered", counted.answered);

    // After a restart, as well, there is what the list says.
    with_file(&home, "restart", &release(&home, SERVER, &json!([at(dropped)]), 5)).ok();
    assert!(refuses(new) && refuses(kept));
    assert_eq!(get(dropped, "/").unwrap()["release"], "5");
    with_file(&home, "restart", &release(&home, "process.send('ready'); setInterval(() => {}, 1e6)", &json!([]), 6))
        .ok();
    assert!(refuses(dropped));
}

#[test]
fn a_dropped_socket_stays_open_until_the_last_old_process_has_gone() {
    let (home, kept, dropped) = (Home::new(), free_port(), free_port());
    let at = |port: u16| format!("127.0.0.1:{port}");
    let slow_to_go = "
        const http = require('http');
        const answer = (q, r) => r.end(JSON.stringify({ pid: process.pid }));
        http.createServer(answer).listen({ fd: 3 });
        http.createServer(answer).listen({ fd: 4 }, () => process.send('ready'));
        process.on('SIGINT', () => {});
        process.on('SIGUSR2', () => process.exit(0));
    ";
    let first = release(&home, slow_to_go, &json!([at(kept), at(dropped)]), 1);
    let patient = |mut app: Value| {
        app["kill_timeout"] = json!(25_000);
        app["instances"] = json!(1);
        app
    };
    with_file(&home, "start", &patient(first)).ok();
    let old = home.slots("web")[0].0;
    let second = patient(release(&home, SERVER, &json!([at(kept)]), 2));
    home.write("ecosystem.json", &json!({ "apps": [second] }).to_string());
    let mut reload = home.command(["reload", "ecosystem.json"]).stdout(std::process::Stdio::null()).spawn().unwrap();
    until("the new one has taken over", || home.slots("web").iter().any(|slot| slot.0 != old && slot.1 == "online"));
    assert_eq!(pid(&get(dropped, "/").unwrap()), old, "the old one serves what only it has");
    std::process::Command::new("kill").args(["-USR2", &old.to_string()]).status().unwrap();
    assert!(reload.wait().unwrap().success());
    assert!(refuses(dropped) && get(kept, "/").is_ok());
}

#[test]
fn an_app_that_listened_by_itself_is_told_by_a_reload_how_it_gets_its_sockets() {
    let (home, port) = (Home::new(), free_port());
    let own = format!(
        "require('http').createServer((q, r) => r.end('{{}}')).listen({port}, '127.0.0.1', () => process.send('ready'))"
    );
    let one = |mut app: Value| {
        app["instances"] = json!(1);
        app
    };
    with_file(&home, "start", &one(release(&home, &own, &json!([]), 1))).ok();
    let next = one(release(&home, SERVER, &json!([format!("127.0.0.1:{port}")]), 2));
    let before = pids(&home);
    let output = with_file(&home, "reload", &next).fails();
    let pid = before.first().unwrap();
    let expected = format!("its own process {pid} listens there by itself; stop the app, then start it anew");
    assert!(output.stderr.contains(&expected), "{}", output.stderr);
    assert_eq!(pids(&home), before);
    home.rewake(["stop", "web"]).ok();
    with_file(&home, "start", &next).ok();
    assert_eq!(get(port, "/").unwrap()["release"], "2");
}

#[test]
fn a_stop_in_the_middle_of_a_reload_closes() {
    let (home, port) = (Home::new(), free_port());
    start(&home, "node", SERVER, port, &["-i", "2", "--min-uptime", "20s"]);
    let mut reload = home.command(["reload", "web"]).stderr(std::process::Stdio::null()).spawn().unwrap();
    let log = home.path().join("rewake.log");
    until("it is under way", || std::fs::read_to_string(&log).is_ok_and(|text| text.contains("Reload app")));
    home.rewake(["stop", "web"]).ok();
    assert_eq!(reload.wait().unwrap().code(), Some(1));
    assert!(refuses(port));
}

#[test]
fn a_daemon_that_dies_in_the_middle_of_a_reload_leaves_one_process_for_each_instance_and_no_gap() {
    let (home, port) = (Home::new(), free_port());
    start(&home, "node", SERVER, port, &["-i", "2", "--min-uptime", "100"]);
    let load = load(port, 2);
    for moment in 0..5 {
        let mut reload = home.command(["reload", "web"]).stderr(std::process::Stdio::null()).spawn().unwrap();
        // Different moments of the reload, which takes some 400 ms: before, between and behind its steps.
        std::thread::sleep(std::time::Duration::from_millis(moment * 90));
        kill_daemon(&home);
        reload.wait().unwrap();
        until("both instances are up", || home.slots("web").iter().all(|slot| slot.1 == "online" && is_alive(slot.0)));
        let keeper = home.keeper().unwrap();
        // The next daemon brings the reload to its end.
        until("nothing else is left", || {
            let now = pids(&home);
            assert_eq!(now.len(), 2);
            children(keeper).iter().all(|(pid, _)| now.contains(pid) || Some(*pid) == home.daemon())
        });
    }
    // It waits for the one that is still going on, although nobody else does any more.
    home.rewake(["reload", "web"]).ok();
    let counted = load.end();
    assert_eq!(counted.failed, Vec::<String>::new(), "{} answered", counted.answered);
    home.rewake(["delete", "web"]).ok();
    assert!(refuses(port));
}
