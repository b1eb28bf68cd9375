//! Output that goes to the system's log beside the files: by systemd's journal protocol, or as syslog.

use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rust_tests::home::{Home, is_alive, until};
use serde_json::json;

fn receive(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 70_000];
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let count = socket.recv(&mut buffer).expect("a datagram comes within the bound");
    String::from_utf8_lossy(&buffer[..count]).into_owned()
}

#[test]
fn the_journal_gets_fields_and_syslog_gets_lines() {
    let home = Home::new();
    let bind = |name: &str| UnixDatagram::bind(home.folder().join(name)).unwrap();
    let (journal, syslog) = (bind("journal.sock"), bind("syslog.sock"));
    let script = home.write(
        "talk.js",
        "console.log('hello'); console.error('[warn] hm'); process.stdout.write('no end'); setInterval(() => {}, 1e6)",
    );
    let at = |kind: &str, name: &str| format!("{kind}:{}", home.folder().join(name).display());
    let apps = json!({"apps": [{"name": "j", "script": script, "log_syslog": at("journal", "journal.sock")}]});
    let file = home.write("apps.json", &apps.to_string());
    home.rewake([&std::ffi::OsString::from("start"), file.as_os_str()]).ok();
    let mut said = BTreeMap::new();
    for _ in 0..2 {
        let fields: BTreeMap<String, String> = receive(&journal)
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        said.insert(fields["MESSAGE"].clone(), fields);
    }
    let (hello, warning) = (&said["hello"], &said["[warn] hm"]);
    assert_eq!([&*hello["PRIORITY"], &*hello["SYSLOG_IDENTIFIER"], &*hello["REWAKE_STREAM"]], ["6", "j", "out"]);
    assert_eq!([&*warning["PRIORITY"], &*warning["REWAKE_APP"], &*warning["REWAKE_ID"]], ["4", "j", "0"]);
    // The files have everything, as ever.
    let log = home.path().join("logs/j-out.log");
    until("all is in the file", || std::fs::read_to_string(&log).is_ok_and(|text| text == "hello\nno end"));
    // What has no end has one when the app is over.
    home.rewake(["stop", "j"]).ok();
    assert!(receive(&journal).contains("MESSAGE=no end\n"));
    assert_eq!(std::fs::read_to_string(log).unwrap(), "hello\nno end");

    let option = format!("--syslog={}", at("syslog", "syslog.sock"));
    home.rewake(["start", script.to_str().unwrap(), "--name", "s", &option]).ok();
    let lines = [receive(&syslog), receive(&syslog)];
    let with = |text: &str| lines.iter().any(|line| line.ends_with(text));
    assert!(with(" s[1]: hello") && with(" s[1]: [warn] hm"), "{lines:?}");
    let bad = home.rewake(["start", script.to_str().unwrap(), "--name", "x", "--syslog=loki"]).fails();
    assert!(bad.stderr.contains("journal"), "{}", bad.stderr);
}

#[test]
fn a_system_log_that_nobody_reads_holds_up_neither_app_nor_files() {
    let home = Home::new();
    let socket = UnixDatagram::bind(home.folder().join("sock")).unwrap();
    let script = home.write(
        "flood.js",
        "for (let i = 0; i < 30000; i++) console.log(`line ${i}`); console.log('end'); setInterval(() => {}, 1e6)",
    );
    let option = format!("--syslog=journal:{}", home.folder().join("sock").display());
    home.rewake(["start", script.to_str().unwrap(), "--name", "f", &option]).ok();
    let log = home.path().join("logs/f-out.log");
    until("all is in the file", || std::fs::read_to_string(&log).is_ok_and(|text| text.ends_with("line 29999\nend\n")));
    assert!(is_alive(home.slots("f")[0].0));
    // Every line has come, or is counted.
    let (mut seen, mut lost) = (0, 0);
    while seen + lost < 30_001 {
        let text = receive(&socket);
        let message = text.lines().find_map(|line| line.strip_prefix("MESSAGE=")).unwrap();
        match message.strip_prefix("[warn] ") {
            Some(note) => lost += note.split(' ').next().unwrap().parse::<u64>().unwrap(),
            None => seen += 1,
        }
    }
    assert_eq!(seen + lost, 30_001);
    assert!(lost > 0, "more was written than waits");
}
