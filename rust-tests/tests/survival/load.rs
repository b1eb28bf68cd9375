//! Requests without end, until stopped. Counts failures instead of hiding them.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two requests of one thread: others of this machine's tests want to run, too.
const PACE: Duration = Duration::from_millis(2);

/// A server that answers with its pid.
pub(crate) const SERVER: &str = "
require('http').createServer((q, r) => r.end(String(process.pid))).listen(+process.env.PORT);
";

/// A port that nobody used a moment ago. Below the range from which Linux takes ports for outgoing connections: one of the many that
/// loads make would be in the way.
pub(crate) fn free_port() -> u16 {
    let start = RandomState::new().build_hasher().finish() % 12_000;
    let port = |at: u64| u16::try_from(20_000 + (start + at) % 12_000).unwrap();
    (0..12_000).map(port).find(|port| TcpListener::bind(("0.0.0.0", *port)).is_ok()).expect("a free port")
}

/// One request on a connection of its own.
pub(crate) fn get(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    if text.starts_with("HTTP/1.1 200") { Ok(text) } else { Err(std::io::Error::other(format!("{text:?}"))) }
}

pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(u64, Vec<String>)>,
}

impl Load {
    pub(crate) fn begin(port: u16) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (mut answered, mut failed) = (0, Vec::new());
            while !stopped.load(Ordering::Relaxed) {
                match get(port) {
                    Ok(_) => answered += 1,
                    Err(error) => failed.push(format!("port {port}: {error}")),
                }
                std::thread::sleep(PACE);
            }
            (answered, failed)
        });
        Self { stop, thread }
    }

    /// Ends it; every request must have been answered.
    pub(crate) fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let (answered, failed) = self.thread.join().unwrap();
        assert_eq!(failed, Vec::<String>::new(), "{answered} answered");
        answered
    }
}
