//! Sockets are closed when an app is at rest: clients are refused then and do not wait for nobody.

use std::net::TcpListener;

use rust_tests::home::{Home, until};
use rust_tests::ports::free_port;

use super::http::{SERVER, get, opened, pid, refuses, start};

#[test]
fn stop_frees_the_address_and_start_takes_it_again() {
    let (home, port) = (Home::new(), free_port());
    start(&home, "node", SERVER, port, &["--socket", "unix:a.sock"]);
    let path = home.folder().join("a.sock");
    for _ in 0..2 {
        assert!(path.exists());
        home.rewake(["stop", "web"]).ok();
        assert!(refuses(port) && !path.exists());
        until("another program can have it", || TcpListener::bind(("127.0.0.1", port)).is_ok());
        assert_eq!(opened(&home, "web"), []);
        home.rewake(["start", "web"]).ok();
        assert!(get(port, "/").is_ok());
    }
    home.rewake(["delete", "web"]).ok();
    assert!(refuses(port) && !path.exists());
}

#[test]
fn the_last_instance_closes_and_no_other() {
    let (home, port) = (Home::new(), free_port());
    start(&home, "node", SERVER, port, &["-i", "2"]);
    let second = home.slots("web")[1].0;
    home.rewake(["stop", "0"]).ok();
    assert_eq!(pid(&get(port, "/").unwrap()), second);
    home.rewake(["start", "0"]).ok();
    home.rewake(["delete", "1"]).ok();
    assert_eq!(pid(&get(port, "/").unwrap()), home.slots("web")[0].0);
    home.rewake(["scale", "web", "3"]).ok();
    home.rewake(["scale", "web", "1"]).ok();
    assert_eq!(pid(&get(port, "/").unwrap()), home.slots("web")[0].0);
    home.rewake(["stop", "0"]).ok();
    assert!(refuses(port));
}

#[test]
fn an_app_that_is_given_up_or_ends_for_good_refuses() {
    for (script, more, status) in [
        ("setTimeout(() => process.exit(1), 50)", &["--max-restarts", "2", "--min-uptime", "1h"][..], "errored"),
        ("setTimeout(() => process.exit(0), 50)", &["--no-autorestart"][..], "stopped"),
    ] {
        let (home, port) = (Home::new(), free_port());
        home.write("app.js", script);
        let address = format!("127.0.0.1:{port}");
        home.rewake([&["start", "app.js", "--name", "web", "--socket", &address][..], more].concat()).ok();
        until(status, || home.slots("web")[0].1 == status);
        assert!(refuses(port), "{status}");
    }
}

#[test]
fn stopping_what_waits_for_its_restart_closes_too() {
    let (home, port) = (Home::new(), free_port());
    start(&home, "node", SERVER, port, &["--restart-delay", "100000"]);
    get(port, "/die").unwrap();
    until("it waits", || home.slots("web")[0].1 == "waiting restart");
    assert!(!refuses(port));
    home.rewake(["stop", "web"]).ok();
    assert!(refuses(port));
}

#[test]
fn the_end_of_the_daemon_closes_everything() {
    let (home, port) = (Home::new(), free_port());
    start(&home, "node", SERVER, port, &["--socket", "unix:a.sock"]);
    let (daemon, keeper) = (home.daemon().unwrap(), home.keeper().unwrap());
    std::process::Command::new("kill").arg(daemon.to_string()).status().unwrap();
    until("both have ended", || ![daemon, keeper].iter().any(|pid| rust_tests::home::is_alive(*pid)));
    assert!(refuses(port) && !home.folder().join("a.sock").exists());
    home.rewake(["resurrect"]).ok();
    until("it serves again", || get(port, "/").is_ok());
    // After the keeper's death another one holds them, which lets go of them, too.
    let keeper = home.keeper().unwrap();
    std::process::Command::new("kill").args(["-KILL", &keeper.to_string()]).status().unwrap();
    until("another keeper is there", || home.keeper().is_some_and(|now| now != keeper));
    assert!(get(port, "/").is_ok());
    home.rewake(["kill"]).ok();
    assert!(refuses(port) && !home.folder().join("a.sock").exists());
}
