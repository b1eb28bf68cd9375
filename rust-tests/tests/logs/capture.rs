//! What an app wrote before it ended is in its log, to the last byte, also when the daemon dies in the middle of it.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use rust_tests::home::{Home, descriptors, nodes, until, wait_for};

/// Lines of one burst. Far more than a pipe holds.
const LINES: usize = 20_000;

/// Writes its lines in one turn of the event loop, then ends in the way that it is told.
const BURST: &str = r#"
const [how] = process.argv.slice(2);
if (process.env.GATE) while (!require('fs').existsSync(process.env.GATE)) {}
if (how === 'block') {
  process.stdout.write('x'.repeat(8 * 1024 * 1024 - 1) + '\n');
} else {
  for (let i = 0; i < 20000; i++) {
    console.log(`o ${i} ${'abcdefgh'.repeat(8)} grüße`);
    if (i % 10 === 0) console.error(`e ${i}`);
  }
}
if (how === 'throw') throw new Error('the end');
if (how === 'abort') process.abort();
if (how === 'kill') process.kill(process.pid, 'SIGKILL');
process.exit(3);
"#;

fn log(home: &Home, name: &str) -> PathBuf {
    home.path().join("logs").join(name)
}

fn length(path: &PathBuf) -> u64 {
    fs::metadata(path).map_or(0, |found| found.len())
}

/// All lines are there, in order and whole.
fn assert_burst(home: &Home, name: &str, how: &str) {
    let (out, err) = (log(home, &format!("{name}-out.log")), log(home, &format!("{name}-error.log")));
    if how == "block" {
        until("the whole block", || length(&out) >= 8 << 20);
        let bytes = fs::read(&out).unwrap();
        assert_eq!(bytes.len(), 8 << 20);
        assert!(bytes[..bytes.len() - 1].iter().all(|&byte| byte == b'x'));
        return;
    }
    let expected: String = (0..LINES).map(|i| format!("o {i} {} grüße\n", "abcdefgh".repeat(8))).collect();
    let errors: String = (0..LINES).step_by(10).map(|i| format!("e {i}\n")).collect();
    let complete = || length(&out) >= expected.len() as u64 && length(&err) >= errors.len() as u64;
    wait_for(rust_tests::home::PATIENCE, complete);
    assert!(fs::read_to_string(&out).unwrap() == expected, "{how}: {} of {} bytes", length(&out), expected.len());
    let found = fs::read_to_string(&err).unwrap();
    assert!(found.starts_with(&errors), "{how}: {} of {} bytes of errors", found.len(), errors.len());
    if how == "throw" {
        until("the stack", || fs::read_to_string(&err).unwrap().contains("Error: the end\n    at "));
    }
}

fn start(home: &Home, node: &str, name: &str, mode: &str, how: &str, gate: Option<&str>) {
    let script = home.write("burst.js", BURST);
    let env = gate.map_or_else(String::new, |gate| format!("\"GATE\": \"{gate}\""));
    let file = home.write(
        &format!("{name}.json"),
        &format!(
            r#"{{"apps": [{{"name": "{name}", "script": "{}", "interpreter": "{node}", "args": ["{how}"], "env": {{{env}}},
                "exec_mode": "{mode}", "merge_logs": true, "autorestart": false}}]}}"#,
            script.display()
        ),
    );
    let _ = home.rewake([&std::ffi::OsString::from("start"), file.as_os_str()]);
}

#[test]
fn a_script_that_the_kernel_gives_to_node_loses_nothing_either() {
    let home = Home::new();
    let script = home.write("burst", &format!("#!/usr/bin/env node\n{BURST}"));
    assert!(Command::new("chmod").arg("+x").arg(&script).status().unwrap().success());
    let words = ["start", script.to_str().unwrap(), "--name", "b", "--interpreter", "none", "--no-autorestart"];
    home.rewake(words.into_iter().chain(["--", "exit"])).ok();
    assert_burst(&home, "b", "exit");
}

#[test]
fn a_burst_before_any_kind_of_end_is_kept_to_the_last_byte() {
    let home = Home::new();
    let mut run = 0;
    for node in nodes() {
        for mode in ["fork", "cluster"] {
            for how in ["exit", "throw", "abort", "kill", "block"] {
                run += 1;
                let name = format!("burst{run}");
                start(&home, &node, &name, mode, how, None);
                assert_burst(&home, &name, how);
                home.rewake(["delete", &name]).ok();
            }
        }
    }
    let (daemon, keeper) = (home.daemon().unwrap(), home.keeper().unwrap());
    until("all spools are let go", || spools(daemon) == 0 && spools(keeper) == 0);
}

