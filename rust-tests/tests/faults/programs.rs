//! Programs that cannot be started, or not for long. Each is one clear error; what runs is left alone.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rust_tests::home::{Home, Output, is_alive, until};

/// Starts something that must fail, beside an app that must not notice.
fn refused(prepare: impl FnOnce(&Home) -> Vec<String>) -> Output {
    let home = Home::new();
    home.rewake(["start", "/bin/sleep", "--interpreter", "none", "--name", "bystander", "--", "86400"]).ok();
    let bystander = home.slots("bystander")[0].0;
    let args = prepare(&home);
    let output = home.rewake(args).fails();
    assert!(output.stderr.starts_with("error: "), "{}", output.stderr);
    assert_eq!(output.stderr.matches("error: ").count(), 1, "{}", output.stderr);
    assert!(is_alive(bystander));
    assert_eq!(home.slots("bystander"), [(bystander, "online".to_owned(), 0)]);
    assert_eq!(home.jlist().len(), 1, "nothing was added");
    output
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn a_script_that_is_missing_is_named() {
    let output = refused(|_| words(&["start", "nosuch.js"]));
    assert!(output.stderr.contains("nosuch.js"), "{}", output.stderr);
}

#[test]
fn a_script_that_is_not_executable_is_explained() {
    let output = refused(|home| {
        let path = home.write("tool", "#!/bin/sh\n");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        words(&["start", "./tool", "--interpreter", "none"])
    });
    assert!(output.stderr.contains("executable"), "{}", output.stderr);
}

#[test]
fn a_folder_is_no_script() {
    let output = refused(|_| words(&["start", "./"]));
    assert!(output.stderr.contains("folder") || output.stderr.contains("directory"), "{}", output.stderr);
}

#[test]
fn an_interpreter_that_is_missing_is_named() {
    let output = refused(|home| {
        home.write("a.js", "");
        words(&["start", "a.js", "--interpreter", "no-such-node"])
    });
    assert!(output.stderr.contains("no-such-node"), "{}", output.stderr);
}

#[test]
fn a_working_directory_that_is_missing_is_named() {
    let output = refused(|home| {
        home.write("a.js", "");
        words(&["start", "a.js", "--cwd", "/no/such/place"])
    });
    assert!(output.stderr.contains("/no/such/place"), "{}", output.stderr);
}

#[test]
fn a_log_folder_that_cannot_be_written_is_named() {
    let output = refused(|home| {
        home.write("blocked", "a file where a folder should be");
        home.write("a.js", "setInterval(() => {}, 1e6)");
        words(&["start", "a.js", "--output", "blocked/out.log"])
    });
    assert!(output.stderr.contains("blocked/out.log"), "{}", output.stderr);
}

#[test]
fn a_program_the_kernel_refuses_is_one_error_and_stays_listed_as_errored() {
    let home = Home::new();
    // Executable, but no program: only the kernel can tell.
    let path = home.write("broken", "\u{7f}ELF but not really");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let output = home.rewake(["start", "./broken", "--interpreter", "none"]).fails();
    assert!(output.stderr.contains("broken"), "{}", output.stderr);
    assert_eq!(home.slots("broken")[0].1, "errored");
}

#[test]
fn an_app_that_exits_at_once_is_given_up_after_its_limit_and_says_why() {
    let home = Home::new();
    home.write("crash.js", "console.error('the reason'); process.exit(3)");
    // On a slow machine it may be over a second old before it has begun.
    home.rewake(["start", "crash.js", "--name", "crash", "--min-uptime", "1h"]).ok();
    until("it is given up", || home.slots("crash")[0].1 == "errored");
    assert_eq!(home.slots("crash")[0].2, 15, "as many restarts as PM2 makes");
    let told = home.rewake(["describe", "crash"]).ok().stdout;
    assert!(told.contains("exited with code 3"), "{told}");
    let log = home.path().join("logs/crash-error.log");
    let said = || fs::read_to_string(&log).unwrap_or_default().matches("the reason").count();
    until("each run's word is in the log", || said() >= 16);
    assert_eq!(said(), 16);
}

#[test]
fn a_syntax_error_is_in_the_error_log() {
    let home = Home::new();
    home.write("bad.js", "this is no JavaScript");
    home.rewake(["start", "bad.js", "--max-restarts", "1", "--min-uptime", "1h"]).ok();
    until("it is given up", || home.slots("bad")[0].1 == "errored");
    let log = home.path().join("logs/bad-error.log");
    until("the log says why", || fs::read_to_string(&log).is_ok_and(|text| text.contains("SyntaxError")));
}

#[test]
fn unknown_targets_change_nothing() {
    for verb in ["stop", "restart", "delete", "describe", "reset", "env"] {
        let output = refused(|_| words(&[verb, "nobody"]));
        assert!(output.stderr.contains("nobody"), "{verb}: {}", output.stderr);
    }
}

#[test]
fn an_app_that_sends_garbage_on_its_channel_harms_nobody() {
    let home = Home::new();
    home.write(
        "garbage.js",
        "const fs = require('fs'); fs.writeSync(3, 'no json\\n{\"cmd\":\"NODE_FOO\"}\\n\\0\\xff\\n'.repeat(5000));
         process.on('message', (m) => console.log('got ' + m)); console.log('alive');",
    );
    home.write("closes.js", "process.disconnect(); setInterval(() => {}, 1e6); console.log('closed');");
    home.rewake(["start", "garbage.js"]).ok();
    home.rewake(["start", "closes.js"]).ok();
    let said = |name: &str, what: &str| {
        fs::read_to_string(home.path().join(format!("logs/{name}-out.log"))).unwrap_or_default().contains(what)
    };
    until("both live", || said("garbage", "alive") && said("closes", "closed"));
    assert_eq!(home.slots("garbage")[0].1, "online");
    assert_eq!(home.slots("closes")[0].1, "online");
    home.rewake(["stop", "all"]).ok();
}
