//! Everything that a worker can listen on: what comes of it is what Node's own primary would have made of it, and it serves.

use std::collections::BTreeSet;
use std::net::UdpSocket;

use rust_tests::home::PATIENCE;
use serde_json::Value;

use super::support::client::{connect, connect_unix, get, read_all};
use super::support::fleet::{App, Fleet, Node, Told, each_node};
use super::support::{MODES, alike};
use rust_tests::ports::{free_port, has_ipv6};

const SCRIPT: (&str, &str) = ("kinds.js", include_str!("scripts/kinds.js"));

/// The names of the ports in the script.
const PORTS: [&str; 20] = [
    "noHost",
    "host",
    "name",
    "any",
    "text",
    "backlog",
    "backlogArgument",
    "v6",
    "dual",
    "v6Only",
    "again",
    "early",
    "exclusive",
    "reusePort",
    "reuseUdp",
    "udp",
    "udpAny",
    "udpReuse",
    "udp6",
    "udp6Only",
];

/// An app that listens on everything, on ports of its own.
fn app(fleet: &Fleet, name: &str) -> (App, Value) {
    let ports: Value = PORTS
        .iter()
        .map(|port| ((*port).to_owned(), Value::from(free_port())))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let sockets = fleet.folder().join(name);
    std::fs::create_dir(&sockets).unwrap();
    let app = App::new(name, "kinds.js").env("PORTS", &ports).env("SOCKETS", sockets.display()).env("IPV6", has_ipv6());
    (app, ports)
}

/// What a worker of Node's own primary tells, with Node's default policy: the other one forgets the modes of sockets. It is alone: up to
/// Node 20 workers that close and open a port at once get errors there.
fn expected(fleet: &Fleet) -> Value {
    let (app, _) = app(fleet, "own");
    let _primary = fleet.under_nodes_primary(&app.instances(1), "rr");
    let told = fleet.told("own", 1);
    assert_eq!(told[0].seen.get("failed"), None, "{told:?}");
    common(&told)
}

/// What both workers have seen, but for the port that only one of them can have.
fn common(told: &[Told]) -> Value {
    let mut same = told.iter().map(|told| {
        let mut seen = told.seen["same"].clone();
        seen["alone"]["one"].take();
        seen
    });
    let first = same.next().unwrap();
    assert!(same.all(|seen| seen == first), "all workers see the same: {told:?}");
    first
}

/// Of the port that only one can have, one worker had it and the other was told.
fn one_is_alone(told: &[Told]) {
    let one: BTreeSet<String> = told.iter().map(|told| told.seen["same"]["alone"]["one"].to_string()).collect();
    assert!(one.len() == 2 && one.contains("\"listens\""), "{one:?}");
    assert!(one.iter().any(|one| one.contains("EADDRINUSE")), "{one:?}");
}

fn port(ports: &Value, name: &str) -> u16 {
    u16::try_from(ports[name].as_u64().unwrap()).unwrap()
}

/// Everything answers, and from every address that it ought to be reached at.
fn serves(fleet: &Fleet, name: &str, ports: &Value) {
    let pids: BTreeSet<String> = fleet.pids(name).iter().map(u32::to_string).collect();
    let is_worker = |answer: Result<String, String>, what: &str| {
        let answer = answer.unwrap_or_else(|error| panic!("{}", fleet.story(&format!("{name} {what}: {error}"))));
        assert!(pids.contains(answer.trim()), "{name} {what}: {answer}");
    };
    is_worker(get(port(ports, "noHost")), "http");
    let mut reached = vec![
        ("127.0.0.1", "host"),
        ("127.0.0.1", "name"),
        ("127.0.0.1", "any"),
        ("127.0.0.1", "text"),
        ("127.0.0.1", "backlog"),
        ("127.0.0.1", "backlogArgument"),
        ("127.0.0.1", "again"),
    ];
    if has_ipv6() {
        reached.extend([("::1", "text"), ("::1", "v6"), ("::1", "dual"), ("127.0.0.1", "dual"), ("::1", "v6Only")]);
        for (host, name) in [("::1", "any"), ("127.0.0.1", "v6"), ("127.0.0.1", "v6Only")] {
            assert!(connect((host, port(ports, name))).is_err(), "{name} is not for {host}");
        }
    }
    for (host, name) in reached {
        is_worker(connect((host, port(ports, name))).and_then(read_all), &format!("{name} {host}"));
    }
    for file in ["plain", "readable", "writable", "both", "relative"] {
        let path = fleet.folder().join(name).join(format!("{file}.sock"));
        is_worker(connect_unix(&path).and_then(read_all), file);
    }
    let v6: &[_] = if has_ipv6() { &[("::1", "udp6"), ("::1", "udp6Only")] } else { &[] };
    for (host, name) in [("127.0.0.1", "udp"), ("127.0.0.1", "udpAny"), ("127.0.0.1", "udpReuse")].iter().chain(v6) {
        is_worker(datagram(host, port(ports, name)), name);
    }
}

