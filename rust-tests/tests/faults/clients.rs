//! Clients that misbehave on the socket. The daemon goes on answering everybody else.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rust_tests::home::{Home, PATIENCE, descriptors, until};

const HELLO: &str = r#"{"hello":"rewake","protocol":1,"version":"0"}"#;

fn frame(json: &str) -> Vec<u8> {
    let length = u32::try_from(json.len()).unwrap();
    [&length.to_be_bytes()[..], json.as_bytes()].concat()
}

fn connect(home: &Home) -> UnixStream {
    let stream = UnixStream::connect(home.path().join("rpc.sock")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn receive(stream: &mut UnixStream) -> Option<serde_json::Value> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut body = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}

/// A connection that has said hello.
fn greeted(home: &Home) -> UnixStream {
    let mut stream = connect(home);
    stream.write_all(&frame(HELLO)).unwrap();
    let welcome = receive(&mut stream).unwrap();
    assert_eq!(welcome["protocol"], 1);
    stream
}

fn sleeper(home: &Home) -> u32 {
    home.rewake(["start", "/bin/sleep", "--interpreter", "none", "--name", "s", "--", "86400"]).ok();
    home.slots("s")[0].0
}

#[test]
fn garbage_half_frames_and_huge_lengths_end_only_the_connection_that_sent_them() {
    let home = Home::new();
    let pid = sleeper(&home);
    let daemon = home.daemon().unwrap();
    let before = descriptors(daemon);
    let gigabyte = (1u32 << 30).to_be_bytes().to_vec();
    let bad: Vec<Vec<u8>> = vec![
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        vec![0xff; 4096],
        gigabyte.clone(),
        frame("not json"),
        frame("null"),
        frame(r#"{"hello":"else","protocol":1,"version":""}"#),
        frame("\u{0}"),
        vec![0, 0, 0, 0],
    ];
    for bytes in &bad {
        let mut stream = connect(&home);
        let _ = stream.write_all(bytes);
        let mut rest = Vec::new();
        // Ends by itself: the daemon closes it.
        let _ = stream.read_to_end(&mut rest);
    }
    let after_hello = [
        gigabyte,
        frame(r#"{"id":1,"call":{"request":{"no such verb":{}}}}"#),
        frame(r#"{"id":1,"call":{"request":{"start":{"apps":[{}],"when_known":"refuse"}}}}"#),
        frame(&format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000))),
    ];
    for bytes in &after_hello {
        let mut stream = greeted(&home);
        let _ = stream.write_all(bytes);
        let refusal = receive(&mut stream).expect("a refusal before the end");
        assert_eq!(refusal["error"]["error"]["code"], "BAD_REQUEST", "{refusal}");
        assert!(receive(&mut stream).is_none(), "the connection is closed");
    }
    for cut in 0..10 {
        let mut stream = connect(&home);
        let _ = stream.write_all(&frame(HELLO)[..cut * 4]);
    }
    assert_eq!(home.slots("s")[0].0, pid);
    // The last command's connection may have been open still when they were counted.
    until("their descriptors are closed", || descriptors(daemon) <= before);
    assert_eq!(home.daemon(), Some(daemon));
}

#[test]
fn a_client_that_hangs_or_does_not_read_delays_nobody() {
    let home = Home::new();
    let pid = sleeper(&home);
    let silent: Vec<UnixStream> = (0..50).map(|_| connect(&home)).collect();
    let mut deaf = greeted(&home);
    deaf.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    // Asks and asks and never reads: its own requests end up waiting, nobody else's.
    for id in 0..50_000 {
        if deaf.write_all(&frame(&format!(r#"{{"id":{id},"call":{{"request":{{"list":{{}}}}}}}}"#))).is_err() {
            break;
        }
    }
    assert_eq!(home.slots("s")[0].0, pid);
    home.rewake(["restart", "s"]).ok();
    drop((silent, deaf));
    assert_ne!(home.slots("s")[0].0, pid);
}

#[test]
fn an_older_or_newer_client_is_told_the_versions() {
    let home = Home::new();
    let _ = sleeper(&home);
    let mut stream = connect(&home);
    stream.write_all(&frame(r#"{"hello":"rewake","protocol":99,"version":"9"}"#)).unwrap();
    let welcome = receive(&mut stream).unwrap();
    assert_eq!(welcome["protocol"], 1);
    // What an update needs is the same in every version; all else is not.
    stream.write_all(&frame(r#"{"id":1,"call":{"request":{"updated":{"token":3}}}}"#)).unwrap();
    assert_eq!(receive(&mut stream).unwrap()["error"]["error"]["code"], "UPDATE_REFUSED");
    stream.write_all(&frame(r#"{"id":2,"call":{"request":"ping"}}"#)).unwrap();
    assert_eq!(receive(&mut stream).unwrap()["error"]["error"]["code"], "VERSION_MISMATCH");
    assert!(receive(&mut stream).is_none(), "then the connection is closed");
}

#[test]
fn two_first_commands_at_once_start_one_daemon_and_both_apps() {
    for _ in 0..5 {
        let home = Home::new();
        let start = |name: &str| {
            home.command(["start", "/bin/sleep", "--interpreter", "none", "--name", name, "--", "86400"])
                .spawn()
                .unwrap()
        };
        let mut commands: Vec<_> = ["a", "b", "c", "d"].into_iter().map(start).collect();
        for command in &mut commands {
            assert!(command.wait().unwrap().success());
        }
        let names: Vec<String> = home.jlist().iter().map(|slot| slot["name"].as_str().unwrap().to_owned()).collect();
        assert_eq!(names.len(), 4, "{names:?}");
    }
}
