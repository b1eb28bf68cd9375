//! What is read of one log: of the files that were put aside, the oldest first, and of the present one. Each is opened before anything is
//! read, so that a rotation meanwhile takes nothing away.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flate2::read::MultiGzDecoder;

use crate::aside::{self, COMPRESSED, Old};
use crate::forward::Lines;
use crate::query::Query;
use crate::tail::start_of_last_lines;
use crate::window::{self, Stretch};
use crate::{Judge, Log, Piece};

/// One log, ready to be read.
#[derive(Debug)]
pub(crate) struct Source {
    parts: VecDeque<Part>,
    reading: Option<Reading>,
    pub(crate) head: Head,
    /// When the log was last written.
    pub(crate) modified: SystemTime,
    /// Whether its lines tell their times, as far as anybody wants to know.
    pub(crate) tells_times: bool,
    /// It was asked for times, and has none.
    pub(crate) lacks_times: bool,
    /// The present file, and where it ended.
    pub(crate) present: Option<(Arc<File>, u64)>,
}

/// The piece that is next.
#[derive(Debug, Default)]
pub(crate) struct Head {
    bytes: Vec<u8>,
    begins: bool,
    pub(crate) ends: bool,
    /// The time of its line, ms; that of the line before where it tells none.
    pub(crate) stamp: Option<i64>,
}

impl Head {
    pub(crate) fn piece(&self) -> Piece<'_> {
        Piece { bytes: &self.bytes, begins: self.begins, ends: self.ends }
    }
}

#[derive(Debug)]
enum Part {
    /// Lines that have been judged.
    Chosen(Arc<File>, VecDeque<Range<u64>>),
    /// To be judged.
    Plain(Arc<File>, Range<u64>),
    /// To be judged; the first `skip` of those that are wanted are left out.
    Compressed { file: File, skip: u64 },
}

struct Reading {
    lines: Lines<Box<dyn Read + Send>>,
    judge: Judge,
    skip: u64,
    shown: bool,
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reading").finish_non_exhaustive()
    }
}

impl Source {
    /// One without a line.
    pub(crate) fn nothing() -> Self {
        Self {
            parts: VecDeque::new(),
            reading: None,
            head: Head::default(),
            modified: UNIX_EPOCH,
            tells_times: false,
            lacks_times: false,
            present: None,
        }
    }

    /// Looks for what is wanted of a log. `merges`: its lines are to be put in order with those of others.
    pub(crate) fn open(log: &Log, query: &Query, merges: bool) -> io::Result<Self> {
        let mut source = Self::nothing();
        let Some((file, end)) = open(&log.path)? else { return Ok(source) };
        let file = Arc::new(file);
        source.modified = file.metadata()?.modified()?;
        source.present = Some((Arc::clone(&file), end));
        let mut judge = Judge::new(&query.filter, log).for_reader(query.reader.clone());
        if merges || query.times {
            judge = judge.with_stamps();
        }
        if judge.wants_stamps() {
            source.tells_times = window::tells_times(&file, end, &judge)?;
        }
        source.choose(log, query, &judge, &file, end)?;
        Ok(source)
    }

    fn choose(&mut self, log: &Log, query: &Query, judge: &Judge, file: &Arc<File>, end: u64) -> io::Result<()> {
        let Some(since) = query.filter.since else {
            let lines = query.lines.unwrap_or(usize::MAX);
            if !query.filter.has_times() || self.tells_times {
                return self.choose_last(file, end, lines, judge);
            }
            return self.choose_timeless(file, end, query, judge);
        };
        let mut missing = query.lines;
        if end > 0 && before(self.modified, since) {
            // Nothing in it is younger than its last write, and nothing in older ones either.
            return Ok(());
        }
        match window::since(file, end, since, judge)? {
            Some(from) => self.choose_since(file, from..until(file, end, judge)?.max(from), &mut missing, judge)?,
            None if end == 0 => {}
            None => return self.choose_timeless(file, end, query, judge),
        }
        self.tells_times = true;
        // A folder that cannot be read has no old files for us.
        for old in aside::olds(&log.path).unwrap_or_default().into_iter().rev() {
            if before(old.age.0, since) || missing == Some(0) {
                break;
            }
            self.choose_old(&old, since, &mut missing, judge)?;
        }
        Ok(())
    }

    /// The last lines, whatever their times.
    fn choose_timeless(&mut self, file: &Arc<File>, end: u64, query: &Query, judge: &Judge) -> io::Result<()> {
        self.lacks_times = end > 0;
        self.choose_last(file, end, query.lines_without_times(), &judge.clone().without_times())
    }

    fn choose_last(&mut self, file: &Arc<File>, end: u64, lines: usize, judge: &Judge) -> io::Result<()> {
        let chosen = if judge.filter().is_empty() {
            let (start, end) = start_of_last_lines(&mut &**file, lines)?;
            self.present = Some((Arc::clone(file), end));
            std::iter::once(start..end).collect()
        } else {
            let end = until(file, end, judge)?;
            window::last_wanted(file, 0..end, lines, judge)?
        };
        self.parts.push_front(Part::Chosen(Arc::clone(file), chosen));
        self.prepare(judge);
        Ok(())
    }

