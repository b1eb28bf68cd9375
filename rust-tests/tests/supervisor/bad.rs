//! Executables that are no good, and a full disk: nothing is replaced, or the former executable goes on.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rust_tests::home::{Home, Output, children, executable, is_alive, until};

use crate::http::load;
use crate::supervisor::setup::{Served, keepers};

fn update(home: &Home, path: &Path) -> Output {
    home.rewake(["update".as_ref(), path.as_os_str()])
}

/// The file that a process runs.
fn runs(pid: u32) -> PathBuf {
    fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default()
}

fn with_mode(path: PathBuf, mode: u32) -> PathBuf {
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

/// One that is bad in the way of this name.
fn bad(home: &Home, name: &str) -> PathBuf {
    let path = home.folder().join(name);
    fs::copy(env!("CARGO_BIN_EXE_bad_update"), &path).unwrap();
    path
}

/// The executable for a processor that nobody has.
fn of_another_architecture(home: &Home) -> PathBuf {
    let mut bytes = fs::read(executable()).unwrap();
    // `e_machine`.
    bytes[18..20].copy_from_slice(&[0xFE, 0x00]);
    let path = home.folder().join("foreign");
    fs::write(&path, bytes).unwrap();
    with_mode(path, 0o755)
}

#[test]
fn an_executable_that_is_no_good_replaces_nothing() {
    let served = Served::new();
    let home = &served.home;
    let (keeper, daemon, pids) = (home.keeper(), home.daemon(), served.pids());
    let garbage = with_mode(home.write("garbage", "no program at all"), 0o755);
    let not_executable = home.folder().join("data");
    fs::copy(executable(), &not_executable).unwrap();
    let loads = [load(served.web, 2), load(served.one, 2)];
    for (path, why) in [
        (garbage, "cannot be run"),
        (with_mode(not_executable, 0o644), "cannot be run"),
        (of_another_architecture(home), "cannot be run"),
        (home.folder().to_path_buf(), "cannot be run"),
        ("/bin/false".into(), "refuses (exit code 1)"),
        // Says yes to everything, and knows nothing.
        ("/bin/true".into(), "refuses (exit code 0)"),
        // A script, whose interpreter could not open it any more once its name means something else.
        (with_mode(home.write("script", "#!/bin/sh\nexit 0"), 0o755), "refuses (exit code"),
        (bad(home, "crashes"), "ended by signal 6"),
    ] {
        let output = update(home, &path).fails();
        assert!(output.stderr.contains(why), "{}", output.stderr);
        assert!(output.stderr.contains("nothing was updated"), "{}", output.stderr);
    }
    assert!(update(home, Path::new("/no/such/file")).fails().stderr.contains("/no/such/file"));
    for load in loads {
        assert_eq!(load.end().failed, Vec::<String>::new());
    }
    assert_eq!((home.keeper(), home.daemon(), served.pids()), (keeper, daemon, pids));
}

#[test]
fn an_executable_that_hangs_when_asked_is_ended_and_holds_nothing_up() {
    let served = Served::new();
    let home = &served.home;
    let (keeper, daemon, pids) = (home.keeper(), home.daemon(), served.pids());
    let hangs = bad(home, "hangs");
    let asked = Instant::now();
    let update = home.command(["update".as_ref(), hangs.as_os_str()]).stderr(Stdio::piped()).spawn().unwrap();
    let mut checks = Vec::new();
    until("it is asked and has started something", || {
        checks = children(keeper.unwrap()).into_iter().map(|(pid, _)| pid).filter(|pid| runs(*pid) == hangs).collect();
        checks.first().is_some_and(|check| !children(*check).is_empty())
    });
    let started = children(checks[0])[0].0;
    assert_eq!(home.rewake(["restart", "one"]).code, 0, "commands go on meanwhile");
    let output = update.wait_with_output().unwrap();
    assert!(!output.status.success());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("ended by signal 9") && told.contains("nothing was updated"), "{told}");
    // It hangs for a day.
    assert!(asked.elapsed() < Duration::from_secs(60), "{:?}", asked.elapsed());
    until("nothing of it is left", || !is_alive(checks[0]) && !is_alive(started));
    assert_eq!((home.keeper(), home.daemon()), (keeper, daemon));
    assert_eq!(served.pids().iter().filter(|pid| pids.contains(pid)).count(), 2, "all but the one that was restarted");
}

#[test]
fn an_executable_whose_keeper_cannot_set_itself_up_becomes_the_former_one_at_once() {
    let served = Served::new();
    let home = &served.home;
    let keeper = home.keeper().unwrap();
    let (pids, former) = (served.pids(), fs::read_link(format!("/proc/{keeper}/exe")).unwrap());
    let bad = bad(home, "bad_keeper");
    let loads = [load(served.web, 2), load(served.one, 2)];
    for _ in 0..2 {
        let output = update(home, &bad).fails();
        assert!(output.stderr.contains("goes on") && output.stderr.contains("failed to set up"), "{}", output.stderr);
    }
    for load in loads {
        assert_eq!(load.end().failed, Vec::<String>::new());
    }
    assert_eq!((keepers(home), served.pids()), (vec![keeper], pids));
    assert_eq!(fs::read_link(format!("/proc/{keeper}/exe")).unwrap(), former);
    home.rewake(["reload", "web"]).ok();
    home.rewake(["restart", "one"]).ok();
}

#[test]
fn a_full_disk_is_in_the_way_of_neither_an_update_nor_another_keeper() {
    let may = Command::new("unshare").args(["--mount", "true"]).stderr(Stdio::null()).status();
    if !may.is_ok_and(|status| status.success()) {
        // The test's own output: it says that nothing was tested.
        let _ = writeln!(std::io::stderr(), "SKIPPED: `unshare --mount` is not permitted here");
        return;
    }
    let home = Home::new();
    home.write("a.js", "setInterval(() => {}, 1e6)");
    let copy = home.folder().join("rewake-new");
    fs::copy(executable(), &copy).unwrap();
    fs::create_dir_all(home.path()).unwrap();
    let text = "set -e; mount -t tmpfs -o size=256k none \"$REWAKE_HOME\"; $RW start a.js >/dev/null
        cat /dev/zero > \"$REWAKE_HOME/filler\" 2>/dev/null || true
        pid() { $RW jlist | sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'; }
        before=$(pid); $RW update \"$NEW\"; [ $(pid) = $before ]
        keeper=$(ps -o ppid= $(cat \"$REWAKE_HOME/rewake.pid\" 2>/dev/null || pgrep -f -- \"--daemon $REWAKE_HOME\"))
        kill -9 $keeper; [ $(pid) = $before ]; rm \"$REWAKE_HOME/filler\"; $RW restart a >/dev/null; [ $(pid) != $before ]
        $RW kill; echo all is well";
    let base = home.command([""; 0]);
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", text]).env("RW", executable()).env("NEW", &copy).current_dir(home.folder());
    command.envs(base.get_envs().filter_map(|(key, value)| Some((key, value?)))).stdin(Stdio::null());
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains("all is well"), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    until("no process is left", || keepers(&home).iter().all(|pid| !is_alive(*pid)));
}
