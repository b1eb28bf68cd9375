//! What is done with files that were put aside: too many are removed, the rest is compressed. On a thread of its own, at the lowest
//! priority, that lives only while there is something to do. A crash leaves the file or the compressed one, whole.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::rotate::{self, COMPRESSED, PART, Rules, with_suffix};
use flate2::Compression;
use flate2::write::GzEncoder;
use rewake_unix::this;

/// Looks after logs of which a file was put aside.
#[derive(Debug, Clone, Default)]
pub(crate) struct Housekeeper {
    work: Arc<Mutex<Work>>,
}

#[derive(Debug, Default)]
struct Work {
    waiting: VecDeque<(PathBuf, Rules)>,
    running: bool,
}

impl Housekeeper {
    /// Looks after the old files of this log, soon.
    pub(crate) fn look_after(&self, path: &Path, rules: &Rules) {
        let mut work = lock(&self.work);
        if !work.waiting.iter().any(|(waiting, _)| waiting == path) {
            work.waiting.push_back((path.to_owned(), rules.clone()));
        }
        if work.running {
            return;
        }
        let all = Arc::clone(&self.work);
        let spawned = std::thread::Builder::new().name("rewake-gzip".into()).spawn(move || {
            this::lowest_priority();
            while let Some((path, rules)) = next(&all) {
                if let Err(error) = tidy(&path, &rules) {
                    tracing::warn!(path = %path.display(), "old logs cannot be looked after: {error}");
                }
            }
        });
        match spawned {
            Ok(_) => work.running = true,
            // The next file that is put aside tries again.
            Err(error) => tracing::warn!("old logs cannot be looked after: {error}"),
        }
    }
}

fn next(work: &Mutex<Work>) -> Option<(PathBuf, Rules)> {
    let mut work = lock(work);
    let next = work.waiting.pop_front();
    work.running = next.is_some();
    next
}

fn lock(work: &Mutex<Work>) -> MutexGuard<'_, Work> {
    // Nothing panics while it is held; should it happen all the same, the list is still a list.
    work.lock().unwrap_or_else(PoisonError::into_inner)
}

fn tidy(path: &Path, rules: &Rules) -> io::Result<()> {
    let rotation = rules.rotation.clone().unwrap_or_default();
    let mut logs = vec![rotate::olds(path)?];
    // One that cannot be read takes no part, rather than keep this one from being looked after.
    logs.extend(rules.logs.iter().filter(|other| *other != path).filter_map(|other| rotate::olds(other).ok()));
    let kept = rotate::prune(logs, &rotation);
    if rotation.compress {
        for old in kept.iter().filter(|old| !old.path.to_string_lossy().ends_with(COMPRESSED)) {
            compress(&old.path)?;
        }
    }
    Ok(())
}

/// Compresses a file in its place, with its time and rights.
fn compress(path: &Path) -> io::Result<()> {
    let part = with_suffix(path, PART);
    let done = write(path, &part).and_then(|()| fs::rename(&part, with_suffix(path, COMPRESSED)));
    if done.is_err() {
        // A full disk needs the room; the file itself is untouched.
        let _ = fs::remove_file(&part);
        return done;
    }
    fs::remove_file(path)
}

fn write(path: &Path, part: &Path) -> io::Result<()> {
    let mut from = BufReader::with_capacity(64 << 10, File::open(path)?);
    let found = from.get_ref().metadata()?;
    let to = BufWriter::with_capacity(64 << 10, File::create(part)?);
    to.get_ref().set_permissions(fs::Permissions::from_mode(found.permissions().mode() & 0o777))?;
    let mut encoder = GzEncoder::new(to, Compression::default());
    io::copy(&mut from, &mut encoder)?;
    let mut to = encoder.finish()?;
    to.flush()?;
    to.get_ref().set_modified(found.modified()?)?;
    // Only then may the original go.
    to.get_ref().sync_all()
}
