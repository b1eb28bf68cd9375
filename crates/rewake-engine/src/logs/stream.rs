//! One stream of one run on its way from its spool to its log files: exactly once, in order, also across the death of the daemon.
//! Never waits, and never takes more than a slice at a time.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Instant;

use rewake_unix::events::Watch;
use rewake_wire::{Event, LogLines, SystemLog};

use super::files::Files;
use super::ledger::{Intent, Key, Ledger, MOST_TARGETS, Place, Record, Spot, What};
use super::lines::{Lines, whole_characters, within};
use super::render::Format;
use super::rotate::Rules;
use super::spool::Spool;
use super::system::Forwarder;
use super::system_form::Said;
use crate::clock::epoch_ms;
use crate::subscribers::Subscribers;

/// What is written to a log at once. More gains nothing, less costs more calls.
const CHUNK: u64 = 256 << 10;
/// What is taken out of a pipe while the log keeps up; beyond it the pipe itself holds the program back.
const TAKEN_AHEAD: u64 = 1 << 20;
/// Buffers up to this size are kept while nothing is written.
const KEPT_BUFFER: usize = 16 << 10;
/// Another stream's unfinished line is waited for until this much has come.
const PATIENCE: u64 = 1 << 20;

/// A stream that is to be carried.
#[derive(Debug)]
pub(crate) struct NewStream {
    pub(crate) key: Key,
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) spool: OwnedFd,
    /// Where the spool gets its bytes from; `None`: the program writes to it itself.
    pub(crate) pipe: Option<OwnedFd>,
    pub(crate) targets: Vec<PathBuf>,
    pub(crate) format: Format,
    pub(crate) rules: Rules,
    /// The system's log, beside the files.
    pub(crate) system: Option<SystemLog>,
    /// The run has ended before this daemon began: nobody tells any more when its output is closed.
    pub(crate) over: bool,
}

/// One stream.
#[derive(Debug)]
pub(crate) struct Stream {
    key: Key,
    id: u32,
    name: String,
    pub(crate) spool: Spool,
    pub(crate) watch: Option<Watch>,
    targets: Vec<PathBuf>,
    format: Format,
    place: Place,
    cursor: u64,
    mid_line: bool,
    gap: Option<(u64, u64)>,
    /// Set between steps only while a log holds a part of it.
    pending: Option<Pending>,
    /// What the ledger says is being written.
    intent: Option<Intent>,
    lines: Lines,
    system: Option<(SystemLog, Lines)>,
    /// The run has ended: what has come so far is all that is waited for.
    pub(crate) ended: bool,
    /// Length of the spool when its last writer had closed it.
    pub(crate) closed_at: Option<u64>,
    stuck: bool,
}

#[derive(Debug, Clone, Copy)]
struct Pending {
    what: What,
    time_ms: u64,
    /// What each file holds of it already.
    written: [usize; MOST_TARGETS],
}

/// What carrying a stream needs.
#[derive(Debug)]
pub(crate) struct Tools {
    pub(crate) files: Files,
    pub(crate) ledger: Ledger,
    pub(crate) subscribers: Subscribers,
    pub(crate) forwarder: Forwarder,
    /// One pair of buffers for all streams; they grow to what is needed and are given back at rest.
    pub(crate) input: Vec<u8>,
    pub(crate) output: Vec<u8>,
}

/// How far a step has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// So many bytes are in the log, and there is more.
    Moved(u64),
    /// So many bytes are in the log; that is all that had come when it was looked.
    Caught(u64),
    /// There is nothing to carry.
    Rest,
    /// There is the beginning of a line, and it has to wait for its end, or for that of another stream's line.
    Held,
    /// A log cannot be written now.
    Stuck,
}

impl Tools {
    pub(crate) fn new(ledger: Ledger, subscribers: Subscribers) -> Self {
        Self {
            files: Files::default(),
            ledger,
            subscribers,
            forwarder: Forwarder::default(),
            input: Vec::new(),
            output: Vec::new(),
        }
    }

    /// Nothing is under way: the memory is given back.
    pub(crate) fn rest(&mut self) {
        for buffer in [&mut self.input, &mut self.output] {
            if buffer.capacity() > KEPT_BUFFER {
                *buffer = Vec::new();
            }
        }
    }
}

