//! `rewake logs`: which lines, and in which order.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use crate::home::{Home, SLEEPER};

/// An app of which the log is written by the test.
fn with_log(home: &Home, name: &str, text: &str) {
    home.file("app.js", SLEEPER);
    home.run(&format!("start app.js -n {name} -o /dev/null -e {name}.log --merge-logs")).good();
    fs::write(home.folder().join(format!("{name}.log")), text).unwrap();
}

fn lines(home: &Home, command: &str) -> Vec<String> {
    home.run(command).good().out.lines().map(str::to_owned).collect()
}

#[test]
fn lines_are_chosen_by_time_level_and_text() {
    let home = Home::new();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let line = |minutes: u128, level: u32, text: &str| {
        format!("{{\"level\":{level},\"time\":{},\"msg\":\"{text}\"}}\n", now - minutes * 60_000)
    };
    let text = [line(120, 30, "old"), line(50, 50, "bad"), line(20, 30, "fine"), line(5, 40, "hm")].concat();
    with_log(&home, "web", &text);
    let seen = |options: &str| {
        let out = lines(&home, &format!("logs web --nostream --raw {options}"));
        out.iter().map(|line| line.rsplit('"').nth(1).unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(seen("--since 1h"), ["bad", "fine", "hm"]);
    assert_eq!(seen("--since 1h --until 10m"), ["bad", "fine"]);
    assert_eq!(seen("--since 1d --lines 1"), ["hm"]);
    assert_eq!(seen("--level warn"), ["bad", "hm"]);
    assert_eq!(seen("--level error"), ["bad"]);
    assert_eq!(seen("--grep ^.*(old|hm)"), ["old", "hm"]);
    assert_eq!(seen("--grep (?i)OLD --lines 9"), ["old"]);
    // The time of the line is the time of the object.
    let object = home.run("logs web --nostream --json --lines 1").good().json();
    assert!(object["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{object}");
}

#[test]
fn what_means_nothing_is_refused_with_an_example() {
    let home = Home::new();
    with_log(&home, "web", "x\n");
    for (options, hint) in [
        ("--since yesterdayish", "10m"),
        ("--until 25:00", "2026-11-21"),
        ("--level loud", "warn"),
        ("--grep (", "unclosed"),
    ] {
        let said = home.run(&format!("logs web --nostream {options}")).bad();
        assert!(said.err.contains(hint), "{said:?}");
    }
}

#[test]
fn lines_without_times_are_not_taken_for_old_or_new() {
    let home = Home::new();
    with_log(&home, "web", "one\ntwo\n");
    let said = home.run("logs web --nostream --raw --since 1m").good();
    assert_eq!(said.out, "one\ntwo\n");
    assert!(said.err.contains("tell no time"), "{said:?}");
}

#[test]
fn lines_of_several_apps_come_in_the_order_of_their_times() {
    let home = Home::new();
    with_log(&home, "a", "2026-11-21T10:00:00Z a1\n2026-11-21T10:00:02Z a2\n    of a2\n");
    with_log(&home, "b", "2026-11-21T10:00:01Z b1\n2026-11-21T10:00:03Z b2\n");
    let out = lines(&home, "logs --nostream --err");
    let ends: Vec<&str> = out.iter().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(ends, ["a1", "b1", "a2", "a2", "b2"]);
    assert!(out[0].starts_with("0|a | ") && out[1].starts_with("1|b | "), "{out:?}");
}

#[test]
fn what_was_rotated_and_compressed_is_still_found_since_a_time() {
    let home = Home::new();
    home.file("app.js", "console.log('first'); setInterval(() => {}, 1000);");
    home.run("start app.js -n web --time").good();
    home.wait_for_output("web", "first");
    home.run("rotate web").good();
    let logs = home.path().join("logs");
    crate::home::wait("the old file is compressed", || {
        let names = fs::read_dir(&logs).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.into_iter().any(|name| name.starts_with("web-out__") && name.ends_with(".gz"))
    });
    home.run("restart web").good();
    home.wait_for_output("web", "first");
    assert_eq!(lines(&home, "logs web --nostream --raw --out").len(), 1);
    let both = lines(&home, "logs web --nostream --raw --out --since 1h");
    assert_eq!(both.len(), 2, "{both:?}");
    assert!(both.iter().all(|line| line.ends_with(": first")), "{both:?}");
}

#[test]
fn a_line_of_a_quarter_of_a_gigabyte_is_shown_whole_in_little_memory() {
    const LENGTH: u64 = 256 << 20;
    let home = Home::new();
    with_log(&home, "web", "");
    let mut log = File::options().append(true).open(home.folder().join("web.log")).unwrap();
    log.write_all(b"before\n").unwrap();
    log.set_len(LENGTH + 7).unwrap();
    log.write_all(b"\nlast\n").unwrap();
    let shell = "ulimit -v 150000; exec \"$0\" logs web --nostream --raw --err --lines 2";
    let mut child = Command::new("sh")
        .args(["-c", shell, env!("CARGO_BIN_EXE_rewake")])
        .env("REWAKE_HOME", home.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    let (mut buffer, mut count, mut end) = (vec![0; 1 << 20], 0, Vec::new());
    loop {
        let read = out.read(&mut buffer).unwrap();
        if read == 0 {
            break;
        }
        count += read as u64;
        end = buffer[read.saturating_sub(5)..read].to_vec();
    }
    assert!(child.wait().unwrap().success());
    assert_eq!(count, LENGTH + 6);
    assert!(b"\nlast\n".ends_with(&end), "{end:?}");
}
