//! Requests without end against an app, counted. A failure is counted, never hidden.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::home::until;

/// Clients that ask until they are stopped.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
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
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let client = |_| {
            let (stop, so_far) = (Arc::clone(&stop), Arc::clone(&answered));
            std::thread::spawn(move || {
                let mut counted = Counted::default();
                while !stop.load(Ordering::Relaxed) {
                    let asked = Instant::now();
                    let answer = ask();
                    counted.slowest = counted.slowest.max(asked.elapsed());
                    match answer {
                        Ok(answered) => {
                            counted.answered += answered;
                            so_far.fetch_add(answered, Ordering::Relaxed);
                        }
                        Err(error) => counted.failed.push(error),
                    }
                    std::thread::sleep(pace);
                }
                counted
            })
        };
        Self { clients: (0..clients).map(client).collect(), stop, answered }
    }

    /// As [`Load::end`], but not before so many requests were answered: a quick machine may have done with what is tested earlier.
    ///
    /// # Panics
    /// When they are not within the patience of the tests, or a client has.
    #[must_use]
    pub fn end_after(self, answered: u64) -> Counted {
        until("enough requests were answered", || self.answered.load(Ordering::Relaxed) >= answered);
        self.end()
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
