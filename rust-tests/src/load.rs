//! Requests without end against an app, counted. A failure is counted, never hidden.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Clients that ask until they are stopped.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Counted>>,
}

/// What came of a load.
#[derive(Debug, Default)]
pub struct Counted {
    /// Requests.
    pub answered: u64,
    /// Why those failed that did.
    pub failed: Vec<String>,
    /// What took longest of what was asked in one go.
    pub slowest: Duration,
}

impl Load {
    /// So many clients, each on a thread of its own, that do this again and again and rest for `pace` in between: others want to run,
    /// too. `ask` tells how many requests were answered, or why one was not.
    pub fn begin(
        clients: usize,
        pace: Duration,
        ask: impl Fn() -> Result<u64, String> + Copy + Send + 'static,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let client = |_| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                let mut counted = Counted::default();
                while !stop.load(Ordering::Relaxed) {
                    let asked = Instant::now();
                    let answer = ask();
                    counted.slowest = counted.slowest.max(asked.elapsed());
                    match answer {
                        Ok(answered) => counted.answered += answered,
                        Err(error) => counted.failed.push(error),
                    }
                    std::thread::sleep(pace);
                }
                counted
            })
        };
        Self { clients: (0..clients).map(client).collect(), stop }
    }

    /// Ends it when what is under way has been answered.
    ///
    /// # Panics
    /// When a client has.
    #[must_use]
    pub fn end(self) -> Counted {
        self.stop.store(true, Ordering::Relaxed);
        self.clients.into_iter().map(|client| client.join().unwrap()).fold(Counted::default(), |mut all, one| {
            all.answered += one.answered;
            all.failed.extend(one.failed);
            all.slowest = all.slowest.max(one.slowest);
            all
        })
    }
}
