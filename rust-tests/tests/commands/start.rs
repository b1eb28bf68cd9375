//! `rewake start`.

use std::io::Write as _;
use std::process::Stdio;

use crate::home::{Home, SLEEPER, finish, wait};

#[test]
fn a_script_runs_and_is_listed_and_the_caller_is_told() {
    let home = Home::new();
    home.file("app.js", SLEEPER);
    let said = home.run("start app.js").good();
    assert!(said.err.contains("started app (id 0, pid "), "{said:?}");
    assert!(said.out.contains("│ app ") && said.out.contains("online"), "{said:?}");
    assert_eq!(home.status("app"), "online");
    home.wait_for_output("app", "up");
}

#[test]
fn options_around_the_verb_and_arguments_after_two_dashes_reach_the_app() {
    let home = Home::new();
    home.file("app.js", "console.log(JSON.stringify([process.argv.slice(2), process.execArgv, process.env.COLOUR])); setInterval(() => {}, 1000);");
    home.run("-n web start app.js --env COLOUR=blue --node-args --no-warnings -- -n other --x").good();
    home.wait_for_output("web", r#"[["-n","other","--x"],["--no-warnings"],"blue"]"#);
}

#[test]
fn several_targets_start_one_after_the_other_up_to_the_first_error() {
    let home = Home::new();
    home.file("a.js", SLEEPER);
    home.file("b.js", SLEEPER);
    let said = home.run("start a.js nosuch.js b.js").bad();
    assert!(said.err.contains("started a (id 0") && said.err.contains("nosuch.js"), "{said:?}");
    let names: Vec<_> = home.jlist().iter().map(|entry| entry["name"].clone()).collect();
    assert_eq!(names, ["a"]);
}

#[test]
fn a_script_that_is_missing_is_one_error_and_changes_nothing() {
    let home = Home::new();
    let said = home.run("start nosuch.js").bad();
    assert!(said.err.contains("error: ") && said.err.contains("nosuch.js"), "{said:?}");
    assert_eq!(said.out, "");
    assert!(home.jlist().is_empty());
}

#[test]
fn a_running_script_is_not_started_twice_unless_forced() {
    let home = Home::new();
    home.file("app.js", SLEEPER);
    home.run("start app.js").good();
    let pid = home.pid("app");
    let said = home.run("start app.js").bad();
    assert!(said.err.contains("error: "), "{said:?}");
    assert_eq!(home.pid("app"), pid);
    home.run("start app.js -f").good();
    assert_eq!(home.jlist().len(), 2);
}

#[test]
fn a_name_or_an_id_starts_what_is_listed() {
    let home = Home::new();
    home.file("app.js", SLEEPER);
    home.run("start app.js -n web").good();
    for target in ["web", "0"] {
        home.run("stop web").good();
        assert_eq!(home.status("web"), "stopped");
        home.run(&format!("start {target}")).good();
        assert_eq!(home.status("web"), "online");
    }
    assert_eq!(home.jlist().len(), 1);
}

#[test]
fn a_process_file_starts_its_apps_and_replaces_them_the_second_time() {
    let home = Home::new();
    home.file("app.js", "console.log('colour', process.env.COLOUR); setInterval(() => {}, 1000);");
    let file = |colour: &str| {
        format!(
            r#"module.exports = {{ apps: [
            {{ name: "one", script: "app.js", env: {{ COLOUR: "{colour}" }}, env_production: {{ COLOUR: "gold" }} }},
            {{ name: "two", script: "app.js", instances: 2, exec_mode: "fork" }},
        ] }};"#
        )
    };
    home.file("ecosystem.config.js", &file("red"));
    // The file of the folder, when none is named.
    home.run("start").good();
    assert_eq!(home.jlist().len(), 3);
    home.wait_for_output("one", "colour red");
    let pid = home.pid("one");
    home.file("ecosystem.config.js", &file("green"));
    home.run("start ecosystem.config.js --only one").good();
    home.wait_for_output("one", "colour green");
    assert_ne!(home.pid("one"), pid);
    home.run("start ecosystem.config.js --only one --env production").good();
    home.wait_for_output("one", "colour gold");
    assert_eq!(home.jlist().len(), 3);
}

