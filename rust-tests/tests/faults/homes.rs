//! Homes that cannot be used, and what an ended supervisor leaves in one.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use rust_tests::home::{Home, kill, until};

#[test]
fn a_home_that_is_a_file_is_named() {
    let home = Home::new();
    home.write("home", "x");
    let output = home.rewake(["list"]).fails();
    assert!(output.stderr.contains("home"), "{}", output.stderr);
    assert!(output.stderr.contains("not a "), "{}", output.stderr);
}

#[test]
fn a_home_of_another_user_is_refused() {
    let home = Home::new();
    fs::create_dir(home.path()).unwrap();
    // Only root can give a folder away; others see the same refusal with root's folders.
    if std::os::unix::fs::chown(home.path(), Some(12345), Some(12345)).is_err() {
        return;
    }
    let output = home.rewake(["list"]).fails();
    assert!(output.stderr.contains("12345"), "{}", output.stderr);
}

#[test]
fn an_open_home_is_closed_to_others() {
    let home = Home::new();
    fs::create_dir(home.path()).unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    home.rewake(["list"]).ok();
    assert_eq!(fs::metadata(home.path()).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(home.path().join("rpc.sock")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_stale_socket_and_pid_file_are_no_obstacle() {
    let home = Home::new();
    fs::create_dir(home.path()).unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).unwrap();
    drop(std::os::unix::net::UnixListener::bind(home.path().join("rpc.sock")).unwrap());
    fs::write(home.path().join("rewake.pid"), "1\n").unwrap();
    home.rewake(["start", "/bin/sleep", "--interpreter", "none", "--name", "s", "--", "86400"]).ok();
    assert_eq!(home.slots("s").len(), 1);
}

#[test]
fn a_home_with_a_very_long_path_works() {
    let home = Home::new();
    let long = home.folder().join("x".repeat(120)).join("y".repeat(60));
    fs::create_dir_all(&long).unwrap();
    let run = |args: &[&str]| home.command(args).env("REWAKE_HOME", &long).output().unwrap();
    assert!(run(&["start", "/bin/sleep", "--interpreter", "none", "--", "86400"]).status.success());
    assert!(run(&["ping"]).status.success());
    assert!(run(&["kill"]).status.success());
    until("the socket is gone", || !long.join("rpc.sock").exists());
}

#[test]
fn after_kill_nothing_is_left_but_the_durable_files() {
    let home = Home::new();
    home.rewake(["start", "/bin/sleep", "--interpreter", "none", "--name", "s", "--", "86400"]).ok();
    let pids = [home.daemon().unwrap(), home.keeper().unwrap(), home.slots("s")[0].0];
    home.rewake(["kill"]).ok();
    until("all have ended", || pids.iter().all(|pid| !rust_tests::home::is_alive(*pid)));
    let gone = |name: &str| !home.path().join(name).exists();
    assert!(gone("rpc.sock") && gone("rewake.pid"));
    let output = home.rewake(["kill"]).ok();
    assert!(!output.stderr.is_empty(), "it says that there was nobody");
    assert_eq!(home.jlist().len(), 0);
}

#[test]
fn the_supervisors_own_log_is_bounded_and_always_the_file_of_its_name() {
    let home = Home::new();
    let (log, aside) = (home.path().join("rewake.log"), home.path().join("rewake.log.1"));
    let text = || fs::read_to_string(&log).unwrap_or_default();
    home.rewake(["start", "/bin/sleep", "--interpreter", "none", "--name", "s", "--", "86400"]).ok();
    for _ in 0..2 {
        let (before, many) = (text(), "something that was said\n".repeat(11 << 20 >> 4));
        fs::OpenOptions::new().append(true).open(&log).unwrap().write_all(many.as_bytes()).unwrap();
        home.rewake(["restart", "s"]).ok();
        assert_eq!(fs::read_to_string(&aside).unwrap(), before + &many, "not a line more or less");
        assert!(text().contains("Restart app=\"s\""), "{}", text());
    }
    let daemon = home.daemon().unwrap();
    kill(daemon);
    let died = format!("keeper: the daemon (process {daemon}) died\n");
    until("the keeper says so there, too, and so does the next daemon", || {
        text().contains(&died) && text().contains("daemon is up")
    });
    fs::remove_file(&log).unwrap();
    home.rewake(["restart", "s"]).ok();
    assert!(text().contains("Restart app=\"s\""), "{}", text());
    for pid in [home.daemon().unwrap(), home.keeper().unwrap()] {
        assert_eq!(
            fs::read_link(format!("/proc/{pid}/fd/1")).unwrap(),
            fs::read_link(format!("/proc/{pid}/fd/2")).unwrap()
        );
    }
}