impl Stream {
    /// Takes a stream up, where an earlier daemon has left it if there is a record.
    pub(crate) fn new(new: NewStream, found: Option<(Place, Record)>, tools: &mut Tools) -> Self {
        for path in &new.targets {
            tools.files.enter(path, &new.rules);
        }
        let (place, record) =
            found.map_or_else(|| (tools.ledger.place(), None), |(place, record)| (place, Some(record)));
        let mut stream = Self {
            key: new.key,
            id: new.id,
            name: new.name,
            spool: Spool::new(new.spool, new.pipe),
            watch: None,
            targets: new.targets,
            format: new.format,
            place,
            cursor: record.map_or(0, |record| record.cursor),
            mid_line: record.is_some_and(|record| record.mid_line),
            gap: record.and_then(|record| record.gap),
            pending: None,
            intent: None,
            lines: Lines::default(),
            system: new.system.map(|system| (system, Lines::default())),
            ended: new.over,
            closed_at: None,
            stuck: false,
        };
        if new.over {
            stream.closed_at = stream.spool.end().ok();
        }
        match record.and_then(|record| record.pending) {
            Some(intent) => stream.go_on_with(intent, tools),
            None => stream.note(&tools.ledger),
        }
        stream
    }

    /// Whether nothing that has come is still to be carried.
    pub(crate) fn is_done(&self) -> bool {
        self.pending.is_none() && self.spool.end().is_ok_and(|end| end <= self.cursor)
    }

    /// Whether it cannot go on for a log's sake.
    pub(crate) fn is_stuck(&self) -> bool {
        self.stuck
    }

    /// When it is worth trying again, if it is stuck. A file that was never opened is not what it is stuck for.
    pub(crate) fn retry_at(&self, files: &Files) -> Option<Instant> {
        self.targets.iter().filter_map(|path| files.retry_at(path)).max()
    }

    /// Whether nothing can come any more.
    pub(crate) fn is_over(&self) -> bool {
        self.ended
            && self.spool.pipe.is_none()
            && self.closed_at.is_none_or(|at| self.spool.end().is_ok_and(|end| end <= at))
            && (self.closed_at.is_some() || self.watch.is_none())
    }

    /// Notes that the program's end is closed, if it is.
    pub(crate) fn look_whether_closed(&mut self) {
        if self.spool.pipe.is_none() && self.spool.is_closed() {
            self.closed_at = self.spool.end().ok();
        }
    }

    /// Carries a bit.
    pub(crate) fn step(&mut self, now: Instant, tools: &mut Tools) -> Step {
        self.take_in();
        let Ok(end) = self.spool.end() else { return Step::Rest };
        if end < self.cursor {
            // A program has opened its own output anew and cut it; it begins again.
            (self.cursor, self.gap, self.pending, self.intent) = (0, None, None, None);
            self.spool.begin_again();
        }
        self.bound(end, tools);
        let step = match self.pending {
            // Only what is in a log in part is taken up again.
            Some(pending) => match self.load(&pending, tools) {
                Ok(()) => self.carry(pending, end, now, tools),
                Err(_) => Step::Rest,
            },
            None => match self.begin(end, now, tools) {
                Begun::Yes(pending) => self.carry(pending, end, now, tools),
                Begun::No(step) => step,
            },
        };
        self.stuck = step == Step::Stuck;
        self.spool.release(self.cursor);
        step
    }

    /// The stream is over, or nobody is left to carry it. Where the ledger says so.
    pub(crate) fn finish(mut self, now: Instant, tools: &mut Tools) -> Place {
        for path in &self.targets {
            let cut = self.mid_line && (!matches!(self.format, Format::Raw) || tools.files.is_shared(path));
            tools.files.leave(path, self.key, cut, now);
        }
        self.tell_rest(tools);
        self.place
    }

    /// Tells whoever watches what has come of a line that has not ended.
    pub(crate) fn tell_rest(&mut self, tools: &mut Tools) {
        let system = self.system.as_mut().and_then(|(_, lines)| lines.rest()).into_iter().collect();
        self.forward(system, tools);
        let rest = self.lines.rest().into_iter().collect();
        self.publish(rest, tools);
    }

    /// Takes out of the pipe what there is, as long as the log keeps up. When it does not, too: the program must not wait for a disk.
    fn take_in(&mut self) {
        let Ok(end) = self.spool.end() else { return };
        if end.saturating_sub(self.cursor) >= TAKEN_AHEAD && !self.stuck {
            return;
        }
        if let Err(error) = self.spool.take_in(end) {
            // For want of memory: the pipe holds the program back until there is some.
            tracing::warn!(app = %self.name, "output waits in its pipe: {error}");
        }
    }

    /// Sees to it that what waits does not grow without bound: the oldest goes, whole lines, exactly counted.
    fn bound(&mut self, end: u64, tools: &mut Tools) {
        let waiting = end.saturating_sub(self.gap.map_or(self.cursor, |(_, to)| to));
        let Some(to) = self.spool.too_much(waiting, end) else { return };
        let from = self.gap.map_or_else(|| self.behind_pending(), |(from, _)| from);
        self.gap = Some((from, to.max(from)));
        self.note(&tools.ledger);
        if let Err(error) = self.spool.throw_away(from, to) {
            tracing::warn!(app = %self.name, "output that waits cannot be bounded: {error}");
        }
    }