    fn choose_since(
        &mut self,
        file: &Arc<File>,
        within: Range<u64>,
        missing: &mut Option<usize>,
        judge: &Judge,
    ) -> io::Result<()> {
        let part = match missing {
            None => Part::Plain(Arc::clone(file), within),
            Some(missing) => {
                let chosen = window::last_wanted(file, within, *missing, judge)?;
                *missing -= chosen.len();
                Part::Chosen(Arc::clone(file), chosen)
            }
        };
        self.parts.push_front(part);
        self.prepare(judge);
        Ok(())
    }

    fn choose_old(&mut self, old: &Old, since: i64, missing: &mut Option<usize>, judge: &Judge) -> io::Result<()> {
        let Some((file, is_compressed)) = open_old(old)? else { return Ok(()) };
        if !is_compressed {
            let end = file.metadata()?.len();
            let file = Arc::new(file);
            let from = window::since(&file, end, since, judge)?.unwrap_or(0);
            let end = until(&file, end, judge)?.max(from);
            return self.choose_since(&file, from..end, missing, judge);
        }
        let mut skip = 0;
        if let Some(missing) = missing {
            let found = window::count_wanted(unpacked(&file)?, judge.fresh())?;
            skip = found.saturating_sub(*missing as u64);
            *missing = missing.saturating_sub(usize::try_from(found).unwrap_or(usize::MAX));
        }
        self.parts.push_front(Part::Compressed { file, skip });
        self.prepare(judge);
        Ok(())
    }

    fn prepare(&mut self, judge: &Judge) {
        // Made anew for each part; here only so that there is one to begin with.
        self.reading.get_or_insert_with(|| Reading {
            lines: Lines::new(Box::new(io::empty())),
            judge: judge.clone(),
            skip: 0,
            shown: false,
        });
    }

    /// Puts the next wanted piece into `head`. False: there is none.
    pub(crate) fn advance(&mut self) -> io::Result<bool> {
        loop {
            let Some(reading) = &mut self.reading else { return Ok(false) };
            while let Some(piece) = reading.lines.next()? {
                reading.judge.go_on()?;
                let wanted = reading.judge.shows(&piece);
                if piece.begins {
                    reading.shown = wanted && reading.skip == 0;
                    reading.skip -= u64::from(wanted && reading.skip > 0);
                }
                if reading.shown {
                    self.head.bytes.clear();
                    self.head.bytes.extend_from_slice(piece.bytes);
                    (self.head.begins, self.head.ends) = (piece.begins, piece.ends);
                    self.head.stamp = reading.judge.stamp();
                    return Ok(true);
                }
            }
            let Some(part) = self.parts.pop_front() else {
                self.reading = None;
                return Ok(false);
            };
            reading.begin(part)?;
        }
    }
}

impl Reading {
    fn begin(&mut self, part: Part) -> io::Result<()> {
        self.skip = 0;
        let from: Box<dyn Read + Send> = match part {
            Part::Chosen(file, ranges) => {
                self.judge = self.judge.fresh().chosen();
                Box::new(Stretches { file, ranges })
            }
            Part::Plain(file, range) => {
                self.judge = self.judge.fresh();
                Box::new(Stretch::new(&file, range))
            }
            Part::Compressed { file, skip } => {
                self.judge = self.judge.fresh();
                self.skip = skip;
                unpacked(&file)?
            }
        };
        self.lines = Lines::new(from);
        Ok(())
    }
}

/// Several stretches of a file, one after the other.
struct Stretches {
    file: Arc<File>,
    ranges: VecDeque<Range<u64>>,
}

impl Read for Stretches {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(range) = self.ranges.front_mut() {
            let count = Stretch::new(&self.file, range.clone()).read(buffer)?;
            range.start += count as u64;
            if count > 0 {
                return Ok(count);
            }
            self.ranges.pop_front();
        }
        Ok(0)
    }
}

/// Where a file need not be read on for the time up to which lines are wanted.
fn until(file: &Arc<File>, end: u64, judge: &Judge) -> io::Result<u64> {
    judge.filter().until.map_or(Ok(end), |until| window::until(file, end, until, judge))
}

fn before(time: SystemTime, since_ms: i64) -> bool {
    let since = u64::try_from(since_ms).map_or(UNIX_EPOCH, |ms| UNIX_EPOCH + Duration::from_millis(ms));
    time < since
}

/// A log that can be read, and its length; `None`: it is not there, or no file (a pipe would keep us waiting for ever).
pub(crate) fn open(path: &Path) -> io::Result<Option<(File, u64)>> {
    let opened = File::options().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path);
    match opened {
        Ok(file) => {
            let found = file.metadata()?;
            Ok(found.is_file().then_some((file, found.len())))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// One that was put aside, and whether it is compressed: it may have been since it was found. `None`: it was removed.
pub(crate) fn open_old(old: &Old) -> io::Result<Option<(File, bool)>> {
    if let Some((file, _)) = open(&old.path)? {
        return Ok(Some((file, old.is_compressed())));
    }
    let mut name = old.path.clone().into_os_string();
    name.push(COMPRESSED);
    Ok(open(&PathBuf::from(name))?.map(|(file, _)| (file, true)))
}

pub(crate) fn unpacked(file: &File) -> io::Result<Box<dyn Read + Send>> {
    let file = file.try_clone()?;
    let end = file.metadata()?.len();
    let from = Stretch::new(&Arc::new(file), 0..end);
    Ok(Box::new(MultiGzDecoder::new(BufReader::with_capacity(64 << 10, from))))
}
