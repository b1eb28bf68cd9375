//! Where in a file the wanted lines stand, found without reading all of it: from the end backwards, or by their times. Memory does not grow
//! with the file or with its lines.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::Judge;
use crate::filter::belongs_to_last;
use crate::forward::Lines;

/// How far back one step looks for wanted lines.
const STEP: u64 = 1 << 20;
/// Bytes that are searched at once for a newline.
const BLOCK: usize = 64 << 10;
/// How far a line with a time is looked for.
const PROBE: u64 = 1 << 20;
/// A stretch that is as well read from its beginning.
const NEAR: u64 = 64 << 10;
/// By how much lines may be out of order: several processes write to one file.
const DISORDER_MS: i64 = 2000;

/// Part of a file, whoever else reads it.
#[derive(Debug)]
pub(crate) struct Stretch {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Stretch {
    pub(crate) fn new(file: &Arc<File>, range: Range<u64>) -> Self {
        Self { file: Arc::clone(file), at: range.start, end: range.end }
    }
}

impl Read for Stretch {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let room = buffer.len().min(left);
        let count = self.file.read_at(&mut buffer[..room], self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// Where the last `count` wanted lines of a stretch stand, in their order.
pub(crate) fn last_wanted(
    file: &Arc<File>,
    within: Range<u64>,
    count: usize,
    judge: &Judge,
) -> io::Result<VecDeque<Range<u64>>> {
    let mut found = VecDeque::new();
    let mut end = within.end;
    while end > within.start && found.len() < count {
        judge.go_on()?;
        let start = line_before(file, within.start, end, judge)?;
        let missing = count - found.len();
        for range in wanted(file, start..end, missing, judge.fresh())?.into_iter().rev() {
            found.push_front(range);
        }
        end = start;
    }
    Ok(found)
}

/// How many lines a reader has that are wanted.
pub(crate) fn count_wanted(from: impl Read, mut judge: Judge) -> io::Result<u64> {
    let mut lines = Lines::new(from);
    let mut count = 0;
    while let Some(piece) = lines.next()? {
        judge.go_on()?;
        count += u64::from(judge.shows(&piece) && piece.begins);
    }
    Ok(count)
}

/// The last `most` wanted lines of a stretch that begins with a line.
fn wanted(file: &Arc<File>, within: Range<u64>, most: usize, mut judge: Judge) -> io::Result<VecDeque<Range<u64>>> {
    let first = within.start;
    let mut lines = Lines::new(Stretch::new(file, within));
    let mut found: VecDeque<Range<u64>> = VecDeque::new();
    let mut start = 0;
    while let Some(piece) = lines.next()? {
        let (shows, ends) = (judge.shows(&piece), piece.ends);
        if ends {
            let end = lines.given();
            if shows {
                found.push_back(first + start..first + end);
                if found.len() > most {
                    found.pop_front();
                }
            }
            start = end;
        }
    }
    Ok(found)
}

/// The beginning of a line a step before `end`, or further where lines are longer. One that stands for itself if there is one near: what
/// belongs to a line before cannot be judged alone.
fn line_before(file: &File, least: u64, end: u64, judge: &Judge) -> io::Result<u64> {
    let mut from = end;
    let mut step = STEP;
    loop {
        let before = from;
        from = end.saturating_sub(step).max(least);
        if from == least {
            return Ok(least);
        }
        // The newline that ends the last line begins none.
        if let Some(newline) = newline_in(file, from..before.min(end - 1))? {
            return head_from(file, newline + 1, end, judge);
        }
        step *= 2;
    }
}

fn newline_in(file: &File, within: Range<u64>) -> io::Result<Option<u64>> {
    let mut buffer = vec![0; BLOCK];
    let mut at = within.start;
    while at < within.end {
        let room = buffer.len().min(usize::try_from(within.end - at).unwrap_or(usize::MAX));
        let count = file.read_at(&mut buffer[..room], at)?;
        if count == 0 {
            break;
        }
        if let Some(found) = memchr::memchr(b'\n', &buffer[..count]) {
            return Ok(Some(at + found as u64));
        }
        at += count as u64;
    }
    Ok(None)
}

fn head_from(file: &File, start: u64, end: u64, judge: &Judge) -> io::Result<u64> {
    let mut buffer = vec![0; BLOCK.min(usize::try_from(end - start).unwrap_or(BLOCK))];
    let count = file.read_at(&mut buffer, start)?;
    let stands =
        |line: &[u8]| !belongs_to_last(line) && (!judge.wants_stamps() || judge.stamps().of_line(line).is_some());
    let mut at = 0;
    for line in buffer[..count].split_inclusive(|byte| *byte == b'\n') {
        if stands(line.strip_suffix(b"\n").unwrap_or(line)) {
            return Ok(start + at);
        }
        at += line.len() as u64;
    }
    Ok(start)
}

/// A line with a time.
struct Probed {
    start: u64,
    stamp: i64,
}

/// Where lines of `since` and later begin at the earliest; `None` where lines tell no time.
pub(crate) fn since(file: &Arc<File>, end: u64, since: i64, judge: &Judge) -> io::Result<Option<u64>> {
    Ok(search(file, end, since.saturating_sub(DISORDER_MS), judge)?.map(|around| around.start))
}

/// Where lines of `until` and earlier end at the latest.
pub(crate) fn until(file: &Arc<File>, end: u64, until: i64, judge: &Judge) -> io::Result<u64> {
    Ok(search(file, end, until.saturating_add(DISORDER_MS), judge)?.map_or(end, |around| around.end))
}

/// The stretch in which lines of this time begin: searched where the file is in order, as far as that can be seen; otherwise all of it.
/// `None` where lines tell no time.
fn search(file: &Arc<File>, end: u64, wanted: i64, judge: &Judge) -> io::Result<Option<Range<u64>>> {
    let Some(first) = probe(file, 0, end, judge)? else {
        // Perhaps the times begin later, with a new `log_date_format`.
        return Ok(probe(file, end.saturating_sub(PROBE), end, judge)?.map(|_| 0..end));
    };
    let (mut low, mut high) = (first, Probed { start: end, stamp: i64::MAX });
    if low.stamp >= wanted {
        return Ok(Some(0..end));
    }
    while high.start - low.start > NEAR {
        let middle = low.start + (high.start - low.start) / 2;
        let Some(found) = probe(file, middle, high.start, judge)? else { break };
        if found.stamp < low.stamp.saturating_sub(DISORDER_MS) || found.stamp > high.stamp.saturating_add(DISORDER_MS) {
            return Ok(Some(0..end));
        }
        if found.stamp < wanted {
            low = found;
        } else {
            high = found;
        }
    }
    Ok(Some(low.start..high.start))
}

/// Whether lines at the end of the file tell their time.
pub(crate) fn tells_times(file: &Arc<File>, end: u64, judge: &Judge) -> io::Result<bool> {
    Ok(probe(file, end.saturating_sub(BLOCK as u64), end, judge)?.is_some())
}

/// The first line with a time that begins at or after `from`.
fn probe(file: &Arc<File>, from: u64, end: u64, judge: &Judge) -> io::Result<Option<Probed>> {
    let start = match from.checked_sub(1) {
        None => 0,
        Some(before) => match newline_in(file, before..end.min(from + PROBE))? {
            Some(newline) => newline + 1,
            None => return Ok(None),
        },
    };
    let mut lines = Lines::new(Stretch::new(file, start..end));
    let mut at = start;
    while at < end && at - start < PROBE {
        let Some(piece) = lines.next()? else { break };
        if piece.begins
            && let Some(stamp) = judge.stamps().of_line(piece.bytes)
        {
            return Ok(Some(Probed { start: at, stamp }));
        }
        at = start + lines.given();
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::path::PathBuf;

    use rewake_wire::Stream;

    use super::*;
    use crate::{Filter, Level, Log, Origin};

    fn judge(filter: Filter) -> Judge {
        Judge::new(&Arc::new(filter), &Log::plain(PathBuf::new(), Origin::named("a", Stream::Out)))
    }

    fn file(text: &[u8]) -> Arc<File> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text).unwrap();
        Arc::new(file)
    }

    fn texts(text: &str, ranges: VecDeque<Range<u64>>) -> Vec<&str> {
        ranges.into_iter().map(|range| text[range.start as usize..range.end as usize].trim_end()).collect()
    }

    #[test]
    fn the_last_wanted_lines_are_found_across_steps_and_long_lines() {
        let mut text = String::from("[error] first\n");
        for at in 0..200_000 {
            text.push_str(&format!("[info] line {at}\n"));
            if at == 100_000 {
                text.push_str(&format!("[error] long {}\n", "x".repeat(3 << 20)));
            }
            if at == 199_000 {
                text.push_str("[error] last\n    at a\n    at b\n");
            }
        }
        let file = file(text.as_bytes());
        let judge = judge(Filter { level: Some(Level::Error), ..Filter::default() });
        let found = last_wanted(&file, 0..text.len() as u64, 4, &judge).unwrap();
        let found = texts(&text, found);
        assert_eq!(&found[1..], ["[error] last", "    at a", "    at b"]);
        assert_eq!(found[0].len(), "[error] long ".len() + (3 << 20));
        let all = last_wanted(&file, 0..text.len() as u64, 9, &judge).unwrap();
        assert_eq!(texts(&text, all)[0], "[error] first");
        assert_eq!(count_wanted(text.as_bytes(), judge).unwrap(), 5);
    }

    #[test]
    fn a_search_ends_with_its_reader() {
        let text = "[info] line\n".repeat(1000);
        let reader = Arc::new(());
        let filter = Filter { level: Some(Level::Error), ..Filter::default() };
        let judge = judge(filter).for_reader(Some(Arc::downgrade(&reader)));
        let search = || last_wanted(&file(text.as_bytes()), 0..text.len() as u64, 1, &judge).map(|found| found.len());
        let count = || count_wanted(text.as_bytes(), judge.clone());
        assert_eq!((search().unwrap(), count().unwrap()), (0, 0));
        drop(reader);
        let ended =
            |result: io::Result<u64>| result.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionAborted);
        assert!(ended(search().map(|found| found as u64)) && ended(count()));
    }

