//! `rewake runtime` as a process of a test: its output, its exit code, and who can reach it meanwhile.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};

use rust_tests::home::{Home, executable, is_alive, until};

use super::folk::{LONG, all_gone, pid, signal};

/// A `rewake runtime` with its output in files.
pub(super) struct Foreground {
    pub(super) child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Foreground {
    pub(super) fn start(home: &Home, args: &[&str]) -> Self {
        let (out, err) = (home.folder().join("stdout"), home.folder().join("stderr"));
        let mut command = home.command([&["runtime"], args].concat());
        command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap()).stdin(Stdio::null());
        let child = command.spawn().unwrap();
        Self { child, out, err }
    }

    /// A shell script as the only app; it is not started again.
    pub(super) fn script(home: &Home, text: &str, options: &[&str]) -> Self {
        let script = home.write("app.sh", text);
        let app = [script.to_str().unwrap(), "--interpreter", "/bin/sh", "--name", "app"];
        Self::start(home, &[&app, options].concat())
    }

    pub(super) fn out(&self) -> String {
        fs::read_to_string(&self.out).unwrap()
    }

    pub(super) fn err(&self) -> String {
        fs::read_to_string(&self.err).unwrap()
    }

    pub(super) fn until_out(&self, text: &str) {
        until(&format!("{text:?} in the output; there is {:?}", self.err()), || self.out().contains(text));
    }

    pub(super) fn end(&mut self) -> ExitStatus {
        until("it ends", || self.child.try_wait().unwrap().is_some());
        self.child.wait().unwrap()
    }

    pub(super) fn code(&mut self) -> Option<i32> {
        self.end().code()
    }
}

impl Drop for Foreground {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // Twice: the second one kills what is left.
            for _ in 0..2 {
                signal(self.child.id(), "TERM");
            }
            let _ = self.child.wait();
        }
    }
}

const ONCE: &str = "--no-autorestart";

#[test]
fn the_exit_code_is_that_of_the_app() {
    for (script, code) in [("exit 0", 0), ("exit 7", 7), ("kill -KILL $$", 137), ("kill -TERM $$", 143)] {
        let home = Home::new();
        let mut it = Foreground::script(&home, script, &[ONCE]);
        assert_eq!(it.code(), Some(code), "{script}: {}", it.err());
        let left: Vec<String> = files(&home);
        assert!(
            left.iter().all(|name| ["drain.cjs", "exits.jsonl", "keeper.lock"].contains(&name.as_str())),
            "{left:?}"
        );
    }
}

