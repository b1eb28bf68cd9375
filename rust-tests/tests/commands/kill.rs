//! `rewake kill`.

use crate::home::{Home, SLEEPER, is_alive, wait};

#[test]
fn everything_ends_and_nothing_is_left() {
    let home = Home::new();
    home.file("app.js", SLEEPER);
    home.run("start app.js -n a").good();
    home.run("start app.js -n b").good();
    let daemon: u64 = std::fs::read_to_string(home.path().join("rewake.pid")).unwrap().trim().parse().unwrap();
    let pids = [home.pid("a"), home.pid("b"), daemon];
    let said = home.run("kill").good();
    assert!(said.err.contains("ended the daemon"), "{said:?}");
    let [a, b, daemon] = pids.map(is_alive);
    // It does not wait for the daemon without end, and says so then.
    assert!(!a && !b && (!daemon || said.err.contains("still closes down")), "{said:?}");
    wait("the daemon has ended", || !is_alive(pids[2]));
    // And at once a new one.
    assert!(home.jlist().is_empty());
}

#[test]
fn none_is_started_just_to_be_killed() {
    let home = Home::new();
    let said = home.run("kill").good();
    assert!(said.err.contains("no daemon runs"), "{said:?}");
    assert!(!home.path().exists());
    assert_eq!(home.run("kill --json").good().json()["killed"], false);
}
