//! A client of the daemon's socket, as small as can be. Its calls fail when the daemon dies; it says so.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::{Value, json};

use crate::home::PATIENCE;

/// A connection that has said hello.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    calls: u64,
}

impl Client {
    /// Says hello.
    ///
    /// # Errors
    /// No daemon is there, or it ends.
    pub fn connect(home: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(home.join("rpc.sock"))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut client = Self { stream, calls: 0 };
        client.write(&json!({ "hello": "rewake", "protocol": 1, "version": "0.1.0" }))?;
        client.read()?;
        Ok(client)
    }

    /// The reply to one request, an error among them.
    ///
    /// # Errors
    /// The daemon ends the connection.
    pub fn request(&mut self, request: &Value) -> io::Result<Value> {
        self.call(&json!({ "request": request }))
    }

    /// The reply to one call.
    ///
    /// # Errors
    /// The daemon ends the connection.
    pub fn call(&mut self, call: &Value) -> io::Result<Value> {
        self.calls += 1;
        self.write(&json!({ "id": self.calls, "call": call }))?;
        self.read()
    }

    /// The next frame.
    ///
    /// # Errors
    /// The daemon ends the connection.
    pub fn read(&mut self) -> io::Result<Value> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut bytes = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut bytes)?;
        serde_json::from_slice(&bytes).map_err(io::Error::other)
    }

    fn write(&mut self, frame: &Value) -> io::Result<()> {
        let text = frame.to_string();
        self.stream.write_all(&u32::try_from(text.len()).map_err(io::Error::other)?.to_be_bytes())?;
        self.stream.write_all(text.as_bytes())
    }
}
