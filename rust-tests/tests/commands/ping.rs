//! `rewake ping`.

use std::os::unix::net::UnixListener;

use crate::home::Home;

#[test]
fn the_daemon_answers_and_is_started_for_it() {
    let home = Home::new();
    let said = home.run("ping").good();
    assert_eq!(said.out, "{ msg: 'pong' }\n");
    assert!(said.err.contains("started the daemon"), "{said:?}");
    let said = home.run("ping").good();
    assert_eq!(said.err, "");
    assert_eq!(home.run("ping --json").good().json()["msg"], "pong");
}

#[test]
fn a_stale_socket_is_no_hindrance() {
    let home = Home::new();
    std::fs::create_dir(home.path()).unwrap();
    drop(UnixListener::bind(home.path().join("rpc.sock")).unwrap());
    assert_eq!(home.run("ping").good().out, "{ msg: 'pong' }\n");
}

#[test]
fn a_home_that_cannot_be_used_is_told_with_advice() {
    let home = Home::new();
    home.file("home", "not a folder");
    let said = home.run("ping").bad();
    assert!(said.err.contains("error: ") && said.err.contains("home"), "{said:?}");
    std::fs::remove_file(home.path()).unwrap();
}

#[test]
fn a_home_with_a_long_path_works() {
    let home = Home::new();
    let long = home.folder().join("a-folder-with-a-name-that-is-long".repeat(5));
    let with_long_home = |words: &[&str]| {
        let child = home.command(words).env("REWAKE_HOME", &long).spawn().unwrap();
        crate::home::finish(child, words)
    };
    let said = with_long_home(&["ping"]);
    let killed = with_long_home(&["kill"]);
    assert_eq!(said.good().out, "{ msg: 'pong' }\n");
    killed.good();
}
