//! Clients of the apps: small, with a bound on every wait.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rust_tests::home::PATIENCE;

/// A stream to a server, TCP or not.
pub(crate) trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// A connection that neither connects nor reads for longer than the patience of the tests.
pub(crate) fn connect(address: impl ToSocketAddrs) -> Result<TcpStream, String> {
    let address: SocketAddr = address.to_socket_addrs().unwrap().next().unwrap();
    let stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    Ok(stream)
}

/// As [`connect`], for a socket in the file system.
pub(crate) fn connect_unix(path: &Path) -> Result<UnixStream, String> {
    let stream = UnixStream::connect(path).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    Ok(stream)
}

/// All that a server sends on a new connection.
pub(crate) fn read_all(mut stream: impl Stream) -> Result<String, String> {
    let mut text = String::new();
    stream.read_to_string(&mut text).map_err(|error| error.to_string())?;
    Ok(text)
}

/// The body of the answer to one request, on a connection of its own.
pub(crate) fn get(port: u16) -> Result<String, String> {
    get_path(port, "/")
}

/// As [`get`], of a path.
pub(crate) fn get_path(port: u16, path: &str) -> Result<String, String> {
    let mut stream = connect(("127.0.0.1", port))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
    let text = read_all(stream)?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| format!("no answer: {text:?}"))?;
    if head.starts_with("HTTP/1.1 200") { Ok(body.to_owned()) } else { Err(head.to_owned()) }
}
