//! The logs of the apps that are listed: one for each file, however many slots write to it. Touches no file but to learn its length.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rewake_wire::{SlotInfo, Stream};

use crate::Stamps;

/// Where a line comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub id: u32,
    pub name: String,
    /// `0|web`, or `web` for a file that several instances share.
    pub label: String,
    pub stream: Stream,
    /// The lines are objects of ours already.
    pub json: bool,
}

/// A log file.
#[derive(Debug, Clone)]
pub struct Log {
    pub path: PathBuf,
    pub origin: Origin,
    pub stamps: Arc<Stamps>,
}

/// All logs that are looked at. An index means the same log for ever.
#[derive(Debug)]
pub struct Shelf {
    logs: Vec<Log>,
    streams: Vec<Stream>,
    known: HashSet<u32>,
    /// How long each file of the log folder was when we began: what it had then is not new.
    sizes: HashMap<PathBuf, u64>,
}

impl Shelf {
    /// An empty one for one stream or both. `folder`: what stands in its files now is taken for old when an app is added later.
    #[must_use]
    pub fn new(stream: Option<Stream>, folder: Option<&Path>) -> Self {
        let streams = stream.map_or_else(|| vec![Stream::Err, Stream::Out], |stream| vec![stream]);
        Self { logs: Vec::new(), streams, known: HashSet::new(), sizes: folder.map(sizes_of).unwrap_or_default() }
    }

    #[must_use]
    pub fn logs(&self) -> &[Log] {
        &self.logs
    }

    /// Whether nothing has been heard of this slot yet.
    #[must_use]
    pub fn is_new(&self, id: u32) -> bool {
        !self.known.contains(&id)
    }

    /// Takes in the logs of these slots, which are all there are now; gives the indexes of the new ones. The others may have got another
    /// label: a file that was shared may have one writer left, or an app may have come again.
    pub fn update(&mut self, slots: &[SlotInfo]) -> Range<usize> {
        let before = self.logs.len();
        let mut seen = HashSet::new();
        for slot in slots {
            self.known.insert(slot.id);
            for stream in self.streams.clone() {
                let Some(path) = path_of(slot, stream) else { continue };
                let known = self.logs.iter().position(|log| log.path == path);
                let at = known.unwrap_or_else(|| {
                    self.logs.push(Log {
                        path,
                        origin: origin(slot, stream),
                        stamps: Arc::new(Stamps::of(&slot.spec.logs)),
                    });
                    self.logs.len() - 1
                });
                let log = &mut self.logs[at];
                if seen.insert(at) {
                    log.origin = origin(slot, log.origin.stream);
                } else if log.origin.id != slot.id {
                    // Instances that share a file cannot be told apart in it.
                    log.origin.label.clone_from(&log.origin.name);
                }
            }
        }
        before..self.logs.len()
    }

    /// From where on a log that was added late is new: what a file of that name held when we began belongs to an earlier life; outside of our
    /// folder we cannot know, and take what is there now as old.
    #[must_use]
    pub fn new_from(&self, at: usize) -> u64 {
        let path = &self.logs[at].path;
        let in_folder = self.sizes.contains_key(path.parent().unwrap_or(path));
        let old = || if in_folder { 0 } else { fs::metadata(path).map_or(0, |found| found.len()) };
        self.sizes.get(path).copied().unwrap_or_else(old)
    }
}

fn path_of(slot: &SlotInfo, stream: Stream) -> Option<PathBuf> {
    let path = match stream {
        Stream::Out => slot.out_log.as_deref(),
        Stream::Err => slot.error_log.as_deref(),
    };
    path.map(PathBuf::from).filter(|path| path != Path::new("/dev/null"))
}

fn origin(slot: &SlotInfo, stream: Stream) -> Origin {
    let label = format!("{}|{}", slot.id, slot.name);
    Origin { id: slot.id, name: slot.name.clone(), label, stream, json: slot.spec.logs.json }
}

/// Sizes of the files in the log folder, and the folder itself as a mark that it was looked at.
fn sizes_of(folder: &Path) -> HashMap<PathBuf, u64> {
    let mut sizes = HashMap::from([(folder.to_path_buf(), 0)]);
    // A folder that is not there has no old files.
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    sizes.extend(entries.filter_map(|entry| Some((entry.path(), entry.metadata().ok()?.len()))));
    sizes
}

#[cfg(test)]
impl Log {
    pub(crate) fn plain(path: PathBuf, origin: Origin) -> Self {
        let spec = serde_json::from_str(r#"{"out":"null","error":"null","merge":true}"#).expect("a description");
        Self { path, origin, stamps: Arc::new(Stamps::of(&spec)) }
    }
}

#[cfg(test)]
impl Origin {
    pub(crate) fn named(name: &str, stream: Stream) -> Self {
        Self { id: 0, name: name.into(), label: format!("0|{name}"), stream, json: false }
    }
}
