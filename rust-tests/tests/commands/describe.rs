//! `rewake describe`.

use crate::home::{Home, SLEEPER, wait};

#[test]
fn all_rows_of_one_app() {
    let home = Home::new();
    home.file("app.js", SLEEPER);
    home.run("start app.js -- --port 80").good();
    let said = home.run("describe app").good();
    for text in
        ["status", "online", "script path", "app.js", "--port 80", "app-out.log", "exec cwd", "fork_mode", "created at"]
    {
        assert!(said.out.contains(text), "{text}: {said:?}");
    }
    assert_eq!(home.run("show 0 --json").good().json()[0]["name"], "app");
}

#[test]
fn it_says_how_the_last_run_ended_and_why_none_runs() {
    let home = Home::new();
    home.file("app.js", "process.exit(7)");
    // However slowly Node starts, it is no uptime.
    home.run("start app.js --max-restarts 1 --restart-delay 1 --min-uptime 600000");
    wait("the app is given up", || home.status("app") == "errored");
    let said = home.run("describe app").good();
    assert!(said.out.contains("last exit") && said.out.contains("code 7") && said.out.contains("reason"), "{said:?}");
}

#[test]
fn an_unknown_app_fails() {
    let home = Home::new();
    assert!(home.run("describe nosuch").bad().err.contains("`nosuch`"));
    home.run("describe").bad();
}
