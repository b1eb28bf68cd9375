//! A cluster worker without Node, for what no Node would do. `RAW` says how it behaves; what comes of that goes to the file `REPORT`.
//! Never shipped.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

use rust_tests::raw::Raw;
use serde_json::{Value, json};

fn main() {
    let mut channel = Raw::inherited();
    channel.say_cluster(json!({ "act": "online" }));
    let restarts: u64 = variable("restart_time").parse().unwrap_or(0);
    match (variable("RAW").as_str(), restarts) {
        ("serve", _) => serve(&mut channel),
        ("deaf", _) if variable("NODE_APP_INSTANCE") == "0" && restarts == 0 => deaf(&mut channel),
        // The first runs are gone before they could be answered; then it pulls itself together.
        ("leaver", ..8) => {
            channel.say_cluster(port_query());
            std::process::exit(3);
        }
        ("deaf" | "leaver", _) => serve(&mut channel),
        ("many", _) => many(&mut channel),
        ("garbage", _) => garbage(&mut channel),
        ("handles", _) => handles(&mut channel),
        ("nonsense", _) => nonsense(&mut channel),
        (other, _) => panic!("no such behaviour: `{other}`"),
    }
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

fn report(seen: &Value) {
    let instance: u64 = variable("NODE_APP_INSTANCE").parse().unwrap_or(0);
    let line = json!({ "instance": instance, "pid": std::process::id(), "seen": seen });
    let mut file = OpenOptions::new().append(true).create(true).open(variable("REPORT")).expect("a file");
    file.write_all(format!("{line}\n").as_bytes()).expect("a line");
}

/// The question for the port of the test.
fn port_query() -> Value {
    let port: u16 = variable("PORT").parse().expect("a port");
    json!({ "act": "queryServer", "address": null, "port": port, "addressType": 4, "fd": null, "index": 0, "flags": 0, "data": null })
}

fn answer(mut connection: TcpStream) {
    // A client may have gone.
    let _ = write!(connection, "{}", std::process::id());
}

/// A worker as it should be: answers each connection with its process id, however it gets it.
fn serve(channel: &mut Raw) {
    let (reply, socket) = channel.query(&port_query());
    assert_eq!(reply["errno"], 0, "{reply}");
    channel.say_cluster(json!({ "act": "listening", "address": null, "port": port_query()["port"], "addressType": 4, "fd": null, "index": 0 }));
    if let Some(socket) = socket {
        let listener = TcpListener::from(socket);
        std::thread::spawn(move || {
            loop {
                match listener.accept() {
                    Ok((connection, _)) => answer(connection),
                    // It is shared and does not block; the pace of looking.
                    Err(_) => std::thread::sleep(Duration::from_millis(1)),
                }
            }
        });
    }
    report(&json!("listens"));
    talk(channel);
}

/// Takes connections that are handed over, and sends back what it is told.
fn talk(channel: &mut Raw) {
    while let Some((message, descriptor)) = channel.hear() {
        if message["act"] == "newconn" {
            let accepted = descriptor.is_some();
            channel.say(&json!({ "cmd": if accepted { "NODE_HANDLE_ACK" } else { "NODE_HANDLE_NACK" } }));
            channel.say_cluster(json!({ "ack": message["seq"], "accepted": accepted }));
            if let Some(descriptor) = descriptor {
                answer(TcpStream::from(descriptor));
            }
        } else if message["cmd"] != "NODE_CLUSTER" {
            channel.say(&message);
        }
    }
}

/// Listens, takes everything that is handed over, and says not one word about it.
fn deaf(channel: &mut Raw) {
    let seq = channel.say_cluster(port_query());
    let mut taken = vec![channel.hear_until(|message| message["ack"] == seq)];
    channel.say_cluster(json!({ "act": "listening", "address": null, "port": port_query()["port"], "addressType": 4, "fd": null, "index": 0 }));
    report(&json!("listens"));
    while let Some(heard) = channel.hear() {
        taken.push(heard);
    }
}

/// Asks for thousands of servers, and then for one that it ought to get.
fn many(channel: &mut Raw) {
    let count: i64 = variable("COUNT").parse().expect("a number");
    let (mut got, mut refused) = (Vec::new(), std::collections::BTreeMap::new());
    for index in 0..count {
        let (reply, socket) =
            channel.query(&json!({ "address": "127.0.0.1", "port": 0, "addressType": 4, "index": index }));
        drop(socket);
        match reply["errno"].as_i64() {
            Some(0) => got.push(reply["key"].clone()),
            errno => *refused.entry(errno.unwrap_or(1).to_string()).or_insert(0) += 1,
        }
    }
    let seen = json!({ "got": got.len(), "refused": refused });
    for key in got.drain(..) {
        channel.say_cluster(json!({ "act": "close", "key": key }));
    }
    report(&seen);
    talk(channel);
}

/// Bytes that are no messages, between messages that are.
fn garbage(channel: &mut Raw) {
    let mut noise = 12_345_u64;
    let mut byte = || {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (noise >> 33) as u8
    };
    for length in 0..2000 {
        let line: Vec<u8> = (0..length % 300).map(|_| byte()).chain([b'\n']).collect();
        channel.write(&line, &[]);
    }
    for line in [
        "{",
        "}",
        "{\"cmd\":",
        "[1,",
        "\"half",
        "nul",
        "{\"cmd\":\"NODE_CLUSTER\",\"act\":\"queryServer\",\"seq\":",
        "\u{0}",
        "{}{}",
        "1 2",
    ] {
        channel.write(format!("{line}\n").as_bytes(), &[]);
    }
    channel.write(format!("{}1{}\n", "[".repeat(1 << 20), "]".repeat(1 << 19)).as_bytes(), &[]);
    // More than the longest message that is taken, and then its end.
    let mebibyte = vec![b'x'; 1 << 20];
    channel.write(b"\"", &[]);
    for _ in 0..66 {
        channel.write(&mebibyte, &[]);
    }
    channel.write(b"\"\n", &[]);
    channel.say(&json!("and a message"));
    report(&json!("done"));
    talk(channel);
}

/// Floods of messages with descriptors, and with the promise of some.
fn handles(channel: &mut Raw) {
    let null = File::open("/dev/null").expect("/dev/null");
    let handle = |n: u32| format!("{}\n", json!({ "cmd": "NODE_HANDLE", "type": "net.Socket", "msg": n, "key": "k" }));
    // Without reading an answer: at some time nobody reads us, either.
    let flood: String = (0..100_000).map(handle).collect();
    let written = channel.write_for(flood.as_bytes(), &[], Some(Duration::from_millis(300)));
    let was_held_up = written < flood.len();
    // Everything that was read is answered; and the rest, as there is room again.
    let (mut rest, mut refused) = (&flood.as_bytes()[written..], 0);
    while refused < 100_000 {
        let count = channel.write_for(rest, &[], Some(Duration::ZERO));
        rest = &rest[count..];
        let (message, _) = channel.hear().expect("an answer to each");
        refused += u32::from(message["cmd"] == "NODE_HANDLE_NACK");
    }
    let mut acknowledged = 0;
    for n in 0..2000 {
        channel.write(handle(n).as_bytes(), &[null.as_fd()]);
        let (message, _) = channel.hear().expect("an answer to each");
        acknowledged += u32::from(message["cmd"] == "NODE_HANDLE_ACK");
    }
    // Descriptors without a message that they belong to, several at once, and answers that answer nothing.
    for _ in 0..200 {
        channel.write(b"\"beside\"\n", &[null.as_fd(); 8]);
        channel.say(&json!({ "cmd": "NODE_HANDLE_ACK" }));
        channel.say(&json!({ "cmd": "NODE_HANDLE_NACK" }));
    }
    report(&json!({ "was_held_up": was_held_up, "refused": refused, "acknowledged": acknowledged }));
    talk(channel);
}

/// Messages of the protocol that make no sense, and questions that cannot be answered with yes: each with what came of it.
fn nonsense(channel: &mut Raw) {
    for text in NONSENSE {
        channel.write(format!("{text}\n").as_bytes(), &[]);
    }
    let long = format!("/{}", "x".repeat(5000));
    let questions = [
        json!({ "address": null, "port": 99_999, "addressType": 4 }),
        json!({ "address": null, "port": -1, "addressType": 4 }),
        json!({ "address": null, "port": 1.5, "addressType": 4 }),
        json!({ "address": null, "port": "80", "addressType": 4 }),
        json!({ "address": "no address", "port": 0, "addressType": 4 }),
        json!({ "address": "127.0.0.1", "port": 0, "addressType": 9 }),
        json!({ "address": "127.0.0.1", "port": 0 }),
        json!({ "address": "127.0.0.1", "port": 0, "addressType": { "4": 4 } }),
        json!({ "address": null, "port": -1, "addressType": -1 }),
        json!({ "address": "", "port": -1, "addressType": -1 }),
        json!({ "address": "a\u{0}b", "port": -1, "addressType": -1 }),
        json!({ "address": long, "port": -1, "addressType": -1 }),
        json!({ "address": null, "port": null, "addressType": null, "fd": 5 }),
        json!({ "address": null, "port": null, "addressType": null, "fd": -7 }),
        json!({ "address": "::1", "port": 0, "addressType": "udp4" }),
        json!({}),
    ];
    let answers: Vec<Value> = questions
        .iter()
        .map(|question| {
            let (reply, descriptor) = channel.query(question);
            let is_negative = reply["errno"].as_i64().is_some_and(|errno| errno < 0);
            json!([is_negative && descriptor.is_none() && reply.get("data").is_some(), question])
        })
        .collect();
    // Odd, but good.
    let odd = [
        json!({ "address": "127.0.0.1", "port": 0, "addressType": 4, "index": "zero", "backlog": -5, "flags": 1 << 20, "data": { "a": [1, null] } }),
        json!({ "address": "127.0.0.1", "port": 0, "addressType": "4", "index": i64::MAX, "backlog": i64::MAX }),
        json!({ "address": "127.0.0.1", "port": 0, "addressType": "udp4", "index": -1, "fd": -1 }),
    ];
    let odd: Vec<Value> = odd.iter().map(|question| channel.query(question).0["errno"].clone()).collect();
    report(&json!({ "refused": answers, "odd": odd }));
    talk(channel);
}

/// Each is to be passed over.
const NONSENSE: &[&str] = &[
    r#"{"cmd":"NODE_CLUSTER"}"#,
    r#"{"cmd":"NODE_CLUSTER","act":null}"#,
    r#"{"cmd":"NODE_CLUSTER","act":{}}"#,
    r#"{"cmd":"NODE_CLUSTER","act":"queryServer"}"#,
    r#"{"cmd":"NODE_CLUSTER","act":"queryServer","seq":"one"}"#,
    r#"{"cmd":"NODE_CLUSTER","act":"queryServer","seq":1e99}"#,
    r#"{"cmd":"NODE_CLUSTER","act":"listening","seq":1}"#,
    r#"{"cmd":"NODE_CLUSTER","act":"listening","seq":1,"address":"1.2.3.4","port":70000,"addressType":4}"#,
    r#"{"cmd":"NODE_CLUSTER","act":"close","seq":1}"#,
    r#"{"cmd":"NODE_CLUSTER","act":"close","seq":1,"key":"none"}"#,
    r#"{"cmd":"NODE_CLUSTER","act":"close","seq":1,"key":17}"#,
    r#"{"cmd":"NODE_CLUSTER","act":"exitedAfterDisconnect"}"#,
    r#"{"cmd":"NODE_CLUSTER","act":"newconn","seq":1,"key":"k"}"#,
    r#"{"cmd":"NODE_CLUSTER","act":"disconnect","seq":1}"#,
    r#"{"cmd":"NODE_CLUSTER","act":"toString","seq":1}"#,
    r#"{"cmd":"NODE_CLUSTER","act":"__proto__","seq":1}"#,
    r#"{"cmd":"NODE_CLUSTER","ack":0,"accepted":true}"#,
    r#"{"cmd":"NODE_CLUSTER","ack":-1,"accepted":false}"#,
    r#"{"cmd":"NODE_CLUSTER","ack":999999999999,"accepted":"yes"}"#,
    r#"{"cmd":"NODE_CLUSTER","ack":[],"act":"online"}"#,
    r#"{"cmd":"NODE_CLUSTER_X","act":"online"}"#,
    r#"{"cmd":"NODE_DEBUG_ENABLED"}"#,
    r#"{"cmd":"NODE_SOCKET_GET_COUNT","key":"k"}"#,
    r#"{"cmd":"NODE_CLUSTER","act":"online","act":"close","key":"a","key":"b"}"#,
];
