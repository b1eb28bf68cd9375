//! How lines stand in the files, and in which.

use std::fs;

use rust_tests::home::{Home, until};
use serde_json::{Value, json};

/// Starts apps from a list of descriptions.
fn start(home: &Home, apps: &Value) {
    let file = home.write("apps.json", &json!({ "apps": apps }).to_string());
    home.rewake([&std::ffi::OsString::from("start"), file.as_os_str()]).ok();
}

/// A script that writes this text to one of its streams, in pieces that do not end with lines, and stays.
fn writer(home: &Home, name: &str, out: &str, err: &str) -> String {
    let code = format!(
        "const w = (s, text) => {{ const b = Buffer.from(text); for (let i = 0; i < b.length; i += 3) s.write(b.subarray(i, i + 3)) }};
         w(process.stdout, {}); w(process.stderr, {}); setInterval(() => {{}}, 1e6)",
        json!(out),
        json!(err)
    );
    home.write(name, &code).display().to_string()
}

fn read(home: &Home, path: &str) -> String {
    fs::read_to_string(home.folder().join(path)).unwrap_or_default()
}

#[test]
fn a_time_before_each_line_and_none_within_one() {
    let home = Home::new();
    let script = writer(&home, "a.js", "one\n\ngrüße 🚀\npartial", "err\n");
    start(
        &home,
        &json!([
            {"name": "dated", "script": script, "log_date_format": "[<]YYYY[>]", "merge_logs": true},
            {"name": "timed", "script": script, "time": true},
        ]),
    );
    let year = "<2026>";
    until("all lines", || read(&home, "home/logs/dated-out.log").ends_with("partial"));
    let text = read(&home, "home/logs/dated-out.log");
    let year = if text.starts_with(year) { year.to_owned() } else { text[..6].to_owned() };
    assert_eq!(text, format!("{year}: one\n{year}: \n{year}: grüße 🚀\n{year}: partial"));
    until("the error", || read(&home, "home/logs/dated-error.log") == format!("{year}: err\n"));
    until("the time", || read(&home, "home/logs/timed-out.log").lines().count() == 4);
    for line in read(&home, "home/logs/timed-out.log").lines() {
        let (date, _) = line.split_once(": ").unwrap();
        assert!(date.len() == 19 && date.as_bytes()[10] == b'T', "{line}");
    }
}

#[test]
fn json_is_one_object_for_each_line_also_from_the_command_line() {
    let home = Home::new();
    let script = writer(&home, "a.js", "say \"hi\"\ngrüße\n", "err\n");
    home.rewake(["start", &script, "--name", "j/é", "--log-type", "json", "--log-date-format", "[now]"]).ok();
    until("all lines", || read(&home, "home/logs/j---out.log").lines().count() == 2);
    let lines: Vec<Value> =
        read(&home, "home/logs/j---out.log").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let object = |message: &str| json!({"message": message, "timestamp": "now", "type": "out", "process_id": 0, "app_name": "j/é"});
    assert_eq!(lines, [object("say \"hi\""), object("grüße")]);
    until("the error", || read(&home, "home/logs/j---error.log").contains("\"type\":\"err\""));
}

#[test]
fn files_are_where_pm2_has_them() {
    let home = Home::new();
    let script = writer(&home, "a.js", "out\n", "err\n");
    start(
        &home,
        &json!([
            {"name": "one", "script": script, "cwd": home.folder(), "out_file": "deep/o.log", "error_file": "~/e.log", "log_file": "both.log"},
            {"name": "two", "script": script, "instances": 2, "out_file": "two.log", "error_file": "NULL"},
            {"name": "merged", "script": script, "instances": 2, "merge_logs": true, "out_file": "merged.log", "error_file": "merged.log"},
            {"name": "off", "script": script, "disable_logs": true, "log_file": "off.log"},
            {"name": "usual", "script": script, "log_file": true},
        ]),
    );
    until("one's output", || read(&home, "deep/o.log") == "out\n" && read(&home, "e.log") == "err\n");
    until("one's both", || {
        let both = read(&home, "both.log");
        both == "out\nerr\n" || both == "err\nout\n"
    });
    until("two's", || read(&home, "two-1.log") == "out\n" && read(&home, "two-2.log") == "out\n");
    until("merged", || {
        let mut lines: Vec<String> = read(&home, "merged.log").lines().map(str::to_owned).collect();
        lines.sort();
        lines == ["err", "err", "out", "out"]
    });
    until("the usual name", || read(&home, "home/logs/usual.log").lines().count() == 2);
    assert!(!home.folder().join("off.log").exists() && !home.path().join("logs/off-out.log").exists());
    assert!(!home.folder().join("NULL").exists());
}

#[test]
fn lines_of_many_writers_in_one_file_are_never_mixed() {
    let home = Home::new();
    let script = home.write(
        "many.js",
        "const id = process.env.NODE_APP_INSTANCE; const line = n => `${id} ${n} ${'x'.repeat(n % 700)}\\n`;
         let n = 0, left = ''; (function more() {
           for (let k = 0; k < 40; k++) left += line(n++);
           const at = left.length - 13; process.stdout.write(left.slice(0, at)); left = left.slice(at);
           if (n < 8000) setImmediate(more); else { process.stdout.write(left); setInterval(() => {}, 1e6) }
         })()",
    );
    start(
        &home,
        &json!([
            {"name": "m", "script": script.display().to_string(), "instances": 3, "merge_logs": true, "out_file": "all.log"},
            {"name": "p", "script": script.display().to_string(), "instances": 1, "merge_logs": true, "out_file": "all.log",
             "log_capture": "pipe", "env": {"NODE_APP_INSTANCE": "0"}, "instance_var": "OTHER"},
        ]),
    );
    // A line that is seen in part is none yet.
    until("all lines", || read(&home, "all.log").matches('\n').count() >= 4 * 8000);
    let mut next = std::collections::BTreeMap::<String, usize>::new();
    let mut total = 0;
    for line in read(&home, "all.log").lines() {
        let parts: Vec<&str> = line.split(' ').collect();
        let [id, n, x] = parts[..] else { panic!("{line}") };
        let n: usize = n.parse().unwrap();
        assert!(x.len() == n % 700 && x.bytes().all(|byte| byte == b'x'), "{line}");
        // Instance 0 is there twice; the others are in order.
        if id != "0" {
            let expected = next.entry(id.to_owned()).or_default();
            assert_eq!(n, *expected);
            *expected += 1;
        }
        total += 1;
    }
    assert_eq!(total, 4 * 8000);
}