/// The process that answers a datagram.
fn datagram(host: &str, port: u16) -> Result<String, String> {
    let own = if host.contains(':') { "[::1]:0" } else { "127.0.0.1:0" };
    let socket = UdpSocket::bind(own).map_err(|error| error.to_string())?;
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.send_to(b"ping", (host, port)).map_err(|error| error.to_string())?;
    let mut buffer = [0; 64];
    let (length, _) = socket.recv_from(&mut buffer).map_err(|error| error.to_string())?;
    let answer = String::from_utf8_lossy(&buffer[..length]).into_owned();
    answer.strip_suffix(" ping").map(str::to_owned).ok_or(answer)
}

/// The ports that the system chose: the same for both workers, and each server has another.
fn chosen(told: &[Told]) -> Value {
    let zero = told[0].seen["zero"].clone();
    assert!(told.iter().all(|told| told.seen["zero"] == zero), "all workers have the same: {told:?}");
    // One that all have closed is kept for 10 s: long enough for the second worker, not for what comes later.
    let closed = &told[0].seen["closed"];
    assert!(told.iter().all(|told| told.seen["closed"] == *closed), "also the one that was closed: {told:?}");
    // The last one is of UDP, as is the closed one: a port of TCP may have the same number.
    let (udp, tcp) = zero.as_array().unwrap().split_last().unwrap();
    let different: BTreeSet<u64> = tcp.iter().filter_map(Value::as_u64).collect();
    assert!(different.len() == 5 && udp != closed, "each server has another: {zero} {closed}");
    zero
}

fn each_mode(node: &Node) {
    let fleet = Fleet::new(node, &[SCRIPT]);
    let expected = expected(&fleet);
    let apps = MODES.map(|mode| app(&fleet, mode));
    fleet.start(&apps.iter().zip(MODES).map(|((app, _), mode)| app.clone().mode(mode)).collect::<Vec<_>>());
    for (mode, (_, ports)) in MODES.iter().zip(&apps) {
        let told = fleet.told(mode, 2);
        assert_eq!(told[0].seen.get("failed"), None, "Node {} {mode}", node.major);
        alike(&common(&told), &expected, &format!("Node {} {mode}", node.major));
        one_is_alone(&told);
        assert_ne!(told[0].seen["own"], told[1].seen["own"], "each worker has its own exclusive socket");
        let zero = chosen(&told);
        serves(&fleet, mode, ports);

        fleet.rewake(["reload", mode]).ok();
        let later = fleet.told(mode, 4);
        assert_eq!(chosen(&later[2..]), zero, "Node {} {mode}: the ports outlive the processes", node.major);
        alike(&common(&later[2..]), &expected, &format!("Node {} {mode}, reloaded", node.major));
        serves(&fleet, mode, ports);

        fleet.rewake(["stop", mode]).ok();
        fleet.until("the sockets are gone", || std::fs::read_dir(fleet.folder().join(mode)).unwrap().next().is_none());
        for name in PORTS {
            fleet.until(&format!("{mode}: {name} is free"), || connect(("127.0.0.1", port(ports, name))).is_err());
        }
    }
}

#[test]
fn whatever_a_worker_listens_on_is_served_as_under_nodes_own_primary_and_outlives_it() {
    for node in each_node() {
        each_mode(&node);
    }
}
