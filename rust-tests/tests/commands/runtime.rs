//! `rewake runtime`: its line. What it does is tested as a process of its own, in `rust-tests/tests/boot`.

use crate::home::Home;

#[test]
fn options_of_pm2_runtime_are_accepted() {
    let home = Home::new();
    home.file("app.js", "console.log(process.env.name, process.argv[2], process.env.MODE, process.env.NOTIFY_SOCKET);");
    let line = "runtime start app.js --no-autorestart -s --raw -n web --env MODE=a --auto-exit --secret x --public y \
        --machine-name z --no-vizion --no-daemon -- --flag";
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut command = home.command(&words);
    // What is about this process and its service manager is not the app's.
    let output = command.env("NOTIFY_SOCKET", "/none").output().expect("it runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "web --flag a undefined\n", "{output:?}");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_process_file_runs_with_the_environment_that_is_asked_for() {
    let home = Home::new();
    home.file("app.js", "console.log(process.env.MODE, process.env.NODE_APP_INSTANCE);");
    let file = "{ name: 'web', script: 'app.js', autorestart: false, instances: 2, exec_mode: 'fork', env_production: { MODE: 'prod' } }";
    home.file("ecosystem.config.js", &format!("module.exports = {file};"));
    let said = home.run("runtime --env production --silent").good();
    let mut lines: Vec<&str> = said.out.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["prod 0", "prod 1"], "{said:?}");
}

#[test]
fn a_file_that_is_wrong_is_told_and_a_failure() {
    let home = Home::new();
    let said = home.run("runtime").bad();
    assert!(said.err.contains("no ecosystem file"), "{said:?}");
    home.file("apps.json", "{ apps: [{ script: 1 }] }");
    let said = home.run("runtime apps.json").bad();
    assert!(said.err.contains("script"), "{said:?}");
}
