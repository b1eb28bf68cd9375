//! The thread that carries output from spools to logs: a disk that hangs, or eight apps at full speed, never delay the loop.
//! Sleeps without a timer when nothing is written.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use rewake_unix::events::{Events, Waker, Watch, Write, Writes};
use rewake_wire::ExitRecord;
use tokio::sync::oneshot;

use super::history::History;
use super::ledger::{Key, Place, Record};
use super::rotate::Rules;
use super::stream::{NewStream, Step, Stream, Tools};
use super::watched::{Doing, Watched};

/// What one stream may move before the others get their turn.
const SLICE: u64 = 1 << 20;
/// How long after the last byte a stream is looked at again before it is waited for: a program that writes line by line would
/// else cost two calls and a switch a line. Small beside what people notice, long beside a line.
const PACE: Duration = Duration::from_millis(5);
/// The same for a pipe, which holds the program back when it is full.
const PIPE_PACE: Duration = Duration::from_millis(1);
/// Streams of ended runs that something else still holds open, each a descriptor. The oldest go.
const MOST_LEFT_OPEN: usize = 128;

/// Names of what wakes the thread; streams have numbers above.
const WAKER: u64 = 0;
const WRITES: u64 = 1;
const FIRST_STREAM: u64 = 2;

/// What the loop tells the thread.
#[derive(Debug)]
pub(crate) enum Order {
    Carry(Box<NewStream>),
    /// The run is about to be told ended; this is to be remembered of it, with its last lines.
    Remember(Box<ExitRecord>),
    /// The run has ended.
    Ended {
        run: u64,
    },
    /// The keeper was told to forget the run: no other daemon will hear of it.
    Released {
        run: u64,
    },
    /// All that is remembered.
    History(oneshot::Sender<Vec<ExitRecord>>),
    /// All runs that an earlier daemon left have been taken up.
    Settled,
    /// Whoever is to see all output is there.
    Begin,
    /// Put files aside.
    Rotate(Vec<(PathBuf, Rules)>, oneshot::Sender<Vec<PathBuf>>),
    /// Answered when what these runs have written is in their logs, or one of those cannot be written now.
    Await(BTreeSet<u64>, oneshot::Sender<()>),
    /// Open the files anew by their paths.
    Reopen(oneshot::Sender<()>),
    /// Carry what there is, and end.
    Close(oneshot::Sender<()>),
    /// End, and leave the rest to the next daemon.
    Leave(oneshot::Sender<()>),
}

/// What the thread tells the loop.
#[derive(Debug)]
pub(crate) enum Said {
    /// All that an ended run had written when it ended is in its logs.
    Drained { run: u64 },
}

/// The thread's state.
pub(crate) struct Carrier {
    pub(crate) tools: Tools,
    pub(crate) found: Vec<(Place, Record)>,
    pub(crate) waker: Arc<Waker>,
    pub(crate) orders: mpsc::Receiver<Order>,
    pub(crate) said: tokio::sync::mpsc::UnboundedSender<Said>,
    events: Events,
    writes: Option<Writes>,
    streams: BTreeMap<Key, Watched>,
    numbers: HashMap<u64, Key>,
    watches: HashMap<Watch, Key>,
    next_number: u64,
    ended: BTreeSet<u64>,
    /// Where the ledger says of streams that are over that they are. A daemon that dies now leaves their runs to the next one, which must
    /// not carry them again.
    over: BTreeMap<Key, Place>,
    history: History,
    /// Of runs that have ended and whose last lines are still being looked for.
    records: BTreeMap<u64, ExitRecord>,
    awaited: Vec<(BTreeSet<u64>, oneshot::Sender<()>)>,
    closing: Option<oneshot::Sender<()>>,
    /// Nothing is carried yet.
    waits: bool,
}