    #[test]
    fn the_first_line_of_a_time_is_found_by_few_looks() {
        let line = |second: i64| {
            let stamp = jiff::Timestamp::from_second(1_795_000_000 + second).unwrap();
            format!("{stamp} line {second}\n    continued {}\n", "y".repeat(40))
        };
        let text: String = (0..20_000).map(line).collect();
        let file = file(text.as_bytes());
        for second in [0, 1, 777, 10_000, 19_999, 30_000] {
            let time = (1_795_000_000 + second) * 1000;
            let judge = judge(Filter { since: Some(time), ..Filter::default() });
            let start = since(&file, text.len() as u64, time, &judge).unwrap().unwrap();
            let rest = &text[start as usize..];
            let wanted = format!(" line {second}\n");
            assert!(second == 30_000 || rest.contains(&wanted), "{second}");
            let before = rest.find(&wanted).unwrap_or(0) as u64;
            assert!(before < 2 * NEAR, "{before} bytes too many before {second}");
            let end = until(&file, text.len() as u64, time, &judge).unwrap();
            assert!(second == 30_000 || text[..end as usize].contains(&wanted), "{second}");
            assert!(!(100..=15_000).contains(&second) || end < text.len() as u64 * 3 / 4, "{second}: {end}");
        }
    }

    #[test]
    fn a_file_out_of_order_is_read_whole_and_one_without_times_is_named() {
        let line = |second: i64| format!("{} x\n", jiff::Timestamp::from_second(1_795_000_000 + second).unwrap());
        let text: String = (0..10_000).chain(0..10_000).chain(0..10_000).map(line).collect();
        let file_ = file(text.as_bytes());
        let time = (1_795_000_000 + 9_990) * 1000;
        let judge = judge(Filter { since: Some(time), ..Filter::default() });
        let start = since(&file_, text.len() as u64, time, &judge).unwrap().unwrap();
        let seen = text[start as usize..].matches(&line(9_995)).count();
        assert!(seen >= 1, "the last lines are always there");
        let plain = "no time here\n".repeat(1000);
        assert_eq!(since(&file(plain.as_bytes()), plain.len() as u64, time, &judge).unwrap(), None);
    }
}
