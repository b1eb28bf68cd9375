//! Lines on their way to the system's log, by a thread of its own. Never holds up the logs or an app: what waits is bounded, and what does not
//! fit, or finds nobody who takes it, is counted and told there as soon as somebody does.

use std::collections::HashMap;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use jiff::Zoned;
use rewake_wire::{Stream, SystemLog};

use super::system_form::Said;

const JOURNAL: &str = "/run/systemd/journal/socket";
const SYSLOG: &str = "/dev/log";
/// Lines, and bytes of them, that wait at most.
const MOST_LINES: usize = 8192;
const MOST_BYTES: usize = 4 << 20;
/// How long one line is tried before it is given up: a service that is being restarted is back by then.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often a service that was not there is looked for.
const AGAIN: Duration = Duration::from_millis(200);
/// How long the end waits for what still waits.
const LAST: Duration = Duration::from_secs(2);

/// The way to the thread, which is made for the first line.
#[derive(Debug, Default)]
pub(crate) struct Forwarder {
    way: Option<Way>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Way {
    lines: SyncSender<(SystemLog, Said)>,
    ended: Receiver<()>,
}

#[derive(Debug, Default)]
struct Shared {
    lost: AtomicU64,
    bytes: AtomicUsize,
}

impl Shared {
    fn lose(&self) {
        if self.lost.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!("lines do not reach the system's log; the log files have them");
        }
    }
}

impl Forwarder {
    /// Sends a line, soon. Never waits.
    pub(crate) fn forward(&mut self, to: &SystemLog, said: Said) {
        if self.way.is_none() {
            self.way = self.start();
        }
        let length = said.line.len();
        let fits = self.shared.bytes.load(Ordering::Relaxed) + length <= MOST_BYTES;
        let Some(way) = self.way.as_ref().filter(|_| fits) else { return self.shared.lose() };
        self.shared.bytes.fetch_add(length, Ordering::Relaxed);
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = way.lines.try_send((to.clone(), said)) {
            self.shared.bytes.fetch_sub(length, Ordering::Relaxed);
            self.shared.lose();
        }
    }

    fn start(&self) -> Option<Way> {
        let (lines, waiting) = sync_channel(MOST_LINES);
        let (end, ended) = sync_channel(1);
        let shared = Arc::clone(&self.shared);
        let spawned = std::thread::Builder::new().name("rewake-syslog".into()).spawn(move || {
            Sender { sockets: HashMap::new(), shared, last: None, refused: None }.run(&waiting);
            // Nobody may wait for it any more.
            let _ = end.send(());
        });
        spawned.inspect_err(|error| tracing::warn!("nothing reaches the system's log: {error}")).ok()?;
        Some(Way { lines, ended })
    }

    /// Waits for what still waits, within a bound.
    pub(crate) fn close(&mut self) {
        let Some(Way { lines, ended }) = self.way.take() else { return };
        drop(lines);
        let in_time = ended.recv_timeout(LAST).is_ok();
        let lost = self.shared.lost.load(Ordering::Relaxed);
        if !in_time || lost > 0 {
            tracing::warn!(lost, "the end has come before all lines have reached the system's log");
        }
    }
}

/// The thread's state.
struct Sender {
    sockets: HashMap<PathBuf, UnixDatagram>,
    shared: Arc<Shared>,
    /// Where the last line was for: there it is told what was lost.
    last: Option<SystemLog>,
    /// Nobody was there, as late as then: what comes next is tried but once.
    refused: Option<Instant>,
}

