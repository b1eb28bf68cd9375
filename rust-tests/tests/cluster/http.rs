//! A small HTTP client: one request a connection, with a bound. It counts failures instead of hiding them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A port that nobody used a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The body of the answer to one request on a connection of its own.
pub(crate) fn get(port: u16) -> Result<String, String> {
    let error = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(error)?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).map_err(error)?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").map_err(error)?;
    let mut text = String::new();
    stream.read_to_string(&mut text).map_err(error)?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| format!("no answer: {text:?}"))?;
    if head.starts_with("HTTP/1.1 200") { Ok(body.trim().to_owned()) } else { Err(head.to_owned()) }
}

/// Requests without end, from several threads, until stopped.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Counted>>,
}

/// What came of a load.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    pub(crate) answered: u64,
    pub(crate) failed: Vec<String>,
}

impl Load {
    pub(crate) fn begin(port: u16, threads: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let run = |_| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                let mut counted = Counted::default();
                while !stop.load(Ordering::Relaxed) {
                    match get(port) {
                        Ok(_) => counted.answered += 1,
                        Err(error) => counted.failed.push(error),
                    }
                }
                counted
            })
        };
        let threads = (0..threads).map(run).collect();
        Self { stop, threads }
    }

    pub(crate) fn end(self) -> Counted {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().map(|thread| thread.join().unwrap()).fold(Counted::default(), |mut all, one| {
            all.answered += one.answered;
            all.failed.extend(one.failed);
            all
        })
    }
}

/// Scripts of the tests, by what they do. Each answers with its pid.
pub(crate) const SERVER: &str = "
const http = require('http');
http.createServer((q, r) => setTimeout(() => r.end(String(process.pid)), +(process.env.DELAY || 0))).listen(+process.env.PORT);
";
