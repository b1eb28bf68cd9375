//! `rewake restart`.

use crate::home::{Home, SLEEPER, is_alive};

const ENV: &str = "console.log('colour', process.env.COLOUR); setInterval(() => {}, 1000);";

#[test]
fn a_restart_is_a_new_process_and_is_counted() {
    let home = Home::new();
    home.file("app.js", SLEEPER);
    home.run("start app.js").good();
    let pid = home.pid("app");
    let said = home.run("restart app").good();
    assert!(said.err.contains("restarted app (id 0, pid ") && !said.err.contains("has ended"), "{said:?}");
    assert!(!is_alive(pid));
    let process = home.process("app");
    assert_ne!(process["pid"].as_u64(), Some(pid));
    assert_eq!(process["pm2_env"]["restart_time"], 1);
}

#[test]
fn the_stored_environment_is_kept_unless_it_is_to_be_updated() {
    let home = Home::new();
    home.file("app.js", ENV);
    home.run("start app.js --env COLOUR=red").good();
    home.wait_for_output("app", "colour red");
    let with = |colour: &str, words: &[&str]| {
        let child = home.command(words).env("COLOUR", colour).spawn().unwrap();
        crate::home::finish(child, words).good();
    };
    home.run("flush").good();
    with("green", &["restart", "app"]);
    home.wait_for_output("app", "colour red");
    with("green", &["restart", "app", "--update-env"]);
    home.wait_for_output("app", "colour green");
    home.run("restart app --env COLOUR=blue").good();
    home.wait_for_output("app", "colour blue");
}

#[test]
fn a_process_file_restarts_with_its_new_description() {
    let home = Home::new();
    home.file("app.js", ENV);
    home.file("app.json", r#"{ "name": "web", "script": "app.js", "env": { "COLOUR": "one" } }"#);
    home.run("start app.json").good();
    home.wait_for_output("web", "colour one");
    home.file("app.json", r#"{ "name": "web", "script": "app.js", "env": { "COLOUR": "two" } }"#);
    home.run("restart app.json").good();
    home.wait_for_output("web", "colour two");
    assert_eq!(home.jlist().len(), 1);
}

#[test]
fn an_option_that_a_restart_by_name_cannot_change_is_told() {
    let home = Home::new();
    home.file("app.js", SLEEPER);
    home.run("start app.js").good();
    let said = home.run("restart app --kill-timeout 5").good();
    assert!(said.err.contains("warning: ") && said.err.contains("kill_timeout"), "{said:?}");
}

#[test]
fn an_unknown_target_fails() {
    let home = Home::new();
    assert!(home.run("restart nosuch").bad().err.contains("`nosuch`"));
}
