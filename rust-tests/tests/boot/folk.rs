//! Apps with manners, and the signals that try them.

use std::path::PathBuf;
use std::process::Command;

use rust_tests::home::{Home, is_alive, until};

/// Runs until it is asked to stop.
pub(super) fn start_polite(home: &Home, name: &str) -> u32 {
    home.rewake(["start", "/bin/sleep", "--interpreter", "none", "--name", name, "--", "86400"]).ok();
    pid(home, name)
}

/// More than a shell needs to hear of a signal, on any machine.
pub(super) const LONG: &str = "45000";

/// Notes that it was asked to stop, and does so. Returns its pid and the file of the note.
pub(super) fn start_obedient(home: &Home, name: &str) -> (u32, PathBuf) {
    start_noting(home, name, "; exit 0", LONG)
}

/// Notes that it was asked to stop, if it has the time, and stays. Returns its pid and the file of the note.
pub(super) fn start_stubborn(home: &Home, name: &str, kill_timeout: &str) -> (u32, PathBuf) {
    start_noting(home, name, "", kill_timeout)
}

fn start_noting(home: &Home, name: &str, then: &str, kill_timeout: &str) -> (u32, PathBuf) {
    let note = home.folder().join(format!("{name}.asked"));
    let ready = home.folder().join(format!("{name}.ready"));
    let text = format!(
        "trap 'echo asked > {}{then}' INT TERM\necho ready > {}\nwhile true; do sleep 0.05; done\n",
        note.display(),
        ready.display()
    );
    let script = home.write(&format!("{name}.sh"), &text);
    let script = script.to_str().unwrap();
    // Its children get the signal with the tree and are made anew.
    let args = ["start", script, "--interpreter", "/bin/sh", "--name", name, "--kill-timeout", kill_timeout];
    home.rewake(args).ok();
    until(&format!("{name} is ready"), || ready.exists());
    (pid(home, name), note)
}

pub(super) fn pid(home: &Home, name: &str) -> u32 {
    home.slots(name)[0].0
}

/// Signals one process, by its id.
pub(super) fn signal(pid: u32, name: &str) {
    assert!(pid > 1);
    let sent = Command::new("kill").args(["-s", name, &pid.to_string()]).status().unwrap();
    assert!(sent.success(), "kill -s {name} {pid}");
}

pub(super) fn all_gone(pids: &[u32]) {
    until("all have ended", || pids.iter().all(|pid| !is_alive(*pid)));
}
