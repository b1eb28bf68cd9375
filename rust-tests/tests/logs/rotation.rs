//! Log files are put aside by themselves and by order; no line is lost, doubled or cut, whatever dies meanwhile.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rust_tests::home::{Home, until, wait_for};
use serde_json::json;

const LINES: usize = 150_000;
const SCRIPT: &str = "let i = 0; (function more() { let s = ''; for (let n = 0; n < 100; n++) s += `line ${i++} grüße\\n`; \
    process.stdout.write(s.slice(0, 700)); process.stdout.write(s.slice(700)); \
    if (i < 150000) setImmediate(more); else setInterval(() => {}, 1e6) })()";

fn start(home: &Home, folder: &Path, rotate: &serde_json::Value) {
    let script = home.write("lines.js", SCRIPT);
    let apps = json!({"apps": [{"name": "r", "script": script, "out_file": folder.join("out.log"), "merge_logs": true, "log_rotate": rotate}]});
    let file = home.write("apps.json", &apps.to_string());
    home.rewake([&std::ffi::OsString::from("start"), file.as_os_str()]).ok();
}

/// The files that were put aside, the oldest first.
fn olds(folder: &Path) -> Vec<PathBuf> {
    let order = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let rest = name.strip_prefix("out__").unwrap();
        let (date, rest) = rest.split_at(19);
        let number = rest.strip_prefix('-').and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
        (date.to_owned(), number.unwrap_or(1))
    };
    let is_old = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let compressed = path.with_file_name(format!("{name}.gz"));
        name.starts_with("out__") && !name.ends_with(".part") && !compressed.exists()
    };
    let mut olds: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(is_old).collect();
    olds.sort_by_key(order);
    olds
}

