//! What a process finds: descriptors in order, the variables, the channel behind them, and the flags of each.

use std::net::UdpSocket;
use std::os::unix::net::UnixStream;

use rust_tests::home::{Home, PATIENCE, nodes, until};
use serde_json::json;

use super::http::{ask, get, lines, opened, pid, with_file};

/// Serves TCP, UDP and a Unix socket, is ready by its channel and ends by it.
const EVERYTHING: &str = "
const fs = require('fs');
const nonblocking = (fd) => Boolean(parseInt(fs.readFileSync('/proc/self/fdinfo/' + fd, 'utf8').match(/flags:\\s*(\\d+)/)[1], 8) & 0o4000);
const flags = [3, 4, 5].map(nonblocking);
const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = process.env;
const answer = (q, r) => r.end(JSON.stringify({ pid: process.pid, flags, LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES }));
const http = require('http');
http.createServer(answer).listen({ fd: 3 }, () => {
  const udp = require('dgram').createSocket('udp4');
  udp.on('message', (text, from) => udp.send(text, from.port, from.address));
  udp.bind({ fd: 4 }, () => http.createServer(answer).listen({ fd: 5 }, () => process.send('ready')));
});
process.on('message', (message) => { if (message === 'shutdown') { console.log('told to go'); process.exit(0); } });
";

#[test]
fn a_process_finds_its_sockets_in_order_and_its_channel_behind_them() {
    for node in nodes() {
        let home = Home::new();
        home.write("app.js", EVERYTHING);
        let sockets = json!([{ "address": "127.0.0.1:0", "name": "http" }, "udp:127.0.0.1:0", { "address": "./a.sock", "name": "c" }]);
        let app = json!({
            "name": "web", "script": "app.js", "interpreter": node, "sockets": sockets,
            "wait_ready": true, "listen_timeout": 60_000, "shutdown_with_message": true, "kill_timeout": 60_000,
        });
        with_file(&home, "start", &app).ok();
        let opened = opened(&home, "web");
        let names: Vec<&str> = opened.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["http", "web", "c"], "{node}");
        let port = |at: usize| opened[at].1.rsplit(':').next().unwrap().parse::<u16>().unwrap();
        let answer = get(port(0), "/").unwrap();
        assert_eq!(answer["LISTEN_PID"], pid(&answer).to_string(), "{node}: {answer}");
        assert_eq!(home.slots("web")[0].0, pid(&answer));
        assert_eq!((&answer["LISTEN_FDS"], &answer["LISTEN_FDNAMES"]), (&json!("3"), &json!("http:web:c")), "{node}");
        assert_eq!(answer["flags"], json!([true, true, true]), "{node}: Node never waits");
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.send_to(b"ping", ("127.0.0.1", port(1))).unwrap();
        let mut buffer = [0; 16];
        let (length, _) = client.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"ping", "{node}");
        let stream = UnixStream::connect(home.folder().join("a.sock")).unwrap();
        assert_eq!(ask(stream, "/").unwrap()["pid"], answer["pid"], "{node}");
        // The other way on the channel, too.
        home.rewake(["stop", "web"]).ok();
        let log = home.path().join("logs/web-out.log");
        until("its last word is in the log", || !lines(&log).is_empty());
        assert_eq!(lines(&log), ["told to go"], "{node}");
    }
}

/// Says which descriptors it has and whether the first socket makes it wait, sets it not to, and ends.
const SHELL: &str = "
echo \"$(ls /proc/$$/fd | tr '\\n' ' ')$(grep flags /proc/self/fdinfo/3 | tr -d '\\t') $(test $LISTEN_PID = $$ && echo own)\"
dd iflag=nonblock count=0 status=none <&3
grep -q 'flags:.*4002$' /proc/self/fdinfo/3 && echo set
exit 1
";

#[test]
fn another_program_gets_sockets_that_wait_as_systemds_do_and_so_does_its_successor() {
    let home = Home::new();
    home.write("app.sh", SHELL);
    home.rewake([
        "start",
        "app.sh",
        "--name",
        "sh",
        "--socket",
        "127.0.0.1:0",
        "--socket",
        "udp:0",
        "--max-restarts",
        "3",
        "--min-uptime",
        "1h",
    ])
    .ok();
    until("it is given up", || home.slots("sh")[0].1 == "errored");
    // The shell itself has its script open at 10 or 255; close-on-exec is not set for what it was given, or `dd` had nothing.
    let log = home.path().join("logs/sh-out.log");
    until("each run's last word is in the log", || lines(&log).len() >= 6);
    let all = lines(&log);
    assert_eq!(all.len(), 6, "{all:?}");
    for pair in all.chunks(2) {
        assert!(pair[0].starts_with("0 1 ") && pair[0].contains(" 3 4 "), "{all:?}");
        assert!(pair[0].ends_with("flags:02 own") || pair[0].ends_with("flags:02000002 own"), "{all:?}");
        assert_eq!(pair[1], "set", "{all:?}");
    }
}

#[test]
fn variables_that_describe_the_callers_own_descriptors_reach_no_app() {
    let home = Home::new();
    home.write("app.sh", "env | grep ^LISTEN_ | sort; echo end; exec sleep 86400");
    let foreign = [
        ("LISTEN_FDS", "7"),
        ("LISTEN_PID", "1"),
        ("LISTEN_FDNAMES", "x"),
        ("LISTEN_PIDFDID", "2"),
        ("LISTEN_ADDR", "a"),
    ];
    let start = |name: &str, more: &[&str]| {
        let args = [&["start", "app.sh", "--name", name], more].concat();
        assert!(home.command(args).envs(foreign).output().unwrap().status.success());
        let log = home.path().join(format!("logs/{name}-out.log"));
        until("it has spoken", || lines(&log).last().is_some_and(|line| line == "end"));
        lines(&log)
    };
    assert_eq!(start("without", &[]), ["LISTEN_ADDR=a", "end"]);
    let pid = |name: &str| home.slots(name)[0].0;
    let with = start("with", &["--socket", "0"]);
    let expected =
        ["LISTEN_ADDR=a", "LISTEN_FDNAMES=with", "LISTEN_FDS=1", &format!("LISTEN_PID={}", pid("with")), "end"];
    assert_eq!(with, expected);
    // Nor by way of an environment that is taken over later.
    assert!(home.command(["restart", "without", "--update-env"]).envs(foreign).output().unwrap().status.success());
    let log = home.path().join("logs/without-out.log");
    until("it has spoken again", || lines(&log).len() == 4);
    assert_eq!(lines(&log)[2..], ["LISTEN_ADDR=a", "end"]);
}

#[test]
fn all_instances_accept_from_one_queue() {
    let home = Home::new();
    home.write("app.js", super::http::SERVER);
    home.rewake(["start", "app.js", "--name", "web", "-i", "3", "--socket", "127.0.0.1:0"]).ok();
    let port = super::http::opened_port(&home, "web");
    let pids: std::collections::BTreeSet<u32> = home.slots("web").iter().map(|slot| slot.0).collect();
    assert_eq!(pids.len(), 3);
    let mut seen = std::collections::BTreeSet::new();
    until("each instance has answered", || {
        // While one is busy with slow requests, others take the next.
        let slow: Vec<_> = (0..6).map(|_| std::thread::spawn(move || get(port, "/slow"))).collect();
        seen.extend(slow.into_iter().map(|thread| pid(&thread.join().unwrap().unwrap())));
        seen == pids
    });
}