#[test]
fn json_on_stdin_is_a_process_file() {
    let home = Home::new();
    home.file("app.js", SLEEPER);
    let mut child = home.command(&["start", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(br#"{ "name": "piped", "script": "app.js" }"#).unwrap();
    finish(child, &["start", "-"]).good();
    assert_eq!(home.status("piped"), "online");
}

#[test]
fn nothing_to_start_and_a_broken_file_are_told_with_their_place() {
    let home = Home::new();
    let said = home.run("start").bad();
    assert!(said.err.contains("no ecosystem file"), "{said:?}");
    home.file("broken.json", "{ \"apps\": [ { \"name\": \"x\", \n \"script\": }");
    let said = home.run("start broken.json").bad();
    assert!(said.err.contains("broken.json:2"), "{said:?}");
    home.file("typo.json", r#"{ "apps": [ { "name": "x", "script": "app.js", "instanecs": 2 } ] }"#);
    let said = home.run("start typo.json");
    assert!(said.err.contains("instanecs") && said.err.contains("instances"), "{said:?}");
}

#[test]
fn an_environment_is_not_selected_without_a_process_file() {
    let home = Home::new();
    home.file("app.js", SLEEPER);
    let said = home.run("start app.js --env production").bad();
    assert!(said.err.contains("production") && said.err.contains("process file"), "{said:?}");
    assert!(home.jlist().is_empty());
}

#[test]
fn json_gives_the_slots_and_errors_as_json_too() {
    let home = Home::new();
    home.file("app.js", SLEEPER);
    let said = home.run("start app.js --json").good();
    let slots = said.json();
    assert_eq!((&slots[0]["name"], &slots[0]["info"]["status"]), (&"app".into(), &"online".into()));
    let said = home.run("start nosuch.js --json").bad();
    let error: serde_json::Value = serde_json::from_str(said.err.trim()).unwrap();
    assert_eq!(error["error"]["code"], "BAD_CONFIG");
}

#[test]
fn silent_says_nothing_but_errors() {
    let home = Home::new();
    home.file("app.js", SLEEPER);
    let said = home.run("start app.js -s").good();
    assert_eq!((said.out.as_str(), said.err.as_str()), ("", ""));
    let mut command = home.command(&["stop", "app"]);
    let child = command.env("PM2_SILENT", "true").spawn().unwrap();
    let said = finish(child, &["stop", "app"]).good();
    assert_eq!((said.out.as_str(), said.err.as_str()), ("", ""));
    assert!(home.run("start nosuch.js -s").bad().err.contains("nosuch.js"));
}

#[test]
fn two_first_commands_at_once_start_one_daemon() {
    let home = Home::new();
    let children: Vec<_> = (0..6).map(|_| home.command(&["ping"]).spawn().unwrap()).collect();
    let mut started = 0;
    for child in children {
        let said = finish(child, &["ping"]).good();
        assert_eq!(said.out, "{ msg: 'pong' }\n");
        started += usize::from(said.err.contains("started the daemon"));
    }
    assert!(started >= 1);
    let mut daemons = 0;
    wait("one daemon is left", || {
        let home_text = home.path().display().to_string();
        daemons = std::fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter(|entry| {
                let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
                let words: Vec<_> = line.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
                words.get(1).is_some_and(|word| word == "--daemon")
                    && words.get(2).is_some_and(|word| *word == home_text)
            })
            .count();
        daemons == 1
    });
}

#[test]
fn an_app_that_cannot_be_made_is_an_error_that_names_the_step() {
    let home = Home::new();
    home.file("app.js", SLEEPER);
    let said = home.run("start app.js --interpreter /nonexistent/node").bad();
    assert!(said.err.contains("/nonexistent/node"), "{said:?}");
}
