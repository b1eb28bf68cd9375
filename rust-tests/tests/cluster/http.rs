//! A small HTTP client: one request a connection, with a bound. It counts failures instead of hiding them.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rust_tests::net::connect_from;

/// Between two requests of one thread of a load.
const PACE: Duration = Duration::from_millis(1);

/// A port that nobody used a moment ago. Below the range from which Linux takes ports for outgoing connections: one of the many that
/// loads make would be in the way.
pub(crate) fn free_port() -> u16 {
    let start = RandomState::new().build_hasher().finish() % 12_000;
    let port = |at: u64| u16::try_from(20_000 + (start + at) % 12_000).unwrap();
    (0..12_000).map(port).find(|port| TcpListener::bind(("0.0.0.0", *port)).is_ok()).expect("a free port")
}

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
    stream.set_read_timeout(Some(Duration::from_secs(10))).map_err(error)?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(error)?;
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
    pub(crate) slowest: Duration,
}

impl Load {
    pub(crate) fn begin(port: u16, threads: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let run = |_| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                let mut counted = Counted::default();
                while !stop.load(Ordering::Relaxed) {
                    let asked = Instant::now();
                    let answer = get(port);
                    counted.slowest = counted.slowest.max(asked.elapsed());
                    match answer {
                        Ok(_) => counted.answered += 1,
                        Err(error) => counted.failed.push(error),
                    }
                    // Others of this machine's tests want to run, too.
                    std::thread::sleep(PACE);
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
            all.slowest = all.slowest.max(one.slowest);
            all
        })
    }
}

/// Scripts of the tests, by what they do. Each answers with its pid.
pub(crate) const SERVER: &str = "
const http = require('http');
http.createServer((q, r) => setTimeout(() => r.end(String(process.pid)), +(process.env.DELAY || 0))).listen(+process.env.PORT);
";
