//! Which lines are wanted: by time, level and text. A line is judged once, by its first piece; what belongs to a line (a stack trace) goes
//! with it.

use std::io;
use std::sync::{Arc, Weak};

use regex::bytes::Regex;
use rewake_wire::Stream;

use crate::{Level, Log, Piece, Stamps};

/// What is asked of lines.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// ms since the epoch.
    pub since: Option<i64>,
    pub until: Option<i64>,
    /// This level and graver ones.
    pub level: Option<Level>,
    pub grep: Option<Regex>,
}

impl Filter {
    /// Whether every line is wanted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.has_times() && self.level.is_none() && self.grep.is_none()
    }

    pub(crate) fn has_times(&self) -> bool {
        self.since.is_some() || self.until.is_some()
    }
}

/// Judges the lines of one log, in their order.
#[derive(Debug, Clone)]
pub struct Judge {
    filter: Arc<Filter>,
    stamps: Arc<Stamps>,
    stream: Stream,
    wants_stamps: bool,
    /// Of the last line that told its time, and so of those behind it that do not.
    stamp: Option<i64>,
    level: Level,
    shown: bool,
    reader: Option<Weak<()>>,
}

impl Judge {
    /// One for lines from the beginning of a file, or from a line that is no part of another.
    #[must_use]
    pub fn new(filter: &Arc<Filter>, log: &Log) -> Self {
        let wants_stamps = filter.has_times();
        let level = usual(log.origin.stream);
        let stamps = Arc::clone(&log.stamps);
        Self {
            filter: Arc::clone(filter),
            stamps,
            stream: log.origin.stream,
            wants_stamps,
            stamp: None,
            level,
            shown: false,
            reader: None,
        }
    }

    /// One for lines that come now, of which only level and text are asked.
    #[must_use]
    pub fn of_new(filter: &Arc<Filter>, stream: Stream) -> Self {
        let judge = Self {
            filter: Arc::clone(filter),
            stamps: Arc::new(Stamps::usual()),
            stream,
            wants_stamps: false,
            stamp: None,
            level: usual(stream),
            shown: false,
            reader: None,
        };
        judge.without_times()
    }

    /// Judges as long as there is this reader.
    pub(crate) fn for_reader(mut self, reader: Option<Weak<()>>) -> Self {
        self.reader = reader;
        self
    }

    /// To be asked now and then in a long search.
    ///
    /// # Errors
    /// `ConnectionAborted`: nobody reads any more.
    pub(crate) fn go_on(&self) -> io::Result<()> {
        match &self.reader {
            Some(reader) if reader.strong_count() == 0 => Err(io::ErrorKind::ConnectionAborted.into()),
            Some(_) | None => Ok(()),
        }
    }

    /// Find the times of lines also where nobody asks for them.
    pub(crate) fn with_stamps(mut self) -> Self {
        self.wants_stamps = true;
        self
    }

    /// Lets go of the times: those of new lines, or of a log whose lines tell none.
    #[must_use]
    pub fn without_times(mut self) -> Self {
        self.filter = Arc::new(Filter { since: None, until: None, ..(*self.filter).clone() });
        self.wants_stamps = false;
        self
    }

    /// Wants all that it is given: it was judged before.
    pub(crate) fn chosen(mut self) -> Self {
        self.filter = Arc::default();
        self
    }

    /// As it was before the first line.
    pub(crate) fn fresh(&self) -> Self {
        Self { stamp: None, level: usual(self.stream), shown: false, ..self.clone() }
    }

    /// The time of the last line, or of that to which it belongs.
    #[must_use]
    pub fn stamp(&self) -> Option<i64> {
        self.stamp
    }

    pub(crate) fn stamps(&self) -> &Stamps {
        &self.stamps
    }

    pub(crate) fn wants_stamps(&self) -> bool {
        self.wants_stamps
    }

    pub(crate) fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Whether a piece is wanted. All pieces of a line are given to it, in their order.
    pub fn shows(&mut self, piece: &Piece<'_>) -> bool {
        if piece.begins {
            self.shown = self.wants(piece.bytes);
        }
        self.shown
    }

    fn wants(&mut self, line: &[u8]) -> bool {
        if self.wants_stamps
            && let Some(stamp) = self.stamps.of_line(line)
        {
            self.stamp = Some(stamp);
        }
        let Filter { since, until, level, grep } = &*self.filter;
        if since.is_some_and(|since| self.stamp.is_none_or(|stamp| stamp < since)) {
            return false;
        }
        if until.is_some_and(|until| self.stamp.is_some_and(|stamp| stamp > until)) {
            return false;
        }
        if let Some(least) = level {
            if let Some(level) = Level::of_line(line) {
                self.level = level;
            } else if !belongs_to_last(line) {
                self.level = usual(self.stream);
            }
            if self.level < *least {
                return false;
            }
        }
        grep.as_ref().is_none_or(|grep| grep.is_match(line))
    }
}

/// What a line is that names no level.
fn usual(stream: Stream) -> Level {
    match stream {
        Stream::Out => Level::Info,
        Stream::Err => Level::Error,
    }
}

/// Whether a line is indented, as stack traces are.
pub(crate) fn belongs_to_last(line: &[u8]) -> bool {
    matches!(line.first(), Some(b' ' | b'\t'))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::Origin;

    fn shown(filter: Filter, stream: Stream, lines: &[&str]) -> Vec<bool> {
        let mut judge = Judge::new(&Arc::new(filter), &Log::plain(PathBuf::new(), Origin::named("a", stream)));
        lines.iter().map(|line| judge.shows(&Piece { bytes: line.as_bytes(), begins: true, ends: true })).collect()
    }

    #[test]
    fn a_stack_trace_goes_with_its_line() {
        let filter = Filter { level: Some(Level::Warn), ..Filter::default() };
        let lines = ["[warn] a", "    at x", "plain", "    at y", "[info] b", "TypeError: c", "    at z"];
        assert_eq!(shown(filter.clone(), Stream::Out, &lines), [true, true, false, false, false, true, true]);
        assert_eq!(shown(filter, Stream::Err, &lines), [true, true, true, true, false, true, true]);
    }

    #[test]
    fn lines_without_a_time_have_that_of_the_line_before() {
        let filter = Filter { since: Some(1_795_268_700_000), until: Some(1_795_268_760_000), ..Filter::default() };
        let lines = [
            "before any time",
            "2026-11-21T13:44:59Z early",
            "goes with it",
            "2026-11-21T13:45:00Z at the second",
            "and more",
            "2026-11-21T13:46:01Z late",
            "and late",
        ];
        assert_eq!(shown(filter, Stream::Out, &lines), [false, false, false, true, true, false, false]);
    }
}
