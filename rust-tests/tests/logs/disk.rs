//! Logs on a disk that fills up or may not be written any more while apps run: a small one, in a mount namespace of its own, so that nothing of it
//! is left whatever becomes of the test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rust_tests::home::{Home, executable, is_alive, until};
use serde_json::json;

/// A home whose daemon sees a disk that others do not.
struct Disk {
    home: Home,
    mount: PathBuf,
    /// What `unshare` was told, and `nsenter` is told.
    user: &'static [&'static str],
}

impl Disk {
    /// A disk of so many bytes, if one can be had here.
    #[expect(clippy::print_stderr, reason = "why a test is skipped is for whoever runs it")]
    fn new(size: &str) -> Option<Self> {
        let home = Home::new();
        let mount = home.folder().join("disk");
        fs::create_dir(&mount).unwrap();
        for user in [&[][..], &["--user", "--map-root-user"][..]] {
            let script = "mount -t tmpfs -o size=$2 none \"$1\" && exec \"$0\" ping";
            let words = ["--mount", "--propagation", "private", "sh", "-c", script];
            let made = Command::new("unshare")
                .args(user)
                .args(words)
                .args([executable().as_path(), &mount])
                .arg(size)
                .env("REWAKE_HOME", home.path())
                .stdin(Stdio::null())
                .output();
            if made.is_ok_and(|made| made.status.success()) {
                let user = if user.is_empty() { &[][..] } else { &["--user", "--preserve-credentials"][..] };
                return Some(Self { home, mount, user });
            }
        }
        eprintln!("skipped: neither root nor a user may mount a disk of its own here");
        None
    }

    /// Mounts it anew with these options.
    fn remount(&self, options: &str) {
        let daemon = self.home.daemon().unwrap().to_string();
        let done = Command::new("nsenter")
            .args(["--target", &daemon, "--mount"])
            .args(self.user)
            .args(["mount", "-o", &format!("remount,{options}")])
            .arg(&self.mount)
            .status();
        assert!(done.unwrap().success(), "{options}");
    }

    /// Stops the daemon, all of it, or lets it go on.
    fn hold(&self, stop: bool) {
        let daemon = self.home.daemon().unwrap().to_string();
        let signal = if stop { "-STOP" } else { "-CONT" };
        assert!(Command::new("kill").args([signal, &daemon]).status().unwrap().success());
        let stands = |thread: fs::DirEntry| {
            let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('T'))
        };
        let threads = || fs::read_dir(Path::new("/proc").join(&daemon).join("task")).unwrap();
        until("the daemon does as told", || threads().all(|thread| stands(thread.unwrap()) == stop));
    }

    /// A file on it, as it is seen from here.
    fn seen(&self, name: &str) -> PathBuf {
        let daemon = self.home.daemon().unwrap();
        let inside = self.mount.join(name);
        Path::new("/proc").join(daemon.to_string()).join("root").join(inside.strip_prefix("/").unwrap())
    }

    fn start(&self, script: &str, env: serde_json::Value) -> u32 {
        let script = self.home.write("app.js", script);
        let apps = json!({"apps": [{"name": "d", "script": script, "env": env, "out_file": self.mount.join("out.log"), "merge_logs": true}]});
        let file = self.home.write("apps.json", &apps.to_string());
        self.home.rewake([&std::ffi::OsString::from("start"), file.as_os_str()]).ok();
        self.home.slots("d")[0].0
    }
}

/// So many lines of 1 KiB, written as quickly as it goes; then a line for each that appears in the file `go`.
const FLOOD: &str = "const fs = require('fs'); const big = Buffer.from(('y'.repeat(1023) + '\\n').repeat(1024)); \
    for (let i = 0; i < 300; i++) { let at = 0; while (at < big.length) at += fs.writeSync(1, big, at) } let seen = 0; setInterval(() => { \
    let go = 0; try { go = fs.readFileSync(process.env.GO, 'utf8').length } catch {} \
    while (seen < go) console.log(`line ${seen++}`) }, 5)";

#[test]
fn a_disk_that_is_full_for_a_while_costs_only_what_is_counted() {
    const ALL: usize = 300 << 20;
    let Some(disk) = Disk::new("1m") else { return };
    let go = disk.home.folder().join("go");
    let pid = disk.start(FLOOD, json!({"GO": go}));
    let daemon = disk.home.daemon().unwrap();
    let spool = || fs::metadata(format!("/proc/{pid}/fd/1"));
    until("all is written", || spool().is_ok_and(|found| found.len() == ALL as u64));
    until("the oldest has gone", || {
        spool().is_ok_and(|found| std::os::unix::fs::MetadataExt::blocks(&found) * 512 < 280 << 20)
    });
    let told = || fs::read_to_string(disk.home.path().join("rewake.log")).unwrap_or_default();
    until("the trouble is told", || told().contains("the log cannot be written"));
    disk.remount("size=600m");
    fs::write(&go, "go").unwrap();
    let log = disk.seen("out.log");
    until("it goes on", || fs::read(&log).is_ok_and(|bytes| bytes.ends_with(b"line 0\nline 1\n")));
    let bytes = fs::read(&log).unwrap();
    let (mut kept, mut lost) = (0, 0);
    for line in bytes.strip_suffix(b"line 0\nline 1\n").unwrap().split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b"[rewake] ") {
            let note = String::from_utf8_lossy(line);
            lost += note.split(' ').nth(1).unwrap().parse::<usize>().unwrap();
        } else {
            assert!(line.len() == 1024 && line[..1023].iter().all(|byte| *byte == b'y'), "{} bytes", line.len());
            kept += line.len();
        }
    }
    assert_eq!(kept + lost, ALL, "{lost} lost");
    assert!(lost > 0);
    assert!(is_alive(pid) && disk.home.daemon() == Some(daemon));
}

#[test]
fn a_disk_that_may_not_be_written_for_a_while_costs_nothing() {
    let Some(disk) = Disk::new("8m") else { return };
    let go = disk.home.folder().join("go");
    let pid = disk.start(&FLOOD.replace("i < 300", "i < 1"), json!({"GO": go}));
    let daemon = disk.home.daemon().unwrap();
    let log = disk.seen("out.log");
    until("the first lines", || fs::metadata(&log).is_ok_and(|found| found.len() == 1 << 20));
    // The kernel keeps a disk writable as long as a file on it is open for writing, so the log is let go of first.
    fs::rename(&log, disk.seen("away.log")).unwrap();
    fs::create_dir(&log).unwrap();
    disk.home.rewake(["reloadLogs"]).ok();
    fs::write(&go, "1").unwrap();
    let told = || fs::read_to_string(disk.home.path().join("rewake.log")).unwrap_or_default();
    until("the trouble is told", || told().contains("the log cannot be written"));
    // It tries again every second, and must not find the log between the two.
    disk.hold(true);
    fs::remove_dir(&log).unwrap();
    disk.remount("ro");
    disk.hold(false);
    fs::write(&go, "12").unwrap();
    assert!(!log.exists() && is_alive(pid) && disk.home.daemon() == Some(daemon));
    disk.home.rewake(["list"]).ok();
    disk.remount("rw");
    until("all that was written meanwhile", || fs::read(&log).is_ok_and(|bytes| bytes == b"line 0\nline 1\n"));
    assert!(is_alive(pid) && disk.home.daemon() == Some(daemon));
}
