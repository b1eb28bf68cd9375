//! Requests without end, until stopped. Counts failures instead of hiding them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rust_tests::home::PATIENCE;
use rust_tests::load::Load;

/// Between two requests of one thread: others of this machine's tests want to run, too.
const PACE: Duration = Duration::from_millis(2);

/// A server that answers with its pid.
pub(crate) const SERVER: &str = "
require('http').createServer((q, r) => r.end(String(process.pid))).listen(+process.env.PORT);
";

/// One request on a connection of its own.
pub(crate) fn get(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    if text.starts_with("HTTP/1.1 200") { Ok(text) } else { Err(std::io::Error::other(format!("{text:?}"))) }
}

/// Requests without end from one client.
pub(crate) fn load(port: u16) -> Load {
    Load::begin(1, PACE, move || get(port).map(|_| 1).map_err(|error| format!("port {port}: {error}")))
}

/// Ends it after so many requests; every one must have been answered.
pub(crate) fn end_after(load: Load, answered: u64) {
    let counted = load.end_after(answered);
    assert_eq!(counted.failed, [""; 0], "{} answered", counted.answered);
}