    fn behind_pending(&self) -> u64 {
        match self.pending.map(|pending| pending.what) {
            None => self.cursor,
            Some(What::Bytes(length)) => self.cursor + length,
            Some(What::Note { to, .. }) => to,
        }
    }

    /// Chooses what is carried next.
    fn begin(&mut self, end: u64, now: Instant, tools: &mut Tools) -> Begun {
        let begun = |what| Pending { what, time_ms: epoch_ms(), written: [0; MOST_TARGETS] };
        if let Some((from, to)) = self.gap
            && from == self.cursor
        {
            if let Err(step) = self.claim(end, now, tools) {
                return Begun::No(step);
            }
            self.gap = None;
            let pending = begun(What::Note { count: to - from, to });
            self.pending = Some(pending);
            return match self.load(&pending, tools) {
                Ok(()) => Begun::Yes(pending),
                Err(_) => Begun::No(Step::Rest),
            };
        }
        let upto = self.gap.map_or(end, |(from, _)| from).min(self.cursor + CHUNK);
        let length = upto - self.cursor;
        if length == 0 {
            return Begun::No(Step::Rest);
        }
        if let Err(step) = self.claim(end, now, tools) {
            return Begun::No(step);
        }
        if let Err(error) = self.spool.read(self.cursor, length, &mut tools.input) {
            tracing::error!(app = %self.name, "output cannot be read: {error}");
            return Begun::No(Step::Rest);
        }
        let whole = self.format.needs_whole_lines() || self.targets.iter().any(|path| tools.files.is_shared(path));
        let take = if !whole {
            length
        } else if let Some(newline) = memchr::memrchr(b'\n', &tools.input) {
            newline as u64 + 1
        } else if length < CHUNK && !self.ended && self.gap.is_none() {
            return Begun::No(Step::Held);
        } else {
            // A line that is longer than a chunk goes in pieces, each of whole characters.
            whole_characters(&tools.input) as u64
        };
        let room = self.targets.iter().filter_map(|path| tools.files.get(path)?.room(now)).min();
        let take = room.map_or(take, |room| within(&tools.input[..usize::try_from(take).unwrap_or(0)], room));
        tools.input.truncate(usize::try_from(take).unwrap_or(usize::MAX));
        let pending = begun(What::Bytes(take));
        self.pending = Some(pending);
        Begun::Yes(pending)
    }

    /// Sees to it that all files can be written, and that no other stream is in the middle of a line there.
    fn claim(&self, end: u64, now: Instant, tools: &mut Tools) -> Result<(), Step> {
        for path in &self.targets {
            let Some(file) = tools.files.get(path) else { continue };
            if file.end_for_line(now).is_none() {
                return Err(Step::Stuck);
            }
            if file.reserved.is_some_and(|key| key != self.key) {
                if end - self.cursor < PATIENCE && !self.ended {
                    return Err(Step::Held);
                }
                file.add(b"\n", now);
                file.reserved = None;
            }
        }
        Ok(())
    }

    /// Writes what is pending, which is in the input buffer, to the files, or as much as they take.
    fn carry(&mut self, mut pending: Pending, come: u64, now: Instant, tools: &mut Tools) -> Step {
        let rendered = self.format.render(&tools.input, pending.time_ms, self.mid_line, &mut tools.output).is_some();
        let bytes = if rendered { &tools.output } else { &tools.input };
        let mut spots = [None; MOST_TARGETS];
        for ((path, spot), written) in self.targets.iter().zip(&mut spots).zip(&pending.written) {
            let Some(end) = tools.files.get(path).and_then(|file| file.end(now)) else {
                return self.interrupted(pending, tools);
            };
            *spot = Some(Spot { offset: end.offset.saturating_sub(*written as u64), ..end });
        }
        if spots.iter().any(Option::is_some) {
            let intent = Intent { what: pending.what, time_ms: pending.time_ms, spots };
            self.intent = Some(intent);
            self.note(&tools.ledger);
        }
        let mut all = true;
        for (path, written) in self.targets.iter().zip(&mut pending.written) {
            let Some(file) = tools.files.get(path) else { continue };
            *written += file.add(&bytes[*written..], now);
            all &= *written == bytes.len();
        }
        if all { self.carried(pending, come, tools) } else { self.interrupted(pending, tools) }
    }