/// Files without a name that the process has open for the output of apps.
fn spools(pid: u32) -> usize {
    let is_spool = |link: &fs::DirEntry| {
        let target = fs::read_link(link.path()).unwrap_or_default();
        let target = target.to_string_lossy();
        let known = ["rewake-ledger", "rewake-record"].iter().any(|name| target.contains(name));
        target.contains("(deleted)") && !known
    };
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().map(Result::unwrap).filter(is_spool).count()
}

#[test]
fn an_output_that_was_closed_while_no_daemon_looked_is_let_go_with_its_app() {
    let home = Home::new();
    let file = home.write(
        "app.json",
        r#"{"apps": [{"name": "c", "script": "/bin/sh", "interpreter": "none", "autorestart": false, "log_capture": "spool", "args":
            ["-c", "echo hi; until [ -e close ]; do sleep 0.02; done; exec >&- 2>&-; echo > closed; until [ -e end ]; do sleep 0.02; done"]}]}"#,
    );
    home.rewake([OsStr::new("start"), file.as_os_str()]).ok();
    until("the line", || length(&log(&home, "c-out.log")) == 3);
    let (daemon, keeper) = (home.daemon().unwrap(), home.keeper().unwrap());
    assert!(spools(daemon) >= 2);
    let signal = |name: &str, pid: u32| {
        assert!(Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
    };
    // It starts no other daemon before the output is closed.
    signal("-STOP", keeper);
    signal("-KILL", daemon);
    home.write("close", "");
    until("it has closed its output", || home.folder().join("closed").exists());
    signal("-CONT", keeper);
    until("another daemon", || home.daemon().is_some_and(|pid| pid != daemon));
    home.write("end", "");
    until("it has ended", || home.slots("c")[0].1 == "stopped");
    until("its spools are let go", || spools(home.daemon().unwrap()) == 0 && spools(keeper) == 0);
}

#[test]
fn a_daemon_killed_in_the_middle_of_a_burst_costs_no_line_and_doubles_none() {
    for round in 0..6 {
        let home = Home::new();
        let how = ["exit", "throw", "abort", "kill", "block", "exit"][round];
        let gate = home.folder().join("gate");
        start(&home, "node", "burst", ["fork", "cluster"][round % 2], how, gate.to_str());
        let daemon = home.daemon().unwrap();
        fs::write(&gate, "").unwrap();
        let out = log(&home, "burst-out.log");
        // Somewhere in the middle; wherever that is, the outcome must be the same.
        wait_for(Duration::from_secs(5), || length(&out) > (round as u64) * 200_000);
        assert!(Command::new("kill").args(["-9", &daemon.to_string()]).status().unwrap().success());
        until("another daemon", || home.daemon().is_some_and(|pid| pid != daemon));
        assert_burst(&home, "burst", how);
    }
}

