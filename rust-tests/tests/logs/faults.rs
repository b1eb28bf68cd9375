//! Logs that cannot be written: output waits, nothing dies, and it goes on by itself.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use rust_tests::home::{Home, is_alive, until};
use serde_json::json;

/// Counts, in bursts: `burst` lines at each line that appears in the file `go`.
const COUNTER: &str = "const fs = require('fs'); let n = 0, seen = 0; setInterval(() => { \
    let go = 0; try { go = fs.readFileSync(process.env.GO, 'utf8').length } catch {} \
    while (seen < go) { seen++; for (let i = 0; i < 1000; i++) console.log(`line ${n++}`) } }, 5)";

struct App {
    home: Home,
    bursts: usize,
}

impl App {
    fn start(out_file: &Path) -> Self {
        let home = Home::new();
        let script = home.write("counter.js", COUNTER);
        let go = home.write("go", "");
        let file = home.write(
            "app.json",
            &json!({"apps": [{"name": "c", "script": script, "env": {"GO": go}, "out_file": out_file, "merge_logs": true}]})
                .to_string(),
        );
        home.rewake([&std::ffi::OsString::from("start"), file.as_os_str()]).ok();
        Self { home, bursts: 0 }
    }

    fn burst(&mut self) {
        self.bursts += 1;
        fs::write(self.home.folder().join("go"), "x".repeat(self.bursts)).unwrap();
    }

    /// Waits until the log holds all lines so far, from `first` on, and nothing else.
    fn expect(&self, log: &Path, first: usize) {
        let expected: String = (first..self.bursts * 1000).map(|n| format!("line {n}\n")).collect();
        let read = || fs::read_to_string(log).unwrap_or_default();
        until("all lines", || read().len() >= expected.len());
        assert!(read() == expected, "{} of {} bytes", read().len(), expected.len());
    }

    fn daemon_log(&self) -> String {
        fs::read_to_string(self.home.path().join("rewake.log")).unwrap_or_default()
    }
}

#[test]
fn a_folder_that_is_removed_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("logs/out.log");
    let mut app = App::start(&log);
    app.burst();
    app.expect(&log, 0);
    fs::remove_dir_all(folder.path().join("logs")).unwrap();
    app.burst();
    app.expect(&log, 1000);
}

#[test]
fn output_waits_for_a_full_disk_and_a_missing_folder_and_none_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("out.log");
    symlink("/dev/full", &log).unwrap();
    let mut app = App::start(&log);
    let (pid, daemon) = (app.home.slots("c")[0].0, app.home.daemon().unwrap());
    app.burst();
    until("the trouble is told", || app.daemon_log().contains("the log cannot be written"));
    app.burst();
    fs::remove_file(&log).unwrap();
    app.expect(&log, 0);
    // A file stands where the folder was.
    fs::remove_dir_all(folder.path()).unwrap();
    fs::write(folder.path(), "").unwrap();
    app.burst();
    until("the trouble is told again", || app.daemon_log().matches("the log cannot be written").count() == 2);
    // Another daemon finds what waits.
    assert!(Command::new("kill").args(["-9", &daemon.to_string()]).status().unwrap().success());
    until("another daemon", || app.home.daemon().is_some_and(|now| now != daemon));
    fs::remove_file(folder.path()).unwrap();
    app.expect(&log, 2000);
    assert_eq!(app.home.slots("c")[0].0, pid);
    assert!(is_alive(pid));
}

#[test]
fn a_fifo_a_folder_and_a_file_in_the_way_are_refused_at_the_start() {
    let home = Home::new();
    let script = home.write("a.js", "setInterval(() => {}, 1e6)");
    fs::create_dir(home.folder().join("folder.log")).unwrap();
    assert!(Command::new("mkfifo").arg(home.folder().join("fifo.log")).status().unwrap().success());
    home.write("file", "");
    for log in ["folder.log", "fifo.log", "file/out.log"] {
        let refused = home.rewake(["start", script.to_str().unwrap(), "-o", log]).fails();
        assert!(refused.stderr.contains("cannot write the log"), "{}", refused.stderr);
    }
    assert_eq!(home.jlist().len(), 0);
}

#[test]
fn a_file_that_others_cut_or_move_goes_on_at_its_new_end() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("out.log");
    let mut app = App::start(&log);
    app.burst();
    app.expect(&log, 0);
    // As logrotate does with `copytruncate`.
    fs::OpenOptions::new().write(true).open(&log).unwrap().set_len(0).unwrap();
    app.burst();
    app.expect(&log, 1000);
    // As logrotate does without.
    for signal in [false, true] {
        let moved = folder.path().join(format!("moved-{signal}"));
        fs::rename(&log, &moved).unwrap();
        let before = app.bursts * 1000;
        if signal {
            let daemon = app.home.daemon().unwrap().to_string();
            assert!(Command::new("kill").args(["-USR2", &daemon]).status().unwrap().success());
            until("the signal has come", || app.daemon_log().contains("SIGUSR2"));
        } else {
            app.home.rewake(["reloadLogs"]).ok();
        }
        app.burst();
        app.expect(&log, before);
    }
}

#[test]
fn what_no_disk_takes_goes_oldest_first_and_is_counted_to_the_byte() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("out.log");
    symlink("/dev/full", &log).unwrap();
    let home = Home::new();
    let script = home.write(
        "flood.js",
        "const fs = require('fs'); const block = 'y'.repeat(1023) + '\\n'; const big = Buffer.from(block.repeat(1024)); \
         for (let i = 0; i < 300; i++) { let at = 0; while (at < big.length) at += fs.writeSync(1, big, at) } \
         setInterval(() => {}, 1e6)",
    );
    home.rewake(["start", script.to_str().unwrap(), "--name", "f", "-o", log.to_str().unwrap()]).ok();
    let spool_of = |pid: u32| {
        let spool = fs::metadata(format!("/proc/{pid}/fd/1"));
        spool.map(|found| (found.len(), std::os::unix::fs::MetadataExt::blocks(&found) * 512)).unwrap_or_default()
    };
    let pid = home.slots("f")[0].0;
    until("all is written", || spool_of(pid).0 == 300 << 20);
    until("the oldest has gone", || spool_of(pid).1 < 280 << 20);
    fs::remove_file(&log).unwrap();
    until("the rest is there", || {
        fs::read(&log)
            .is_ok_and(|bytes| bytes.starts_with(b"[rewake] ") && bytes.ends_with(b"yyy\n") && bytes.len() > 40 << 20)
    });
    until("it is whole", || {
        let bytes = fs::read(&log).unwrap();
        let end = bytes.iter().position(|&byte| byte == b'\n').unwrap();
        let note = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let lost: usize = note.split(' ').nth(1).unwrap().parse().unwrap();
        let rest = &bytes[end + 1..];
        lost + rest.len() == 300 << 20
            && rest.chunks(1024).all(|line| line[1023] == b'\n' && line[..1023].iter().all(|&byte| byte == b'y'))
    });
    assert!(is_alive(pid));
}
