//! Sockets stay while an app is wanted up, whatever happens to its processes and to the daemon.

use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;

use rust_tests::home::{Home, is_alive, nodes, until};
use rust_tests::ports::free_port;
use serde_json::json;

use super::http::{SERVER, ask, get, kill_daemon, opened, opened_port, pid, refuses, start, with_file};

#[test]
fn a_connection_that_comes_while_nobody_runs_is_answered_by_the_successor() {
    for node in nodes() {
        let (home, port) = (Home::new(), free_port());
        // Long enough to be seen.
        start(&home, &node, SERVER, port, &["--restart-delay", "8s"]);
        let dead = pid(&get(port, "/die").unwrap());
        until("nobody runs", || !is_alive(dead) && home.slots("web")[0].1 == "waiting restart");
        assert_ne!(pid(&get(port, "/").unwrap()), dead, "{node}");
    }
}

#[test]
fn port_zero_is_one_port_over_crash_restart_reload_and_the_daemons_death() {
    let home = Home::new();
    home.write("app.js", SERVER);
    let app = json!({ "name": "web", "script": "app.js", "sockets": ["127.0.0.1:0", "127.0.0.1:0"], "min_uptime": 100, "kill_timeout": "60s" });
    with_file(&home, "start", &app).ok();
    let sockets = opened(&home, "web");
    assert_ne!(sockets[0].1, sockets[1].1, "each has a port of its own");
    let port = opened_port(&home, "web");
    until("it answers", || get(port, "/").is_ok());
    let steps: [&dyn Fn(); 4] = [
        &|| drop(home.rewake(["restart", "web"]).ok()),
        &|| drop(get(port, "/die").unwrap()),
        &|| drop(home.rewake(["reload", "web"]).ok()),
        &|| kill_daemon(&home),
    ];
    for step in steps {
        step();
        assert_eq!(get(port, "/").unwrap()["port"], port);
        assert_eq!(opened(&home, "web"), sockets);
    }
    // Both may have been tried out by somebody else since.
    home.rewake(["restart", "web"]).ok();
    assert_eq!(get(port, "/").unwrap()["port"], port);
    assert_eq!(opened(&home, "web"), sockets);
}

#[test]
fn a_killed_daemon_leaves_sockets_and_processes_and_the_next_one_has_both() {
    let (home, port) = (Home::new(), free_port());
    start(&home, "node", SERVER, port, &["-i", "2", "--socket", "unix:a.sock"]);
    let path = home.folder().join("a.sock");
    let inode = || std::fs::metadata(&path).unwrap().ino();
    let (pids, file) = (home.slots("web"), inode());
    let load = super::http::load(port, 2);
    for _ in 0..2 {
        kill_daemon(&home);
    }
    assert_eq!(home.slots("web"), pids);
    home.rewake(["restart", "web"]).ok();
    home.rewake(["reload", "web"]).ok();
    let _ = load.end_after(20);
    assert_eq!(inode(), file, "the same socket");
    assert!(UnixStream::connect(&path).is_ok());
    home.rewake(["stop", "0"]).ok();
    assert!(get(port, "/").is_ok(), "one instance is enough");
    // The app is forgotten by a daemon that never made these sockets.
    kill_daemon(&home);
    home.rewake(["delete", "web"]).ok();
    assert!(refuses(port) && !path.exists());
}

#[test]
fn a_daemon_that_dies_with_the_stop_under_way_closes_after_all() {
    let (home, port) = (Home::new(), free_port());
    let stubborn = format!("{SERVER}process.removeAllListeners('SIGINT'); process.on('SIGINT', () => {{}});");
    // Long enough for a slow machine to have another daemon meanwhile.
    start(&home, "node", &stubborn, port, &["--kill-timeout", "10s"]);
    let mut stop = home.command(["stop", "web"]).stderr(std::process::Stdio::null()).spawn().unwrap();
    let table = home.path().join("table.json");
    until("it is on disk that it is to be down", || {
        std::fs::read_to_string(&table).is_ok_and(|text| text.contains("\"up\": false"))
    });
    assert_eq!(home.slots("web")[0].1, "stopping");
    kill_daemon(&home);
    stop.wait().unwrap();
    until("it is stopped", || home.slots("web")[0].1 == "stopped");
    assert!(refuses(port));
}

#[test]
fn a_socket_file_has_its_mode_and_is_made_anew_when_an_app_removes_it() {
    let home = Home::new();
    let script = format!("process.on('exit', () => require('fs').rmSync('a.sock')); {SERVER}");
    home.write("app.js", &script);
    let path = home.folder().join("a.sock");
    let mode = || std::fs::metadata(&path).unwrap().mode() & 0o777;
    let app =
        |socket: serde_json::Value| json!({ "name": "web", "script": "app.js", "sockets": socket, "min_uptime": 100 });
    with_file(&home, "start", &app(json!("./a.sock"))).ok();
    assert_eq!(mode(), 0o600);
    let first = ask(UnixStream::connect(&path).unwrap(), "/die").unwrap();
    until("another one answers", || {
        let answer = UnixStream::connect(&path).map_err(|error| error.to_string()).and_then(|stream| ask(stream, "/"));
        answer.is_ok_and(|answer| answer["pid"] != first["pid"])
    });
    home.write("app.js", SERVER);
    with_file(&home, "restart", &app(json!({ "address": "./a.sock", "mode": "0660" }))).ok();
    assert_eq!(mode(), 0o660);
    with_file(&home, "reload", &app(json!({ "address": "./a.sock", "mode": "666" }))).ok();
    assert_eq!(mode(), 0o666);
}