fn content(path: &Path) -> Vec<u8> {
    if path.extension().is_some_and(|extension| extension == "gz") {
        let output = Command::new("gzip").arg("-dc").arg(path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return output.stdout;
    }
    fs::read(path).unwrap_or_default()
}

/// The longest line: a file that has room for a part of one takes it whole.
const LINE: usize = 20;

/// Everything, and that each file ends with a line and keeps its bound.
fn all(folder: &Path, most: usize) -> String {
    let mut all = Vec::new();
    for path in olds(folder) {
        let bytes = content(&path);
        assert!(bytes.ends_with(b"\n") && bytes.len() < most + LINE, "{}: {}", path.display(), bytes.len());
        all.extend(bytes);
    }
    all.extend(fs::read(folder.join("out.log")).unwrap_or_default());
    String::from_utf8(all).unwrap()
}

fn expected() -> String {
    (0..LINES).map(|i| format!("line {i} grüße\n")).collect()
}

#[test]
fn no_line_is_lost_doubled_or_cut_also_when_the_daemon_dies_again_and_again() {
    let (home, folder) = (Home::new(), tempfile::tempdir().unwrap());
    start(&home, folder.path(), &json!({"max_size": "50K", "keep": 1000}));
    for kill in 1..=4 {
        wait_for(Duration::from_secs(5), || olds(folder.path()).len() > kill * 8);
        let daemon = home.daemon().unwrap();
        let _ = Command::new("kill").args(["-9", &daemon.to_string()]).status();
        until("another daemon", || home.daemon().is_some_and(|pid| pid != daemon));
    }
    until("the last line", || {
        fs::read_to_string(folder.path().join("out.log")).is_ok_and(|t| t.ends_with("149999 grüße\n"))
    });
    // The names change while files are compressed; the last rotation leaves none uncompressed.
    home.rewake(["rotate", "r"]).ok();
    until("all are compressed", || {
        olds(folder.path()).iter().all(|path| path.extension().is_some_and(|extension| extension == "gz"))
    });
    let (found, expected) = (all(folder.path(), 50 << 10), expected());
    assert!(found == expected, "{} of {} bytes", found.len(), expected.len());
    assert!(olds(folder.path()).len() > 40);
}

#[test]
fn only_so_many_are_kept_and_uncompressed_if_so_wished() {
    let (home, folder) = (Home::new(), tempfile::tempdir().unwrap());
    start(&home, folder.path(), &json!({"maxSize": 100_000, "keep": 3, "compress": false}));
    until("the last line", || {
        fs::read_to_string(folder.path().join("out.log")).is_ok_and(|t| t.ends_with("149999 grüße\n"))
    });
    until("only three are kept", || olds(folder.path()).len() == 3);
    let found = all(folder.path(), 100_000);
    assert!(expected().ends_with(&found) && found.len() > 290_000);
}

#[test]
fn by_order_by_age_and_not_at_all() {
    let (home, folder) = (Home::new(), tempfile::tempdir().unwrap());
    let script = home.write(
        "slow.js",
        "process.stdout.write('first\\nhalf'); const t = setInterval(() => { if (require('fs').existsSync('go')) { console.log(' and half'); clearInterval(t); \
         setInterval(() => {}, 1e6) } }, 5)",
    );
    let log = |name: &str| folder.path().join(name);
    let apps = json!({"apps": [
        {"name": "a", "script": script, "cwd": home.folder(), "out_file": log("out.log"), "merge_logs": true, "log_rotate": {"compress": false}},
        {"name": "b", "script": script, "cwd": home.folder(), "out_file": log("off.log"), "merge_logs": true, "log_rotate": false},
    ]});
    let file = home.write("apps.json", &apps.to_string());
    home.rewake([&std::ffi::OsString::from("start"), file.as_os_str()]).ok();
    until("the beginning", || content(&log("out.log")) == b"first\nhalf" && content(&log("off.log")) == b"first\nhalf");
    // In the middle of a line nothing is put aside; at its end it is.
    let said = home.rewake(["rotate", "a", "--json"]).ok();
    assert_eq!(said.json(), json!([]));
    home.write("go", "");
    until("it is put aside", || olds(folder.path()).len() == 1);
    assert_eq!(content(&olds(folder.path())[0]), b"first\nhalf and half\n");
    assert_eq!(content(&log("out.log")), b"");
    until("b has ended its line", || content(&log("off.log")).ends_with(b" and half\n"));
    // Also when nothing runs; an empty file is left alone.
    home.rewake(["stop", "all"]).ok();
    let said = home.rewake(["rotate", "--json"]).ok();
    let names = said.json();
    assert_eq!(names.as_array().unwrap().len(), 1, "{names}");
    assert!(names[0].as_str().unwrap().contains("off__"), "{names}");
    home.rewake(["rotate", "nosuch"]).fails();
    let bad = home.rewake(["start", script.to_str().unwrap(), "--name", "x", "--log-type", "xml"]).fails();
    assert!(bad.stderr.contains("`json` or `raw`"), "{}", bad.stderr);
}

#[test]
fn an_old_file_is_put_aside_at_its_next_line() {
    let (home, folder) = (Home::new(), tempfile::tempdir().unwrap());
    let log = folder.path().join("out.log");
    // It speaks when the test says so: however slow anything is, each line is older than the next by more than a file may be.
    let script = home.write(
        "tick.js",
        "let n = 0; setInterval(() => { if (require('fs').existsSync(`go${n}`)) console.log(`tick ${n++}`) }, 5)",
    );
    let apps = json!({"apps": [{"name": "t", "script": script, "cwd": home.folder(), "out_file": log, "merge_logs": true, "log_rotate": {"max_age": "1s", "compress": false}}]});
    let file = home.write("apps.json", &apps.to_string());
    home.rewake([&std::ffi::OsString::from("start"), file.as_os_str()]).ok();
    for n in 0..3 {
        let is_old =
            || fs::metadata(&log).unwrap().modified().unwrap().elapsed().is_ok_and(|age| age.as_millis() > 1100);
        if n > 0 {
            until("the file is old", is_old);
        }
        home.write(&format!("go{n}"), "");
        until("the line is there", || content(&log) == format!("tick {n}\n").as_bytes());
        let contents: Vec<Vec<u8>> = olds(folder.path()).iter().map(|old| content(old)).collect();
        assert_eq!(contents, (0..n).map(|n| format!("tick {n}\n").into_bytes()).collect::<Vec<_>>());
    }
}
