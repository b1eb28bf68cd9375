//! How runs have ended, in a file of the home that does not grow without bound. Written and read by the thread that carries output:
//! a slow disk delays nobody. A damaged line costs itself and nothing else.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rewake_unix::file;
use rewake_wire::ExitRecord;

/// Name of the file in the home: one JSON object a line, the newest last.
const NAME: &str = "exits.jsonl";
/// Past this it is written anew with what is kept; a record has some KB at most, mostly a few hundred bytes.
const MOST_BYTES: u64 = 2 << 20;
/// What is kept then, the newest first: so much in all, and so many of each instance, so that one that crashes for ever does not push
/// the others out.
const KEPT_BYTES: usize = 1 << 20;
const KEPT_EACH: usize = 20;
/// Two daemons may tell the same end; the second by when it heard of it. No process gets the same number, place and pid again so soon.
const SAME_END_MS: u64 = 60_000;

/// The file.
#[derive(Debug)]
pub(crate) struct History {
    path: Option<PathBuf>,
}

impl History {
    /// That of a home; without one nothing is kept.
    pub(crate) fn new(home: Option<&Path>) -> Self {
        Self { path: home.map(|home| home.join(NAME)) }
    }

    /// Adds a record.
    pub(crate) fn add(&self, record: &ExitRecord) {
        let Some(path) = &self.path else { return };
        if let Err(error) = add(path, record) {
            tracing::warn!(path = %path.display(), "how a run has ended cannot be written down: {error}");
        }
    }

    /// All records, the newest first, one for each run.
    pub(crate) fn read(&self) -> Vec<ExitRecord> {
        let Some(path) = &self.path else { return Vec::new() };
        read(path).unwrap_or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!(path = %path.display(), "how runs have ended cannot be read: {error}");
            }
            Vec::new()
        })
    }
}

fn add(path: &Path, record: &ExitRecord) -> io::Result<()> {
    let mut line = serde_json::to_vec(record)?;
    line.push(b'\n');
    let mut options = fs::OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.read(true).append(true).create(true).open(path)?;
    let length = file.metadata()?.len();
    if length > 0 {
        // A crash or a full disk may have cut the last line short; ours begins a new one.
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            line.insert(0, b'\n');
        }
    }
    file.write_all(&line)?;
    if length + line.len() as u64 > MOST_BYTES { shrink(path) } else { Ok(()) }
}

fn read(path: &Path) -> io::Result<Vec<ExitRecord>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(2 * MOST_BYTES).read_to_end(&mut bytes)?;
    let mut seen = BTreeMap::new();
    let lines = bytes.split(|&byte| byte == b'\n').rev();
    let records = lines.filter_map(|line| serde_json::from_slice::<ExitRecord>(line).ok());
    // A daemon that died may have left it to its successor to write the same end once more. Runs are counted anew with a new keeper.
    let mut again = |record: &ExitRecord| {
        let later = seen.insert((record.run, record.id, record.pid), record.exit.at_ms);
        later.is_some_and(|later| later.abs_diff(record.exit.at_ms) < SAME_END_MS)
    };
    Ok(records.filter(|record| !again(record)).collect())
}

fn shrink(path: &Path) -> io::Result<()> {
    let mut each: BTreeMap<(String, u32), usize> = BTreeMap::new();
    let (mut kept, mut total) = (Vec::new(), 0);
    for record in read(path)? {
        let count = each.entry((record.name.clone(), record.id)).or_default();
        *count += 1;
        let mut line = serde_json::to_vec(&record)?;
        line.push(b'\n');
        total += line.len();
        if total > KEPT_BYTES {
            break;
        }
        if *count <= KEPT_EACH {
            kept.push(line);
        } else {
            total -= line.len();
        }
    }
    kept.reverse();
    file::replace(path, &kept.concat(), None)
}

/// The last lines of a stream as text. The first is left out where its beginning is missing.
pub(crate) fn last_lines(bytes: &[u8], whole: bool) -> Vec<String> {
    let from = if whole { 0 } else { memchr::memchr(b'\n', bytes).map_or(0, |at| at + 1) };
    let text = String::from_utf8_lossy(bytes.get(from..).unwrap_or_default());
    text.lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use rewake_wire::ExitInfo;

    use super::*;

    fn record(run: u64, id: u32) -> ExitRecord {
        ExitRecord {
            run,
            id,
            name: format!("app{id}"),
            namespace: "default".into(),
            pid: Some(7),
            asked: false,
            reason: "exited with code 1".into(),
            exit: ExitInfo { code: Some(1), signal: None, at_ms: run * 1000, lived_ms: 5 },
            out: Vec::new(),
            error: vec!["x".repeat(3000)],
        }
    }

    #[test]
    fn the_newest_come_first_and_a_damaged_line_costs_itself_alone() {
        let home = tempfile::tempdir().unwrap();
        let history = History::new(Some(home.path()));
        assert!(history.read().is_empty());
        history.add(&record(1, 0));
        let path = home.path().join(NAME);
        fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"run\":9,\"na").unwrap();
        history.add(&record(2, 0));
        let again = record(2, 0);
        history.add(&ExitRecord { exit: ExitInfo { at_ms: again.exit.at_ms + 1500, ..again.exit.clone() }, ..again });
        let runs: Vec<u64> = history.read().iter().map(|record| record.run).collect();
        assert_eq!(runs, [2, 1]);
    }

    #[test]
    fn it_does_not_grow_for_ever_and_one_app_does_not_push_the_others_out() {
        let home = tempfile::tempdir().unwrap();
        let history = History::new(Some(home.path()));
        history.add(&record(0, 5));
        for run in 1..2000 {
            history.add(&record(run, 0));
        }
        assert!(fs::metadata(home.path().join(NAME)).unwrap().len() <= MOST_BYTES + 4000);
        let all = history.read();
        assert_eq!(all[0].run, 1999);
        assert!(all.iter().any(|record| record.id == 5));
    }

    #[test]
    fn a_line_whose_beginning_is_missing_is_left_out() {
        assert_eq!(last_lines(b"half\none\ntwo", false), ["one", "two"]);
        assert_eq!(last_lines(b"one\n\ntwo\n", true), ["one", "", "two"]);
        assert_eq!(last_lines(b"", true), Vec::<String>::new());
    }
}
