//! Numbered messages to an app without end, and from it: what was acknowledged arrives, in order and once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rust_tests::client::Client;
use rust_tests::home::until;
use serde_json::json;

/// Above what a socket's buffer holds: it is written and read in parts.
const LARGE: usize = 400_000;
/// Every so many messages is large.
const EVERY: u64 = 40;
/// Between two messages, or two tries to have somebody to send them to.
const PACE: Duration = Duration::from_millis(2);

/// Notes the number of each message it gets, and says numbered ones itself, many of them too large for a socket's buffer.
pub(crate) const TALKER: &str = "
const fs = require('fs');
process.on('message', (m) => fs.appendFileSync('got.log', m.n + '\\n'));
let n = 0;
setInterval(() => process.send({ said: n, pad: 'x'.repeat(n++ % 40 ? 10 : 400000) }), 3);
";

/// What the two threads and their owner share.
#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    sent: AtomicU64,
    heard: AtomicU64,
}

impl Shared {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn counts(&self) -> [u64; 2] {
        [self.sent.load(Ordering::Relaxed), self.heard.load(Ordering::Relaxed)]
    }
}

/// The numbers of messages, by what was said of them.
#[derive(Debug, Default)]
struct Sent {
    acknowledged: BTreeSet<u64>,
    /// The app was slow to read what came before.
    refused: BTreeSet<u64>,
}

/// Sends until stopped.
pub(crate) struct Messages {
    shared: Arc<Shared>,
    sender: JoinHandle<Sent>,
    listener: JoinHandle<()>,
    got: PathBuf,
}

impl Messages {
    pub(crate) fn begin(home: PathBuf, folder: &Path) -> Self {
        let shared = Arc::new(Shared::default());
        let (first, second) = (Arc::clone(&shared), Arc::clone(&shared));
        let other_home = home.clone();
        let sender = std::thread::spawn(move || send(&home, &first));
        let listener = std::thread::spawn(move || listen(&other_home, &second));
        Self { shared, sender, listener, got: folder.join("got.log") }
    }

    /// Until so many more have gone each way.
    pub(crate) fn wait_for(&self, more: u64) {
        let before = self.shared.counts();
        until("messages go both ways", || {
            self.shared.counts().iter().zip(before).all(|(now, then)| now - then >= more)
        });
    }

    /// Ends it, after no less than fifty each way. All that was acknowledged has arrived, in order and once, and nothing that was refused.
    pub(crate) fn end(self) {
        until("enough messages went both ways", || self.shared.counts().iter().all(|count| *count > 50));
        self.shared.stop.store(true, Ordering::Relaxed);
        let Sent { acknowledged, refused } = self.sender.join().unwrap();
        self.listener.join().unwrap();
        let got = || -> Vec<u64> {
            let text = std::fs::read_to_string(&self.got).unwrap_or_default();
            text.lines().map(|line| line.parse().unwrap()).collect()
        };
        until("the last message has arrived", || got().last() >= acknowledged.last());
        let got = got();
        let wrong: Vec<&[u64]> = got.windows(2).filter(|pair| pair[0] >= pair[1]).collect();
        assert!(wrong.is_empty(), "twice, or out of order: {wrong:?}");
        let got: BTreeSet<u64> = got.into_iter().collect();
        let lost: Vec<&u64> = acknowledged.difference(&got).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
        assert!(refused.is_disjoint(&got), "refused and sent all the same: {refused:?}");
    }
}

/// Sends one message after the other.
fn send(home: &Path, shared: &Shared) -> Sent {
    let mut sent = Sent::default();
    let mut number = 0;
    while shared.goes_on() {
        std::thread::sleep(PACE);
        let Ok(mut client) = Client::connect(home) else { continue };
        while shared.goes_on() {
            number += 1;
            let pad = "x".repeat(if number % EVERY == 0 { LARGE } else { 10 });
            let message = json!({ "send": { "target": "talker", "message": { "n": number, "pad": pad } } });
            let Ok(reply) = client.request(&message) else { break };
            if reply["error"]["error"]["code"] == "SHUTTING_DOWN" {
                // It gives way to another executable.
                break;
            }
            let slot = &reply["reply"]["reply"]["done"]["slots"][0];
            std::thread::sleep(PACE);
            if slot["error"]["code"] == "QUEUE_FULL" {
                sent.refused.insert(number);
                continue;
            }
            assert!(slot.is_object() && slot["error"].is_null(), "{reply}");
            sent.acknowledged.insert(number);
            shared.sent.fetch_add(1, Ordering::Relaxed);
        }
    }
    sent
}

/// Within one subscription there is no gap but what this thread was too slow for, of which it is told, and nothing comes twice.
fn listen(home: &Path, shared: &Shared) {
    while shared.goes_on() {
        std::thread::sleep(PACE);
        let Ok(mut client) = Client::connect(home) else { continue };
        let subscribe = json!({ "subscribe": { "events": false, "messages": true, "logs": null, "target": "talker" } });
        let Ok(reply) = client.call(&subscribe) else { continue };
        if reply["error"]["error"]["code"] == "SHUTTING_DOWN" {
            continue;
        }
        assert_eq!(reply["reply"]["reply"], "subscribed", "{reply}");
        let mut last: Option<u64> = None;
        while let Ok(frame) = client.read()
            && shared.goes_on()
        {
            for item in frame["items"]["items"].as_array().into_iter().flatten() {
                if let Some(missed) = item["missed"]["count"].as_u64() {
                    last = last.map(|last| last + missed);
                    continue;
                }
                let said = item["message"]["data"]["said"].as_u64();
                assert!(said.is_some(), "{item}");
                assert!(last.is_none_or(|last| said == Some(last + 1)), "{said:?} follows {last:?}");
                last = said;
                shared.heard.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