impl Sender {
    fn run(mut self, waiting: &Receiver<(SystemLog, Said)>) {
        loop {
            let received = if self.shared.lost.load(Ordering::Relaxed) == 0 {
                waiting.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                waiting.recv_timeout(AGAIN)
            };
            match received {
                Ok((to, said)) => {
                    self.shared.bytes.fetch_sub(said.line.len(), Ordering::Relaxed);
                    if !self.deliver(&to, &said) {
                        self.shared.lose();
                    }
                    self.last = Some(to);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.tell_lost(),
            }
            self.tell_lost();
        }
    }

    /// Says how many lines are missing, if somebody hears it.
    fn tell_lost(&mut self) {
        let lost = self.shared.lost.load(Ordering::Relaxed);
        let (Some(to), true) = (self.last.clone(), lost > 0) else { return };
        if self.refused.is_some_and(|at| at.elapsed() < AGAIN) {
            return;
        }
        let line = format!("[warn] {lost} lines of output have not reached this log; the log files have them");
        let said = Said { app: "rewake".into(), id: 0, run: 0, stream: Stream::Out, line };
        if self.send(&to, &said).is_ok() {
            self.refused = None;
            self.shared.lost.fetch_sub(lost, Ordering::Relaxed);
        } else {
            self.refused = Some(Instant::now());
        }
    }

    /// Tries for a while. While nobody is there, all that comes would wait as long: then each line has one try.
    fn deliver(&mut self, to: &SystemLog, said: &Said) -> bool {
        let begun = Instant::now();
        loop {
            match self.send(to, said) {
                Ok(()) => {
                    self.refused = None;
                    return true;
                }
                Err(error) => {
                    if self.refused.is_some() || begun.elapsed() > PATIENCE {
                        if self.refused.is_none() {
                            tracing::warn!("the system's log takes nothing: {error}");
                        }
                        self.refused = Some(Instant::now());
                        return false;
                    }
                    std::thread::sleep(AGAIN);
                }
            }
        }
    }

    fn send(&mut self, to: &SystemLog, said: &Said) -> io::Result<()> {
        let (path, is_journal) = place(to);
        let datagram = if is_journal { said.journal() } else { said.syslog(&Zoned::now()) };
        if let Some(socket) = self.sockets.get(&path) {
            match socket.send(&datagram) {
                Ok(_) => return Ok(()),
                // Full: whoever reads is slow. Another socket would not help.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
                // It was made anew.
                Err(_) => drop(self.sockets.remove(&path)),
            }
        }
        let socket = UnixDatagram::unbound()?;
        socket.connect(&path)?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.send(&datagram)?;
        self.sockets.insert(path, socket);
        Ok(())
    }
}

/// Whom a line is for, and whether it is a journal.
fn place(to: &SystemLog) -> (PathBuf, bool) {
    let path = |path: &Option<String>, usual: &str| path.as_deref().unwrap_or(usual).into();
    match to {
        SystemLog::Any if Path::new(JOURNAL).exists() => (JOURNAL.into(), true),
        SystemLog::Any => (SYSLOG.into(), false),
        SystemLog::Journal { path: at } => (path(at, JOURNAL), true),
        SystemLog::Syslog { path: at } => (path(at, SYSLOG), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: impl Into<String>) -> Said {
        Said { app: "a".into(), id: 0, run: 1, stream: Stream::Out, line: line.into() }
    }

    fn text(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 70_000];
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let count = socket.recv(&mut buffer).expect("a datagram comes within the bound");
        String::from_utf8_lossy(&buffer[..count]).into_owned()
    }

    #[test]
    fn what_nobody_reads_is_bounded_and_counted_exactly() {
        const ALL: u64 = 30_000;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let server = UnixDatagram::bind(&path).unwrap();
        let to = SystemLog::Syslog { path: path.to_str().map(str::to_owned) };
        let mut forwarder = Forwarder::default();
        let begun = Instant::now();
        for at in 0..ALL {
            forwarder.forward(&to, said(format!("line {at}")));
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "nobody waits, as each would for seconds");
        let (mut seen, mut lost) = (0, 0);
        while seen + lost < ALL {
            let text = text(&server);
            match text.split_once("[warn] ") {
                Some((_, note)) => lost += note.split(' ').next().unwrap().parse::<u64>().unwrap(),
                None => seen += 1,
            }
        }
        assert_eq!(seen + lost, ALL);
        assert!(lost > 0 && seen >= 1);
        forwarder.close();
    }

    #[test]
    fn a_service_that_comes_back_is_told_what_it_has_missed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let to = SystemLog::Journal { path: path.to_str().map(str::to_owned) };
        let first = UnixDatagram::bind(&path).unwrap();
        let mut forwarder = Forwarder::default();
        forwarder.forward(&to, said("one"));
        assert!(text(&first).contains("MESSAGE=one\n"));
        drop(first);
        std::fs::remove_file(&path).unwrap();
        forwarder.forward(&to, said("two"));
        let begun = Instant::now();
        while forwarder.shared.lost.load(Ordering::Relaxed) == 0 {
            assert!(begun.elapsed() < Duration::from_secs(60), "it is given up within its bound");
            std::thread::sleep(Duration::from_millis(5));
        }
        let second = UnixDatagram::bind(&path).unwrap();
        assert!(text(&second).contains("MESSAGE=[warn] 1 lines of output"));
        forwarder.forward(&to, said("three"));
        assert!(text(&second).contains("MESSAGE=three\n"));
        forwarder.close();
    }
}