impl Carrier {
    pub(crate) fn new(
        tools: Tools,
        found: Vec<(Place, Record)>,
        waker: Arc<Waker>,
        orders: mpsc::Receiver<Order>,
        said: tokio::sync::mpsc::UnboundedSender<Said>,
        history: History,
    ) -> io::Result<Self> {
        let events = Events::new()?;
        events.add(waker.as_fd(), WAKER)?;
        Ok(Self {
            tools,
            found,
            waker,
            orders,
            said,
            events,
            writes: None,
            streams: BTreeMap::new(),
            numbers: HashMap::new(),
            watches: HashMap::new(),
            next_number: FIRST_STREAM,
            ended: BTreeSet::new(),
            over: BTreeMap::new(),
            history,
            records: BTreeMap::new(),
            awaited: Vec::new(),
            closing: None,
            waits: true,
        })
    }

    /// Carries until told to end, or until nobody is left who could tell.
    pub(crate) fn run(mut self) {
        loop {
            let ready = match self.events.wait(self.timeout()) {
                Ok(ready) => ready,
                Err(error) => {
                    tracing::error!("cannot wait for output: {error}");
                    std::thread::sleep(Duration::from_secs(1));
                    Vec::new()
                }
            };
            for name in ready {
                match name {
                    WAKER => {
                        self.waker.clear();
                        if !self.take_orders() {
                            return;
                        }
                    }
                    WRITES => self.take_writes(),
                    number => self.wake(self.numbers.get(&number).copied()),
                }
            }
            if self.waits {
                continue;
            }
            self.turn();
            self.look_at_ended();
            self.look_at_awaited();
            let settled = |watched: &Watched| watched.is_at_rest() || watched.stream.is_stuck();
            if self.closing.is_some() && self.streams.values().all(settled) {
                return self.end();
            }
        }
    }

    /// How long to sleep; `None`: until something happens.
    fn timeout(&self) -> Option<Duration> {
        if self.waits {
            return None;
        }
        let now = Instant::now();
        let mut next: Option<Instant> = None;
        for watched in self.streams.values() {
            match watched.doing {
                Doing::Busy => return Some(Duration::ZERO),
                Doing::LookAt(at) => next = Some(next.map_or(at, |next| next.min(at))),
                Doing::Asleep => {}
            }
            if watched.stream.is_stuck() {
                next = next.into_iter().chain(watched.stream.retry_at(&self.tools.files)).min();
            }
        }
        next.map(|at| at.saturating_duration_since(now))
    }