fn files(home: &Home) -> Vec<String> {
    fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Given up at its second exit, however long a shell takes to start.
const UNSTABLE: [&str; 4] = ["--max-restarts", "2", "--min-uptime", "600000"];

#[test]
fn an_app_that_is_given_up_is_a_failure() {
    let home = Home::new();
    let mut it = Foreground::script(&home, "exit 3", &UNSTABLE);
    assert_eq!(it.code(), Some(3), "{}", it.err());
    assert!(it.err().contains("app (id 0) is given up"), "{}", it.err());
    let home = Home::new();
    let mut it = Foreground::script(&home, "exit 0", &UNSTABLE);
    assert_eq!(it.code(), Some(1), "{}", it.err());
}

#[test]
fn what_cannot_be_started_is_told_and_a_failure() {
    let home = Home::new();
    let mut it = Foreground::start(&home, &["no-such.js"]);
    assert_eq!(it.code(), Some(1));
    assert!(it.err().contains("no-such.js"), "{}", it.err());
    let mut it = Foreground::start(&home, &["/bin/true", "--interpreter", "/no/such/program"]);
    assert_eq!(it.code(), Some(1));
    assert!(it.err().contains("/no/such/program"), "{}", it.err());
}

#[test]
fn output_is_whole_and_raw_and_errors_stand_apart() {
    let home = Home::new();
    let text = "echo trouble >&2; seq 1 20000; printf 'no newline'";
    let mut it = Foreground::script(&home, text, &[ONCE, "--silent"]);
    assert_eq!(it.code(), Some(0));
    let wanted: String = (1..=20_000).map(|n| format!("{n}\n")).collect::<String>() + "no newline\n";
    assert!(it.out() == wanted, "{} bytes of {}", it.out().len(), wanted.len());
    assert_eq!(it.err(), "trouble\n");
}

#[test]
fn output_has_pm2s_three_other_forms() {
    let text = "echo one; echo two >&2";
    let lines = |form: &str| {
        let home = Home::new();
        let mut it = Foreground::script(&home, text, &[ONCE, "-s", form]);
        assert_eq!(it.code(), Some(0));
        assert_eq!(it.err(), "");
        let mut lines: Vec<String> = it.out().lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(lines("--formatted"), ["0|app | one", "0|app | two"]);
    let pairs = lines("--format");
    assert!(pairs.iter().any(|line| line.ends_with("app=app id=0 type=out message=one")), "{pairs:?}");
    assert!(pairs.iter().any(|line| line.ends_with("app=app id=0 type=err message=two")), "{pairs:?}");
    let objects: Vec<serde_json::Value> =
        lines("--json").iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let messages: Vec<&str> = objects.iter().map(|object| object["message"].as_str().unwrap()).collect();
    assert!(messages.contains(&"one") && messages.contains(&"two"), "{objects:?}");
}

const LOYAL: &str = "trap 'echo bye; exit 0' INT\necho ready $$\nwhile true; do sleep 0.05; done";

#[test]
fn a_reader_that_does_not_read_holds_nothing_up() {
    let home = Home::new();
    let script = home.write("app.sh", &format!("yes | head -c 20000000\ntouch written\n{LOYAL}"));
    let args = ["runtime", script.to_str().unwrap(), "--interpreter", "/bin/sh", "--name", "app", "--silent"];
    let mut command = home.command(args);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let nowhere = PathBuf::from("/dev/null");
    let mut it = Foreground { child, out: nowhere.clone(), err: nowhere };
    until("the app has written all", || home.folder().join("written").exists());
    assert_eq!(home.slots("app")[0].1, "online");
    signal(it.child.id(), "TERM");
    assert_eq!(it.code(), Some(0));
}

#[test]
fn a_signal_stops_the_apps_in_order_and_is_a_success() {
    for name in ["TERM", "INT", "QUIT"] {
        let home = Home::new();
        let mut it = Foreground::script(&home, LOYAL, &["--kill-timeout", LONG]);
        it.until_out("ready");
        signal(it.child.id(), name);
        assert_eq!(it.code(), Some(0), "{}", it.err());
        assert!(it.out().ends_with("bye\n"), "{}", it.out());
    }
}

#[test]
fn the_second_signal_kills() {
    let home = Home::new();
    let text = "trap 'echo asked' INT TERM\necho ready\nwhile true; do sleep 0.05; done";
    let mut it = Foreground::script(&home, text, &["--kill-timeout", "600000"]);
    it.until_out("ready");
    signal(it.child.id(), "TERM");
    it.until_out("asked");
    signal(it.child.id(), "TERM");
    assert_eq!(it.code(), Some(0), "{}", it.err());
}

#[test]
fn other_commands_reach_it_and_stopping_all_is_its_end() {
    let home = Home::new();
    let mut it = Foreground::script(&home, LOYAL, &[]);
    it.until_out("ready");
    assert_eq!(home.slots("app")[0].1, "online");
    let output = home.rewake(["runtime", "/bin/true"]).fails();
    assert!(output.stderr.contains("runs there already"), "{}", output.stderr);
    home.rewake(["stop", "all"]).ok();
    assert_eq!(it.code(), Some(0), "{}", it.err());
}

#[test]
fn it_can_be_told_to_stay() {
    let home = Home::new();
    let mut it = Foreground::script(&home, "exit 5", &[ONCE, "--no-auto-exit"]);
    until("the app has ended", || it.err().contains("exited with code 5"));
    assert_eq!(home.slots("app")[0].1, "stopped");
    signal(it.child.id(), "TERM");
    assert_eq!(it.code(), Some(0));
}

#[test]
fn a_hangup_reloads() {
    let home = Home::new();
    let it = Foreground::script(&home, LOYAL, &[]);
    it.until_out("ready");
    let before = pid(&home, "app");
    signal(it.child.id(), "HUP");
    until("another process serves", || {
        let slots = home.slots("app");
        slots[0].1 == "online" && slots[0].0 != before
    });
    signal(it.child.id(), "USR2");
    assert_eq!(home.slots("app")[0].1, "online");
}

#[test]
fn a_daemon_that_dies_costs_no_process_and_no_exit_code() {
    let home = Home::new();
    let text = "echo ready\nuntil [ -e go ]; do sleep 0.05; done\necho gone\nexit 9";
    let mut it = Foreground::script(&home, text, &[ONCE]);
    it.until_out("ready");
    let app = pid(&home, "app");
    let daemon = home.daemon().unwrap();
    signal(daemon, "KILL");
    until("another daemon serves", || home.daemon().is_some_and(|pid| pid != daemon && is_alive(pid)));
    assert_eq!(pid(&home, "app"), app, "its process is the same");
    home.write("go", "");
    assert_eq!(it.code(), Some(9), "{}", it.err());
    assert!(it.out().ends_with("gone\n"), "{}", it.out());
}

#[test]
fn the_list_of_the_home_is_left_alone() {
    let home = Home::new();
    super::folk::start_polite(&home, "listed");
    let keeper = home.keeper().unwrap();
    signal(keeper, "TERM");
    all_gone(&[keeper]);
    let list = fs::read(home.path().join("table.json")).unwrap();
    let mut it = Foreground::script(&home, LOYAL, &[]);
    it.until_out("ready");
    assert_eq!(home.jlist().len(), 1, "only what the line names");
    signal(it.child.id(), "TERM");
    assert_eq!(it.code(), Some(0));
    assert_eq!(fs::read(home.path().join("table.json")).unwrap(), list);
}

/// Numbered lines, without a pause that anybody would notice.
const COUNTS: &str =
    "trap 'echo bye; exit 7' USR1\nn=0; while true; do echo $n; n=$((n+1)); [ $((n % 10)) = 0 ] && sleep 0.005; done";

#[test]
fn an_update_keeps_its_place_its_output_and_its_exit_code() {
    let home = Home::new();
    let mut it = Foreground::script(&home, COUNTS, &[ONCE, "--silent"]);
    it.until_out("99");
    let (keeper, app) = (it.child.id(), pid(&home, "app"));
    let copies: [PathBuf; 2] = ["one", "two"].map(|name| {
        let path = home.folder().join(name);
        fs::copy(executable(), &path).unwrap();
        path
    });
    for round in 0..4 {
        let new = &copies[round % 2];
        home.rewake(["update".as_ref(), new.as_os_str()]).ok();
        assert_eq!(fs::read_link(format!("/proc/{keeper}/exe")).unwrap(), *new, "the same process goes on");
        assert_eq!((home.keeper(), pid(&home, "app")), (Some(keeper), app));
        let seen = it.out().len();
        until("its output comes", || it.out().len() > seen);
    }
    signal(app, "USR1");
    assert_eq!(it.code(), Some(7), "{}", it.err());
    let out = it.out();
    let lines: Vec<&str> = out.lines().collect();
    let (bye, numbers) = lines.split_last().unwrap();
    assert_eq!(*bye, "bye");
    for (n, line) in numbers.iter().enumerate() {
        assert_eq!(*line, n.to_string());
    }
    assert!(it.err().lines().all(|line| line.contains(" keeper: ")), "{}", it.err());
}

#[test]
fn whoever_waits_for_a_keeper_that_is_killed_finds_its_apps_ended() {
    let home = Home::new();
    let mut it = Foreground::script(&home, LOYAL, &[]);
    it.until_out("ready");
    let (app, daemon) = (pid(&home, "app"), home.daemon().unwrap());
    signal(it.child.id(), "KILL");
    it.child.wait().unwrap();
    all_gone(&[app, daemon]);
    // Nothing of it is in the way of the next.
    let mut it = Foreground::script(&home, "exit 6", &[ONCE]);
    assert_eq!(it.code(), Some(6), "{}", it.err());
}
