//! A socket that cannot be had: the start fails and says which, why, and who has it. Nothing else is touched.

use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixListener;

use rust_tests::home::{Home, until};
use rust_tests::ports::free_port;
use serde_json::{Value, json};

use super::http::{SERVER, get, pid, refuses, start, with_file};

/// The one line of error of a start that must fail.
fn refusal(home: &Home, sockets: Value) -> String {
    home.write("app.js", SERVER);
    let output = with_file(home, "start", &json!({ "name": "new", "script": "app.js", "sockets": sockets })).fails();
    let line =
        output.stderr.lines().find(|line| line.starts_with("error: ")).unwrap_or_else(|| panic!("{}", output.stderr));
    assert_eq!(home.slots("new")[0].1, "errored");
    let (_, what) = line.split_once("could not be started: ").unwrap_or_else(|| panic!("{line}"));
    assert!(line.starts_with("error: `new` (id "), "{line}");
    what.to_owned()
}

#[test]
fn two_apps_on_one_port_are_refused_with_both_names() {
    let (home, port) = (Home::new(), free_port());
    start(&home, "node", SERVER, port, &[]);
    for address in [format!("127.0.0.1:{port}"), format!("{port}"), format!("0.0.0.0:{port}")] {
        let expected = format!("socket `{address}` cannot be opened: it is in use by app `web`");
        assert_eq!(refusal(&home, json!(address)), expected);
    }
    home.rewake(["stop", "web"]).ok();
    home.rewake(["start", "new"]).ok();
    let other = home.rewake(["start", "web"]).fails();
    assert!(
        other.stderr.contains("`web` (id 0) could not be started") && other.stderr.contains("app `new`"),
        "{}",
        other.stderr
    );
    assert!(get(port, "/").is_ok());
}

#[test]
fn an_app_that_listens_by_itself_is_named_too() {
    let (home, port) = (Home::new(), free_port());
    let by_itself = "require('http').createServer((q, r) => r.end('{}')).listen(+process.env.PORT)";
    home.write("own.js", by_itself);
    home.write("own.sh", "node own.js & wait");
    for (name, args) in [
        ("fork", &["own.js"][..]),
        // The one that listens is a child of the app's process.
        ("tree", &["own.sh"][..]),
        ("cluster", &["own.js", "-i", "2"][..]),
    ] {
        let args = [&["start"], args, &["--name", name, "--namespace", "other"]].concat();
        assert!(home.command(args).env("PORT", port.to_string()).output().unwrap().status.success());
        until("it listens", || get(port, "/").is_ok());
        let found = refusal(&home, json!(port));
        let expected = format!("socket `{port}` cannot be opened: it is in use by app `{name}` of namespace `other`");
        assert!(found.starts_with(&expected), "{found}");
        home.rewake(["delete", name, "new"]).ok();
        until("it is gone", || refuses(port));
    }
}

#[test]
fn a_stranger_is_named_with_its_pid() {
    let home = Home::new();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let path = home.folder().join("s.sock");
    let unix = UnixListener::bind(&path).unwrap();
    let name = std::fs::read_to_string("/proc/self/comm").unwrap();
    let us = format!("cannot be opened: it is in use by process {} (`{}`)", std::process::id(), name.trim());
    let port = tcp.local_addr().unwrap().port();
    assert_eq!(refusal(&home, json!(port)), format!("socket `{port}` {us}"));
    let address = format!("udp:{}", udp.local_addr().unwrap());
    assert_eq!(refusal(&home, json!(address)), format!("socket `{address}` {us}"));
    assert_eq!(refusal(&home, json!("./s.sock")), format!("socket `unix:{}` {us}", path.display()));
    drop((tcp, udp, unix));
    home.rewake(["start", "new"]).ok();
}

#[test]
fn other_reasons_are_told_as_plainly() {
    let home = Home::new();
    let folder = home.folder().display().to_string();
    home.write("precious", "x");
    let port = free_port();
    for (address, expected) in [
        (
            "203.0.113.1:3000".to_owned(),
            "socket `203.0.113.1:3000` cannot be opened: this machine has no such address".to_owned(),
        ),
        (
            "./no/a.sock".into(),
            format!("socket `unix:{folder}/no/a.sock` cannot be opened: there is no folder `{folder}/no`"),
        ),
        (
            "./precious/a.sock".into(),
            format!("socket `unix:{folder}/precious/a.sock` cannot be opened: there is no folder `{folder}/precious`"),
        ),
        (
            "./precious".into(),
            format!("socket `unix:{folder}/precious` cannot be opened: somebody else's file is there"),
        ),
    ] {
        // What could be had is let go again.
        assert_eq!(refusal(&home, json!([format!("127.0.0.1:{port}"), "./b.sock", address])), expected);
        assert!(refuses(port) && !home.folder().join("b.sock").exists());
    }
    assert_eq!(std::fs::read_to_string(home.folder().join("precious")).unwrap(), "x");
    let own = refusal(&home, json!([format!("127.0.0.1:{port}"), port]));
    assert_eq!(own, format!("socket `{port}` cannot be opened: its own socket `127.0.0.1:{port}` is in the way"));
}

#[test]
fn a_port_of_roots_is_refused_to_others() {
    let first_free = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    let output = std::process::Command::new("id").arg("-u").output().unwrap();
    if String::from_utf8_lossy(&output.stdout).trim() == "0" || first_free.trim() == "0" {
        // Root may have any port; what others are told is what the kernel tells.
        return;
    }
    let found = refusal(&Home::new(), json!(1));
    assert_eq!(found, "socket `1` cannot be opened: permission denied (ports below 1024 are for root)");
}

#[test]
fn a_stale_socket_file_is_no_obstacle_and_a_wrong_spelling_is_told_before_anything_runs() {
    let home = Home::new();
    home.write("app.js", SERVER);
    drop(UnixListener::bind(home.folder().join("a.sock")).unwrap());
    home.rewake(["start", "app.js", "--name", "web", "--socket", "unix:a.sock"]).ok();
    for (more, expected) in [
        (&["--socket", "localhost:3000"][..], "names are not looked up"),
        (&["--socket", "http"], "which is no address"),
        (&["--socket"], "missing value"),
    ] {
        let output = home.rewake([&["start", "app.js", "--name", "other"], more].concat()).fails();
        assert!(output.stderr.contains(expected), "{}", output.stderr);
    }
    let cluster = json!({ "name": "other", "script": "app.js", "sockets": 0, "exec_mode": "cluster" });
    let output = with_file(&home, "start", &cluster).fails();
    assert!(output.stderr.contains("`sockets` is for fork mode"), "{}", output.stderr);
    assert_eq!(home.jlist().len(), 1);
}

#[test]
fn the_app_that_has_the_port_is_not_disturbed() {
    let (home, port) = (Home::new(), free_port());
    start(&home, "node", SERVER, port, &[]);
    let before = pid(&get(port, "/").unwrap());
    refusal(&home, json!(port));
    home.rewake(["delete", "new"]).ok();
    assert_eq!(pid(&get(port, "/").unwrap()), before);
}
