//! What the logs hold already, in one order: by the times that lines tell; of logs whose lines tell none, one log after the other, the one
//! that was written last at the end. Gives a piece at a time, so whoever reads slowly costs nothing.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;

use crate::source::Source;
use crate::{Log, Piece, Query, Start};

/// What is next.
#[derive(Debug)]
pub enum Shown<'a> {
    /// From here on it is lines of these logs.
    Group(&'a [usize]),
    /// A piece of a line of this log, and the time that its line tells.
    Piece(usize, Piece<'a>, Option<i64>),
}

/// The reader.
#[derive(Debug)]
pub struct History {
    sources: Vec<Source>,
    groups: VecDeque<Vec<usize>>,
    group: Vec<usize>,
    /// The next line of each log of the group that is read.
    heap: BinaryHeap<Reverse<(i64, usize)>>,
    /// The log whose head has been given.
    given: Option<usize>,
    lacking: Vec<usize>,
    failed: Vec<(usize, io::Error)>,
}

impl History {
    /// Looks for what is wanted of these logs. One that cannot be read is passed over, and told by [`History::failed`].
    #[must_use]
    pub fn open(logs: &[Log], query: &Query) -> Self {
        let merges = logs.len() > 1;
        let mut failed = Vec::new();
        let mut open = |(at, log): (usize, &Log)| {
            Source::open(log, query, merges).unwrap_or_else(|error| {
                failed.push((at, error));
                Source::nothing()
            })
        };
        let sources: Vec<Source> = logs.iter().enumerate().map(&mut open).collect();
        let lacking = (0..sources.len()).filter(|at| sources[*at].lacks_times).collect();
        let mut alone: Vec<usize> = (0..sources.len()).collect();
        let mut together: Vec<usize> = alone.extract_if(.., |at| merges && sources[*at].tells_times).collect();
        if together.len() == 1 {
            alone.append(&mut together);
        }
        alone.sort_by_key(|at| sources[*at].modified);
        let mut groups: VecDeque<Vec<usize>> = alone.into_iter().map(|at| vec![at]).collect();
        groups.extend((!together.is_empty()).then_some(together));
        Self { sources, groups, group: Vec::new(), heap: BinaryHeap::new(), given: None, lacking, failed }
    }

    /// Logs that were asked for times and whose lines tell none.
    #[must_use]
    pub fn lacking_times(&self) -> &[usize] {
        &self.lacking
    }

    /// Logs that could not be read, and why.
    #[must_use]
    pub fn failed(&self) -> &[(usize, io::Error)] {
        &self.failed
    }

    /// The next piece, or the next group of logs that has any; `None` at the end.
    ///
    /// # Errors
    /// When a log can no longer be read.
    pub fn step(&mut self) -> Result<Option<Shown<'_>>, (usize, io::Error)> {
        if let Some(at) = self.given.take() {
            let source = &mut self.sources[at];
            let ended = source.head.ends;
            if source.advance().map_err(|error| (at, error))? {
                if !ended {
                    return Ok(Some(self.give(at)));
                }
                self.heap.push(Reverse((self.order(at), at)));
            }
        }
        if let Some(Reverse((_, at))) = self.heap.pop() {
            return Ok(Some(self.give(at)));
        }
        while let Some(group) = self.groups.pop_front() {
            for at in &group {
                if self.sources[*at].advance().map_err(|error| (*at, error))? {
                    self.heap.push(Reverse((self.order(*at), *at)));
                }
            }
            if !self.heap.is_empty() {
                self.group = group;
                self.group.retain(|at| self.heap.iter().any(|Reverse((_, other))| other == at));
                return Ok(Some(Shown::Group(&self.group)));
            }
        }
        Ok(None)
    }

    /// Where each log is to be followed from: the file that was read, at the place up to which it was.
    pub fn starts(&mut self) -> Vec<Start> {
        let start =
            |source: &mut Source| source.present.take().map_or(Start::At(0), |(file, end)| Start::In(file, end));
        self.sources.iter_mut().map(start).collect()
    }

    fn order(&self, at: usize) -> i64 {
        self.sources[at].head.stamp.unwrap_or(i64::MIN)
    }

    fn give(&mut self, at: usize) -> Shown<'_> {
        self.given = Some(at);
        let head = &self.sources[at].head;
        Shown::Piece(at, head.piece(), head.stamp)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::path::Path;

    use rewake_wire::Stream;

    use super::*;
    use crate::{Origin, Wishes};

    /// 2026-11-21T13:45:00Z, whatever this machine's clock says.
    const NOW_MS: u64 = 1_795_268_700_000;

    /// Says that the file was last written so many minutes ago.
    fn date(path: &Path, minutes: u64) {
        let at = std::time::UNIX_EPOCH + std::time::Duration::from_millis(NOW_MS - minutes * 60_000);
        fs::File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
    }

    fn log(folder: &Path, name: &str, text: &str) -> Log {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        date(&path, 0);
        Log::plain(path, Origin::named(name, Stream::Out))
    }

    fn compressed(path: &Path, text: &str) {
        let file = fs::File::create(path).unwrap();
        let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap();
    }

    fn read(logs: &[Log], wishes: &Wishes) -> Vec<String> {
        let query = Query::new(wishes, NOW_MS.cast_signed()).unwrap();
        let mut history = History::open(logs, &query);
        assert!(history.failed().is_empty());
        let mut texts: Vec<String> = Vec::new();
        while let Some(shown) = history.step().unwrap() {
            match shown {
                Shown::Group(_) => {}
                Shown::Piece(_, piece, _) => {
                    let text = String::from_utf8_lossy(piece.bytes);
                    if piece.begins { texts.push(text.into_owned()) } else { texts.last_mut().unwrap().push_str(&text) }
                }
            }
        }
        texts
    }

    fn wishes(lines: Option<usize>, since: Option<&str>) -> Wishes {
        Wishes { lines, since: since.map(str::to_owned), ..Wishes::default() }
    }

    #[test]
    fn lines_of_several_logs_come_by_their_times_and_those_without_before_them() {
        let dir = tempfile::tempdir().unwrap();
        let logs = [
            log(
                dir.path(),
                "a",
                "2026-11-21T13:00:00Z a0\n2026-11-21T13:00:02Z a2\n   more\n2026-11-21T13:00:04Z a4\n",
            ),
            log(dir.path(), "b", "2026-11-21T13:00:01Z b1\n2026-11-21T13:00:03Z b3\n"),
            log(dir.path(), "c", "nobody knows when\n"),
            log(dir.path(), "d", ""),
        ];
        let texts = read(&logs, &wishes(None, None));
        let last: Vec<&str> = texts.iter().map(|text| text.rsplit(' ').next().unwrap()).collect();
        assert_eq!(last, ["when", "a0", "b1", "a2", "more", "b3", "a4"]);
        let texts = read(&logs[..2], &wishes(Some(1), None));
        assert_eq!(texts, ["2026-11-21T13:00:03Z b3", "2026-11-21T13:00:04Z a4"]);
    }

    #[test]
    fn since_reads_what_was_put_aside_compressed_or_not() {
        let dir = tempfile::tempdir().unwrap();
        let log = log(dir.path(), "out.log", "2026-11-21T13:40:00Z five\n2026-11-21T13:44:00Z six\n");
        let gone = "2026-11-21T12:00:00Z one\n2026-11-21T13:10:00Z two\n  of two\n";
        let names = ["out__2026-11-21_13-15-00.log.gz", "out__2026-11-21_13-35-00.log"];
        let [older, newer] = names.map(|name| dir.path().join(name));
        compressed(&older, gone);
        fs::write(&newer, "2026-11-21T13:20:00Z three\n2026-11-21T13:30:00Z four\n").unwrap();
        date(&older, 30);
        date(&newer, 10);
        let logs = [log];
        let last = |lines, since| -> Vec<String> {
            let texts = read(&logs, &wishes(lines, Some(since)));
            texts.iter().map(|text| text.rsplit(' ').next().unwrap().to_owned()).collect()
        };
        assert_eq!(last(None, "40m"), ["two", "two", "three", "four", "five", "six"]);
        assert_eq!(last(None, "20m"), ["four", "five", "six"]);
        assert_eq!(last(Some(5), "1d"), ["two", "three", "four", "five", "six"]);
        assert_eq!(last(Some(6), "1d"), ["two", "two", "three", "four", "five", "six"]);
        assert_eq!(last(Some(2), "1d"), ["five", "six"]);
        assert_eq!(last(None, "2026-11-21T13:44:00Z"), ["six"]);
    }

    #[test]
    fn a_log_without_times_is_named_and_shows_its_last_lines() {
        let dir = tempfile::tempdir().unwrap();
        let text: String = (0..50).map(|at| format!("line {at}\n")).collect();
        let logs = [log(dir.path(), "out.log", &text)];
        let query = Query::new(&wishes(None, Some("1m")), NOW_MS.cast_signed()).unwrap();
        assert_eq!(History::open(&logs, &query).lacking_times(), [0]);
        assert_eq!(read(&logs, &wishes(None, Some("1m"))).len(), 15);
    }
}
