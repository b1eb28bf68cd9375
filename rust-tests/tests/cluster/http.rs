//! A small HTTP client: one request a connection, with a bound. It counts failures instead of hiding them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rust_tests::home::PATIENCE;
use rust_tests::load::Load;
use rust_tests::net::connect_from;

/// Between two requests of one thread of a load.
const PACE: Duration = Duration::from_millis(1);

/// The body of the answer to one request on a connection of its own.
pub(crate) fn get(port: u16) -> Result<String, String> {
    get_path(port, "/")
}

/// As [`get`], for another path.
pub(crate) fn get_path(port: u16, path: &str) -> Result<String, String> {
    ask(TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())?, path)
}

/// As [`get`], from one of this machine's own addresses.
pub(crate) fn get_from(client: [u8; 4], port: u16) -> Result<String, String> {
    ask(connect_from(client, port).map_err(|error| error.to_string())?, "/")
}

fn ask(mut stream: TcpStream, path: &str) -> Result<String, String> {
    let error = |error: std::io::Error| error.to_string();
    stream.set_read_timeout(Some(PATIENCE)).map_err(error)?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(error)?;
    let mut text = String::new();
    stream.read_to_string(&mut text).map_err(error)?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| format!("no answer: {text:?}"))?;
    if head.starts_with("HTTP/1.1 200") { Ok(body.trim().to_owned()) } else { Err(head.to_owned()) }
}

/// Requests without end, each on a connection of its own.
pub(crate) fn load(port: u16, clients: usize) -> Load {
    Load::begin(clients, PACE, move || get(port).map(|_| 1))
}

/// Scripts of the tests, by what they do. Each answers with its pid.
pub(crate) const SERVER: &str = "
const http = require('http');
http.createServer((q, r) => setTimeout(() => r.end(String(process.pid)), +(process.env.DELAY || 0))).listen(+process.env.PORT);
";