/// What has ended and is in its log waits for the keeper to forget it; a successor that still hears of it must not carry it again.
#[test]
fn what_many_wrote_before_they_ended_comes_once_though_daemons_die_meanwhile() {
    const EACH: usize = 25;
    let home = Home::new();
    let script = home.write("some.js", "for (let i = 0; i < 3000; i++) console.log(`line ${i} ${'x'.repeat(50)}`)");
    let app = |name| {
        format!(
            r#"{{"name": "{name}", "script": "{}", "exec_mode": "fork", "instances": {EACH}, "autorestart": false}}"#,
            script.display()
        )
    };
    let file = home.write("many.json", &format!(r#"{{"apps": [{}, {}, {}]}}"#, app("a"), app("b"), app("c")));
    home.rewake(["list"]).ok();
    let words = [OsStr::new("start"), file.as_os_str()];
    let mut starting = home.command(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let expected: String = (0..3000).map(|i| format!("line {i} {}\n", "x".repeat(50))).collect();
    let logs = || {
        let found = fs::read_dir(home.path().join("logs")).into_iter().flatten();
        found.map(|log| log.unwrap().path()).filter(|log| length(log) > 0).collect::<Vec<_>>()
    };
    for ended in [10, 30, 50, 70] {
        // One dies as the next few end.
        wait_for(Duration::from_secs(10), || logs().len() >= ended);
        let daemon = home.daemon().unwrap();
        assert!(Command::new("kill").args(["-9", &daemon.to_string()]).status().unwrap().success());
        until("another daemon", || home.daemon().is_some_and(|pid| pid != daemon));
    }
    // It lost its daemon; what it had ordered goes on.
    starting.wait().unwrap();
    until("all logs", || logs().len() == 3 * EACH && logs().iter().all(|log| length(log) >= expected.len() as u64));
    home.rewake(["list"]).ok();
    for log in logs() {
        assert!(fs::read_to_string(&log).unwrap() == expected, "{}: {} bytes", log.display(), length(&log));
    }
}

#[test]
fn formatted_lines_survive_daemons_that_die_again_and_again() {
    let home = Home::new();
    let script = home.write(
        "lines.js",
        "let i = 0; (function more() { for (let n = 0; n < 500; n++) console.log('line ' + i++); \
         if (i < 200000) setImmediate(more); else setInterval(() => {}, 1e6) })()",
    );
    home.rewake(["start", script.to_str().unwrap(), "--name", "lines", "--log-date-format", "[at] HH:mm:ss.SSS"]).ok();
    let out = log(&home, "lines-out.log");
    for kill in 1..=4_u64 {
        wait_for(Duration::from_secs(10), || length(&out) > kill * 600_000);
        let daemon = home.daemon().unwrap();
        let _ = Command::new("kill").args(["-9", &daemon.to_string()]).status();
        until("another daemon", || home.daemon().is_some_and(|pid| pid != daemon));
    }
    let whole = |text: &str| text.ends_with(" line 199999\n") || text.ends_with(": line 199999\n");
    until("the last line", || fs::read_to_string(&out).is_ok_and(|text| whole(&text)));
    let text = fs::read_to_string(&out).unwrap();
    let mut count = 0;
    for (i, line) in text.lines().enumerate() {
        let (date, rest) = line.split_at("at HH:mm:ss.SSS: ".len());
        assert!(date.starts_with("at ") && date.ends_with(": ") && rest == format!("line {i}"), "{i}: {line}");
        count += 1;
    }
    assert_eq!(count, 200_000);
}

#[test]
fn what_a_grandchild_still_writes_arrives_and_its_stream_ends_with_it() {
    let home = Home::new();
    for capture in ["spool", "pipe"] {
        let file = home.write(
            "app.json",
            &format!(
                r#"{{"apps": [{{"name": "{capture}", "script": "/bin/sh", "interpreter": "none", "autorestart": false, "treekill": false,
                    "log_capture": "{capture}", "args": ["-c", "(while [ ! -e {capture}.gate ]; do sleep 0.02; done; echo late) & echo early"]}}]}}"#
            ),
        );
        home.rewake([&std::ffi::OsString::from("start"), file.as_os_str()]).ok();
        let out = log(&home, &format!("{capture}-out.log"));
        until("the first line", || fs::read_to_string(&out).is_ok_and(|text| text == "early\n"));
        until("it has ended", || home.slots(capture)[0].1 == "stopped");
        let before = descriptors(home.daemon().unwrap());
        fs::write(home.folder().join(format!("{capture}.gate")), "").unwrap();
        until("the last line", || fs::read_to_string(&out).is_ok_and(|text| text == "early\nlate\n"));
        until("its descriptors are closed", || descriptors(home.daemon().unwrap()) < before);
    }
}

#[test]
fn binary_bytes_and_lines_longer_than_any_buffer_pass_untouched() {
    let home = Home::new();
    for capture in ["spool", "pipe"] {
        let script = home.write(
            "bytes.js",
            "const b = Buffer.alloc(3000000); for (let i = 0; i < b.length; i++) b[i] = (i * 7 + (i >> 8)) & 255; \
             require('fs').writeSync(1, b.subarray(0, 1)); let at = 1; \
             while (at < b.length) { try { at += require('fs').writeSync(1, b, at) } catch (e) { if (e.code !== 'EAGAIN') throw e } } \
             setInterval(() => {}, 1e6)",
        );
        let file = home.write(
            "app.json",
            &format!(
                r#"{{"apps": [{{"name": "{capture}", "script": "{}", "log_capture": "{capture}"}}]}}"#,
                script.display()
            ),
        );
        home.rewake([&std::ffi::OsString::from("start"), file.as_os_str()]).ok();
        let out = log(&home, &format!("{capture}-out.log"));
        until("all bytes", || length(&out) >= 3_000_000);
        let expected: Vec<u8> = (0..3_000_000_u32).map(|i| ((i * 7 + (i >> 8)) & 255) as u8).collect();
        assert!(fs::read(&out).unwrap() == expected, "{capture}");
    }
}