    /// It is in all files. `come`: what had come in all.
    fn carried(&mut self, pending: Pending, come: u64, tools: &mut Tools) -> Step {
        self.pending = None;
        self.intent = None;
        let moved = match pending.what {
            What::Bytes(length) => {
                self.cursor += length;
                length
            }
            What::Note { to, .. } => {
                self.cursor = to;
                0
            }
        };
        self.mid_line = self.format.mid_line_after(&tools.input, self.mid_line);
        self.note(&tools.ledger);
        for path in &self.targets {
            tools.files.line_state(path, self.key, self.mid_line);
        }
        self.tell_subscribers(tools);
        self.tell_system(tools);
        if self.cursor >= come { Step::Caught(moved) } else { Step::Moved(moved) }
    }

    /// A file does not take it all. If it took some, no other stream may come in between.
    fn interrupted(&mut self, pending: Pending, tools: &mut Tools) -> Step {
        if pending.written.iter().any(|&written| written > 0) {
            self.pending = Some(pending);
            for (path, &written) in self.targets.iter().zip(&pending.written) {
                if written > 0 {
                    tools.files.line_state(path, self.key, true);
                }
            }
        } else {
            // Nothing is there that a successor could find; what others write must not be taken for it.
            self.pending = None;
            self.intent = None;
            if let What::Note { to, .. } = pending.what {
                self.gap = Some((self.cursor, self.gap.map_or(to, |(_, to)| to)));
            }
            self.note(&tools.ledger);
        }
        Step::Stuck
    }

    /// Takes up what a killed daemon was writing: as much of it as is there is not written again.
    fn go_on_with(&mut self, intent: Intent, tools: &mut Tools) {
        let mut pending = Pending { what: intent.what, time_ms: intent.time_ms, written: [0; MOST_TARGETS] };
        if self.load(&pending, tools).is_err() {
            return self.note(&tools.ledger);
        }
        let rendered = self.format.render(&tools.input, pending.time_ms, self.mid_line, &mut tools.output).is_some();
        let bytes = if rendered { &tools.output } else { &tools.input };
        let now = Instant::now();
        for ((path, spot), written) in self.targets.iter().zip(intent.spots).zip(&mut pending.written) {
            if let (Some(file), Some(spot)) = (tools.files.get(path), spot) {
                *written = file.holds(spot, bytes, now);
            }
        }
        if pending.written.iter().any(|&written| written > 0) {
            self.pending = Some(pending);
            self.intent = Some(intent);
        } else if let What::Note { to, .. } = pending.what {
            self.gap = Some((self.cursor, self.gap.map_or(to, |(_, to)| to)));
        }
        self.note(&tools.ledger);
    }

    /// Brings the bytes of what is pending into the input buffer.
    fn load(&self, pending: &Pending, tools: &mut Tools) -> io::Result<()> {
        match pending.what {
            What::Bytes(length) => self.spool.read(self.cursor, length, &mut tools.input),
            What::Note { count, .. } => {
                let before = if self.mid_line { "\n" } else { "" };
                tools.input.clear();
                let note =
                    format!("{before}[rewake] {count} bytes of output were lost here: the log could not follow\n");
                tools.input.extend_from_slice(note.as_bytes());
                Ok(())
            }
        }
    }

    fn note(&self, ledger: &Ledger) {
        let Self { key, cursor, mid_line, gap, intent, .. } = *self;
        ledger.write(self.place, &Record { key, cursor, mid_line, gap, pending: intent });
    }

    fn tell_subscribers(&mut self, tools: &mut Tools) {
        if tools.subscribers.want_log(self.id, self.key.stream()) {
            let complete = self.lines.cut(&tools.input);
            self.publish(complete, tools);
        } else {
            // Whoever comes later begins with a whole line only if no old beginning is kept.
            self.lines.rest();
        }
    }

    fn tell_system(&mut self, tools: &mut Tools) {
        let complete = self.system.as_mut().map(|(_, lines)| lines.cut(&tools.input)).unwrap_or_default();
        self.forward(complete, tools);
    }

    fn forward(&self, lines: Vec<String>, tools: &mut Tools) {
        for (line, (to, _)) in lines.into_iter().zip(self.system.iter().cycle()) {
            let (id, run, app, stream) = (self.id, self.key.run, self.name.clone(), self.key.stream());
            tools.forwarder.forward(to, Said { app, id, run, stream, line });
        }
    }

    fn publish(&self, lines: Vec<String>, tools: &Tools) {
        let (name, stream, any) = (self.name.clone(), self.key.stream(), !lines.is_empty());
        let event = Event::Log(LogLines { at_ms: epoch_ms(), id: self.id, name, stream, lines });
        any.then(|| tools.subscribers.publish(&event));
    }
}

enum Begun {
    Yes(Pending),
    No(Step),
}
