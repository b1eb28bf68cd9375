//! Apps that serve on what they are given, and clients that ask them: one request a connection, with a bound.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rust_tests::home::{Home, PATIENCE, is_alive, until};
use rust_tests::load::Load;
use serde_json::Value;

/// Between two requests of one client.
const PACE: Duration = Duration::from_millis(1);

/// Answers with what it is on its first socket; `/die` ends it, `/slow` takes a while. It closes in order at SIGINT.
pub(crate) const SERVER: &str = "
const me = { pid: process.pid, release: process.env.RELEASE };
const server = require('http').createServer((q, r) => {
  const answer = () => r.end(JSON.stringify(me), () => { if (q.url === '/die') process.exit(1); });
  setTimeout(answer, q.url === '/slow' ? 300 : 0);
});
server.listen({ fd: 3 }, () => {
  me.port = server.address()?.port;
  if (process.env.SAYS_READY) process.send('ready');
});
process.on('SIGINT', () => server.close(() => process.exit(0)));
";

/// The answer to one request on a connection of its own.
pub(crate) fn get(port: u16, path: &str) -> Result<Value, String> {
    let error = |error: std::io::Error| error.to_string();
    let stream = TcpStream::connect(("127.0.0.1", port)).map_err(error)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(error)?;
    ask(stream, path)
}

/// The answer to one request on this connection.
pub(crate) fn ask(mut stream: impl Read + Write, path: &str) -> Result<Value, String> {
    let error = |error: std::io::Error| error.to_string();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").map_err(error)?;
    let mut text = String::new();
    stream.read_to_string(&mut text).map_err(error)?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| format!("no answer: {text:?}"))?;
    if !head.starts_with("HTTP/1.1 200") {
        return Err(head.to_owned());
    }
    serde_json::from_str(body).map_err(|error| format!("{error}: {body:?}"))
}

/// Requests on one connection, one after the other, until an answer says that it is the last. How many were answered.
fn converse(port: u16) -> Result<u64, String> {
    let error = |answered: u64| move |error: std::io::Error| format!("request {answered} of a connection: {error}");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(error(0))?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(error(0))?;
    let mut answered_at = Instant::now();
    // Long enough to be in use when a server is closed, short enough to be one of many.
    for answered in 0..1000 {
        let asked = stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        // Who thinks for longer may find that the connection has been ended: half the time that a server which is told to go leaves it.
        let was_late = answered_at.elapsed() >= Duration::from_millis(500);
        let text = match asked.and_then(|()| read_object(&mut stream)) {
            Ok(text) => text,
            Err(end) if was_late && is_end(&end) => return Ok(answered),
            Err(end) => return Err(error(answered)(end)),
        };
        answered_at = Instant::now();
        if String::from_utf8_lossy(&text).to_lowercase().contains("connection: close") {
            return Ok(answered + 1);
        }
    }
    Ok(1000)
}

/// An answer whose body is an object. Its end before the first byte is `UnexpectedEof`.
fn read_object(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    while !text.ends_with(b"}") {
        match stream.read(&mut buffer) {
            Ok(0) if text.is_empty() => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(length) if length > 0 => text.extend_from_slice(&buffer[..length]),
            // A stopped process that goes on hears of it here.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if text.is_empty() => return Err(error),
            Ok(_) | Err(_) => return Err(std::io::Error::other("half an answer")),
        }
    }
    Ok(text)
}

fn is_end(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

/// The pid in an answer.
pub(crate) fn pid(answer: &Value) -> u32 {
    u32::try_from(answer["pid"].as_u64().unwrap_or_else(|| panic!("{answer}"))).unwrap()
}

pub(crate) fn refuses(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

/// Starts a script as `web` and waits until it answers on this port. That the machine is slow is no reason to give it up or to kill it,
/// unless the test says so: what comes later holds.
pub(crate) fn start(home: &Home, node: &str, script: &str, port: u16, more: &[&str]) {
    home.write("app.js", script);
    let address = format!("127.0.0.1:{port}");
    let args = ["start", "app.js", "--name", "web", "--interpreter", node, "--socket", &address];
    let patience = ["--listen-timeout", "60000", "--kill-timeout", "60000"];
    home.rewake([&args[..], &patience, more].concat()).ok();
    until("it answers", || get(port, "/").is_ok());
}

/// Starts the app of an ecosystem file, or does something else with it.
pub(crate) fn with_file(home: &Home, verb: &str, app: &Value) -> rust_tests::home::Output {
    home.write("ecosystem.json", &serde_json::json!({ "apps": [app] }).to_string());
    home.rewake([verb, "ecosystem.json"])
}

/// `(name, address)` of the sockets that are open for the first slot of this name.
pub(crate) fn opened(home: &Home, name: &str) -> Vec<(String, String)> {
    let slot = home.jlist().into_iter().find(|slot| slot["name"] == name).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let sockets = slot["rewake"]["sockets"].as_array().unwrap().clone();
    sockets.iter().map(|socket| (text(&socket["name"]), text(&socket["address"]))).collect()
}

/// The port of the first open socket.
pub(crate) fn opened_port(home: &Home, name: &str) -> u16 {
    opened(home, name)[0].1.rsplit(':').next().unwrap().parse().unwrap()
}

/// Kills the daemon and waits for the next one.
pub(crate) fn kill_daemon(home: &Home) {
    let daemon = home.daemon().unwrap();
    assert!(Command::new("kill").args(["-KILL", &daemon.to_string()]).status().unwrap().success());
    until("another daemon is there", || {
        home.rewake(["ping"]).code == 0 && home.daemon().is_some_and(|now| now != daemon && is_alive(now))
    });
}

pub(crate) fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Requests without end, a connection for each.
pub(crate) fn load(port: u16, clients: usize) -> Load {
    Load::begin(clients, PACE, move || get(port, "/").map(|_| 1))
}

/// Requests without end, on connections that are kept for as long as the server likes.
pub(crate) fn load_on_kept_connections(port: u16, clients: usize) -> Load {
    Load::begin(clients, PACE, move || converse(port))
}