    /// False: everybody is gone, or about to go.
    fn take_orders(&mut self) -> bool {
        loop {
            match self.orders.try_recv() {
                Ok(Order::Carry(new)) => self.carry(*new),
                Ok(Order::Remember(record)) => drop(self.records.insert(record.run, *record)),
                Ok(Order::History(answer)) => {
                    // Whoever asked may have gone.
                    let _ = answer.send(self.history.read());
                }
                Ok(Order::Ended { run }) => self.run_ended(run),
                Ok(Order::Released { run }) => self.run_released(run),
                Ok(Order::Settled) => {
                    for (place, _) in std::mem::take(&mut self.found) {
                        self.tools.ledger.forget(place);
                    }
                }
                Ok(Order::Begin) => self.waits = false,
                Ok(Order::Rotate(paths, answer)) => {
                    let names = self.tools.files.rotate(&paths, Instant::now());
                    // Whoever asked may have gone.
                    let _ = answer.send(names);
                }
                Ok(Order::Await(runs, answer)) => {
                    for run in &runs {
                        self.of_run(*run).for_each(|watched| watched.doing = Doing::Busy);
                    }
                    self.awaited.push((runs, answer));
                }
                Ok(Order::Reopen(answer)) => {
                    self.tools.files.reopen();
                    // Whoever asked may have gone.
                    let _ = answer.send(());
                }
                Ok(Order::Close(answer)) => {
                    self.closing = Some(answer);
                    self.waits = false;
                    for watched in self.streams.values_mut() {
                        watched.stream.ended = true;
                        watched.doing = Doing::Busy;
                    }
                }
                Ok(Order::Leave(answer)) => {
                    // Nothing is being written now, and the ledger says how far each stream has come. Only whoever watches gets a line
                    // in two: the next daemon does not know its beginning.
                    self.streams.values_mut().for_each(|watched| watched.stream.tell_rest(&mut self.tools));
                    self.tools.forwarder.close();
                    let _ = answer.send(());
                    return false;
                }
                Err(mpsc::TryRecvError::Empty) => return true,
                Err(mpsc::TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn carry(&mut self, new: NewStream) {
        let key = new.key;
        let found = self.found.iter().position(|(_, record)| record.key == key).map(|at| self.found.swap_remove(at));
        let mut stream = Stream::new(new, found, &mut self.tools);
        let number = self.next_number;
        self.next_number += 1;
        if let Some(pipe) = &stream.spool.pipe {
            if let Err(error) = self.events.add_once(pipe.as_fd(), number) {
                tracing::error!("output cannot be waited for: {error}");
            }
        } else if stream.closed_at.is_none() {
            stream.watch = self.watch(&stream, false);
            self.watches.extend(stream.watch.map(|watch| (watch, key)));
            // What was closed before it was watched would never be told.
            stream.look_whether_closed();
        }
        self.numbers.insert(number, key);
        self.streams
            .insert(key, Watched { stream, number, doing: Doing::Busy, armed: false, seen: 0, released: false });
    }

    fn watch(&mut self, stream: &Stream, written: bool) -> Option<Watch> {
        if self.writes.is_none() {
            self.writes = self.open_writes();
        }
        match self.writes.as_ref()?.watch(stream.spool.file().as_fd(), written) {
            Ok(watch) => Some(watch),
            Err(error) => {
                tracing::warn!("an output cannot be watched and is looked at often instead: {error}");
                None
            }
        }
    }

    fn open_writes(&self) -> Option<Writes> {
        let opened = Writes::new().and_then(|writes| self.events.add(writes.as_fd(), WRITES).map(|()| writes));
        opened.inspect_err(|error| tracing::warn!("outputs cannot be watched: {error}")).ok()
    }

    fn run_ended(&mut self, run: u64) {
        self.ended.insert(run);
        for watched in self.of_run(run) {
            watched.stream.ended = true;
            watched.doing = Doing::Busy;
        }
    }

    fn run_released(&mut self, run: u64) {
        self.of_run(run).for_each(|watched| watched.released = true);
        for err in [false, true] {
            if let Some(place) = self.over.remove(&Key { run, err }) {
                self.tools.ledger.forget(place);
            }
        }
    }

    fn of_run(&mut self, run: u64) -> impl Iterator<Item = &mut Watched> {
        self.streams.range_mut(Key { run, err: false }..=Key { run, err: true }).map(|(_, watched)| watched)
    }

    fn take_writes(&mut self) {
        let all = self.writes.as_ref().map(Writes::read);
        for write in all.into_iter().flatten().flatten() {
            match write {
                Write::Written(watch) => self.wake(self.watches.get(&watch).copied()),
                Write::Closed(watch) => {
                    let key = self.watches.get(&watch).copied();
                    if let Some(watched) = key.and_then(|key| self.streams.get_mut(&key)) {
                        watched.stream.closed_at = watched.stream.spool.end().ok();
                        watched.doing = Doing::Busy;
                    }
                }
                Write::Lost => {
                    self.streams.values_mut().for_each(|watched| watched.stream.look_whether_closed());
                    self.wake_all();
                }
            }
        }
    }

    fn wake(&mut self, key: Option<Key>) {
        if let Some(watched) = key.and_then(|key| self.streams.get_mut(&key)) {
            watched.doing = Doing::Busy;
        }
    }

    fn wake_all(&mut self) {
        for watched in self.streams.values_mut() {
            watched.doing = Doing::Busy;
        }
    }

    /// Each stream that has something to do does a slice of it.
    fn turn(&mut self) {
        let now = Instant::now();
        let files = &self.tools.files;
        let retries = |stream: &Stream| stream.is_stuck() && stream.retry_at(files).is_some_and(|at| at <= now);
        let due = |watched: &Watched| match watched.doing {
            Doing::Busy => true,
            Doing::LookAt(at) => at <= now || retries(&watched.stream),
            Doing::Asleep => retries(&watched.stream),
        };
        let keys: Vec<Key> = self.streams.iter().filter(|(_, watched)| due(watched)).map(|(&key, _)| key).collect();
        for key in keys {
            self.slice(key, now);
        }
        if self.tools.files.take_freed() {
            self.wake_all();
        }
        if self.streams.values().all(|watched| watched.doing == Doing::Asleep) {
            self.tools.rest();
        }
    }

    fn slice(&mut self, key: Key, now: Instant) {
        let Some(watched) = self.streams.get_mut(&key) else { return };
        watched.disarm(self.writes.as_ref());
        let mut moved = 0;
        loop {
            match watched.stream.step(now, &mut self.tools) {
                Step::Moved(bytes) if moved + bytes < SLICE => moved += bytes.max(1),
                Step::Moved(_) => {
                    watched.doing = Doing::Busy;
                    return;
                }
                Step::Caught(bytes) => break moved += bytes.max(1),
                Step::Rest | Step::Held | Step::Stuck => break,
            }
        }
        if watched.stream.is_over() && watched.stream.is_done() {
            return self.remove(key);
        }
        let end = watched.stream.spool.end().unwrap_or(0);
        if moved > 0 || end != watched.seen {
            // It may be in full flow: it is looked at again soon instead of waking us for each line.
            watched.seen = end;
            let pace = if watched.stream.spool.pipe.is_some() { PIPE_PACE } else { PACE };
            watched.doing = Doing::LookAt(now + pace);
            return;
        }
        watched.doing = watched.arm(self.writes.as_ref(), &self.events, now);
    }

    fn remove(&mut self, key: Key) {
        let Some(watched) = self.streams.remove(&key) else { return };
        self.numbers.remove(&watched.number);
        if let Some(watch) = watched.stream.watch {
            self.watches.remove(&watch);
            if let Some(writes) = &self.writes {
                writes.forget(watch);
            }
        }
        if let Some(pipe) = &watched.stream.spool.pipe {
            // The keeper has it open, too.
            self.events.remove(pipe.as_fd());
        }
        if let Some(record) = self.records.get_mut(&key.run) {
            watched.give_tail(key, record);
        }
        let released = watched.released;
        let place = watched.stream.finish(Instant::now(), &mut self.tools);
        if released {
            self.tools.ledger.forget(place);
        } else {
            self.over.insert(key, place);
        }
    }

    /// Tells of ended runs whose output is in the logs, and lets go of the oldest that others hold open when there are many.
    fn look_at_ended(&mut self) {
        let ended: Vec<u64> = self.ended.iter().copied().collect();
        for run in ended {
            self.remember(run);
            if self.of_run(run).all(|watched| watched.is_at_rest()) {
                self.ended.remove(&run);
                // The loop may have ended.
                let _ = self.said.send(Said::Drained { run });
            }
        }
        let left_open = |watched: &Watched| watched.stream.ended && watched.is_at_rest();
        if self.streams.len() > MOST_LEFT_OPEN {
            let open: Vec<Key> =
                self.streams.iter().filter(|(_, watched)| left_open(watched)).map(|(&key, _)| key).collect();
            for key in open.iter().take(open.len().saturating_sub(MOST_LEFT_OPEN)) {
                self.remove(*key);
            }
        }
    }

    fn look_at_awaited(&mut self) {
        for (runs, answer) in std::mem::take(&mut self.awaited) {
            let settled = |watched: &mut Watched| watched.is_at_rest() || watched.stream.is_stuck();
            if runs.iter().all(|run| self.of_run(*run).all(settled)) {
                // Whoever asked may have gone.
                let _ = answer.send(());
            } else {
                self.awaited.push((runs, answer));
            }
        }
    }

    /// Writes down how a run has ended, once all that it wrote has been seen; whether it is in a log does not matter.
    fn remember(&mut self, run: u64) {
        if self.of_run(run).any(|watched| watched.doing == Doing::Busy) {
            return;
        }
        let Some(mut record) = self.records.remove(&run) else { return };
        for err in [false, true] {
            let key = Key { run, err };
            if let Some(watched) = self.streams.get(&key) {
                watched.give_tail(key, &mut record);
            }
        }
        self.history.add(&record);
    }

    fn end(mut self) {
        for key in self.streams.keys().copied().collect::<Vec<_>>() {
            self.remove(key);
        }
        self.tools.forwarder.close();
        if let Some(answer) = self.closing.take() {
            let _ = answer.send(());
        }
    }
}
