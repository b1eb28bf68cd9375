//! `rewake reload`. That no request is lost is shown by the cluster tests.

use std::fs;

use crate::home::{Home, SLEEPER, is_alive, wait};

const SERVER: &str = "require('http').createServer().listen(0);";
const COLOURED: &str = "console.log('colour', process.env.COLOUR); require('http').createServer().listen(0);";

/// However slowly Node starts, it is ready in time.
const READY: &str = "--reload-soak 0 --listen-timeout 60000";

fn pids(home: &Home) -> Vec<u64> {
    home.jlist().iter().map(|entry| entry["pid"].as_u64().unwrap()).collect()
}

#[test]
fn a_reload_replaces_every_process_and_counts_it() {
    let home = Home::new();
    home.file("app.js", SERVER);
    home.run(&format!("start app.js -i 2 {READY}")).good();
    let before = pids(&home);
    for (nth, line) in ["reload app", "gracefulReload app --parallel 2", "reload all"].into_iter().enumerate() {
        let old = pids(&home);
        let said = home.run(line).good();
        assert!(said.err.contains("reloaded app (id 0, pid ") && !said.err.contains("has ended"), "{said:?}");
        let new = pids(&home);
        assert!(old.iter().all(|pid| !new.contains(pid) && !is_alive(*pid)), "{old:?} {new:?}");
        assert!(home.jlist().iter().all(|entry| entry["pm2_env"]["restart_time"] == nth + 1));
    }
    assert!(before.iter().all(|pid| !pids(&home).contains(pid)));
}

#[test]
fn what_does_not_run_is_started_and_fork_mode_is_restarted() {
    let home = Home::new();
    home.file("app.js", SERVER);
    home.file("plain.js", SLEEPER);
    home.run(&format!("start app.js -i 1 {READY}")).good();
    home.run("start plain.js --reload-soak 0").good();
    let plain = home.pid("plain");
    home.run("stop app").good();
    home.run("reload all").good();
    assert_eq!(home.status("app"), "online");
    assert!(home.pid("plain") != plain && !is_alive(plain));
}

#[test]
fn the_stored_environment_is_kept_unless_it_is_to_be_updated() {
    let home = Home::new();
    home.file("app.js", COLOURED);
    home.run(&format!("start app.js -i 1 {READY} --merge-logs --env COLOUR=red")).good();
    home.wait_for_output("app", "colour red");
    let with = |colour: &str, words: &[&str]| {
        let child = home.command(words).env("COLOUR", colour).spawn().unwrap();
        crate::home::finish(child, words).good();
    };
    home.run("flush").good();
    with("green", &["reload", "app"]);
    home.wait_for_output("app", "colour red");
    with("green", &["reload", "app", "--update-env"]);
    home.wait_for_output("app", "colour green");
}

#[test]
fn a_process_file_reloads_what_is_listed_with_its_new_description_and_starts_the_rest() {
    let home = Home::new();
    home.file("app.js", COLOURED);
    home.file("other.js", SLEEPER);
    let web = |colour: &str| {
        format!(
            r#"{{ "name": "web", "script": "app.js", "exec_mode": "cluster", "merge_logs": true, "reload_soak": 0, "listen_timeout": 60000, "env": {{ "COLOUR": "{colour}" }} }}"#
        )
    };
    home.file("app.json", &web("one"));
    home.run("startOrReload app.json").good();
    home.wait_for_output("web", "colour one");
    let pid = home.pid("web");
    home.file("app.json", &format!(r#"[{}, {{ "name": "other", "script": "other.js" }}]"#, web("two")));
    let said = home.run("reload app.json").good();
    assert!(said.err.contains("reloaded web (id 0, pid "), "{said:?}");
    home.wait_for_output("web", "colour two");
    assert!(!is_alive(pid));
    assert_eq!(home.status("other"), "online");
    assert_eq!(home.jlist().len(), 2);
}

#[test]
fn a_release_that_is_no_good_is_told_with_its_last_words_and_replaces_nothing() {
    let home = Home::new();
    home.file("next.js", SERVER);
    home.file("app.js", "console.log('up'); require('http').createServer().listen(0);");
    home.run(&format!("start app.js -i 2 {READY} --output up.log --merge-logs")).good();
    home.run(&format!("start next.js -i 1 {READY}")).good();
    // Each has read the release that is good.
    let log = home.folder().join("up.log");
    wait("both are up", || fs::read_to_string(&log).is_ok_and(|text| text == "up\nup\n"));
    let before = pids(&home);
    home.file("app.js", "throw new Error('no such release')");
    let said = home.run("reload app next").bad();
    assert!(said.err.contains("no such release"), "{said:?}");
    assert_eq!(pids(&home), before, "also the app behind it is left alone");
    assert!(before.iter().all(|pid| is_alive(*pid)));
    let said = home.run("reload app --json").bad();
    let slots = said.json();
    assert_eq!(slots[0]["error"]["code"], "RELOAD_FAILED", "{slots}");
    assert_eq!(slots[1]["error"]["code"], "NOT_RELOADED", "{slots}");
}

#[test]
fn an_unknown_target_fails() {
    let home = Home::new();
    assert!(home.run("reload nosuch").bad().err.contains("`nosuch`"));
}
