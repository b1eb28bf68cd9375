//! `rewake stop`.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::home::{Home, SLEEPER, finish, is_alive};

#[test]
fn a_stopped_app_is_listed_and_its_process_is_gone() {
    let home = Home::new();
    home.file("app.js", SLEEPER);
    home.run("start app.js").good();
    let pid = home.pid("app");
    let said = home.run("stop app").good();
    assert!(said.err.contains("stopped app (id 0)") && said.out.contains("stopped"), "{said:?}");
    assert!(!is_alive(pid));
    assert_eq!((home.status("app").as_str(), home.pid("app")), ("stopped", 0));
    // Once more is no error.
    home.run("stop app").good();
}

#[test]
fn an_unknown_target_is_an_error_and_the_others_are_stopped() {
    let home = Home::new();
    home.file("app.js", SLEEPER);
    home.run("start app.js").good();
    let said = home.run("stop nosuch app").bad();
    assert!(said.err.contains("`nosuch`"), "{said:?}");
    assert_eq!(home.status("app"), "stopped");
}

#[test]
fn all_a_namespace_a_pattern_and_a_process_file_are_targets() {
    let home = Home::new();
    home.file("app.js", SLEEPER);
    home.file(
        "apps.json",
        r#"[{ "name": "api-1", "script": "app.js", "namespace": "back" }, { "name": "api-2", "script": "app.js" },
            { "name": "web", "script": "app.js", "namespace": "back" }]"#,
    );
    let statuses = || ["api-1", "api-2", "web"].map(|name| home.status(name) == "online");
    for (target, left) in [
        ("/^api/", [false, false, true]),
        ("back", [false, true, false]),
        ("all", [false, false, false]),
        ("apps.json", [false, false, false]),
    ] {
        home.run("start apps.json").good();
        home.run_words(&["stop", target]).good();
        assert_eq!(statuses(), left, "{target}");
    }
}

#[test]
fn the_path_of_a_script_is_a_target() {
    let home = Home::new();
    let path = home.file("app.js", SLEEPER);
    home.file("other.js", SLEEPER);
    home.run("start app.js -n web").good();
    home.run("start other.js").good();
    home.run("stop app.js").good();
    assert_eq!((home.status("web").as_str(), home.status("other").as_str()), ("stopped", "online"));
    home.run(&format!("restart {path}")).good();
    assert_eq!(home.status("web"), "online");
    assert!(home.run("stop nosuch.js").bad().err.contains("`nosuch.js`"));
}

const STUBBORN: &str = "process.on('SIGINT', () => console.log('no')); console.log('up'); setInterval(() => {}, 1000);";

#[test]
fn an_app_that_ignores_the_signal_is_killed_after_its_time() {
    let home = Home::new();
    home.file("app.js", STUBBORN);
    home.run("start app.js --kill-timeout 300").good();
    home.wait_for_output("app", "up");
    let pid = home.pid("app");
    let before = Instant::now();
    home.run("stop app").good();
    assert!(before.elapsed() >= Duration::from_millis(300), "it had {:?}", before.elapsed());
    assert!(!is_alive(pid));
    assert_eq!(home.process("app")["rewake"]["last_exit"]["signal"], "SIGKILL");
}

#[test]
fn an_app_is_asked_before_it_is_killed() {
    let home = Home::new();
    home.file("app.js", STUBBORN);
    // Within 300 ms Node may not get to hear of a signal.
    home.run("start app.js --kill-timeout 45000").good();
    home.wait_for_output("app", "up");
    let pid = home.pid("app");
    let words = ["stop", "app"];
    let stopping = home.command(&words).spawn().unwrap();
    home.wait_for_output("app", "no");
    assert!(is_alive(pid));
    assert!(Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap().success());
    finish(stopping, &words).good();
    assert_eq!(home.status("app"), "stopped");
}
