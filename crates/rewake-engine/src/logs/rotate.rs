//! Log files that are put aside: their names, and which of them stay. One rename puts a file aside, so a crash leaves it in one place
//! or the other. Never touches a file that does not bear such a name.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rewake_logs::DateFormat;
pub(crate) use rewake_logs::aside::{COMPRESSED, PART};
use rewake_logs::aside::{DATE, parse, split};
use rewake_wire::Rotation;

use crate::clock::epoch_ms;

/// When a log is put aside, and what is kept.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    /// `None`: by order alone.
    pub(crate) rotation: Option<Rotation>,
    /// All logs of the app, with this one: what was put aside of them shares the room.
    pub(crate) logs: Arc<[PathBuf]>,
}

/// Puts a file aside; its new name. A link stays one: what it leads to is put aside.
pub(crate) fn put_aside(path: &Path) -> io::Result<PathBuf> {
    let real = fs::canonicalize(path)?;
    let name = aside(&real)?;
    fs::rename(&real, &name)?;
    Ok(name)
}

/// A name for the file to be put aside: `out.log` as `out__2026-11-21_13-45-00.log`, as `pm2-logrotate` has it.
/// Several within a second are numbered, above all that are there: a number tells the order.
fn aside(path: &Path) -> io::Result<PathBuf> {
    let (stem, extension) = split(path);
    let date = DateFormat::new(DATE).text(epoch_ms()).to_owned();
    let mut last = 0;
    for entry in fs::read_dir(folder(path))? {
        let name = entry?.file_name();
        match name.to_str().and_then(|name| parse(name, path)) {
            Some((same, number)) if same == date => last = last.max(number),
            Some(_) | None => {}
        }
    }
    let more = if last == 0 { String::new() } else { format!("-{}", last + 1) };
    Ok(path.with_file_name(format!("{stem}__{date}{more}{extension}")))
}

fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

/// A file that was put aside.
#[derive(Debug)]
pub(crate) struct Old {
    pub(crate) path: PathBuf,
    bytes: u64,
    /// When it was last written, and its name's date and number, for those that were full within one tick of the clock.
    age: (SystemTime, String, u32),
}

/// All that were put aside of this log, the newest first. What a compression that was cut short has left is removed.
pub(crate) fn olds(path: &Path) -> io::Result<Vec<Old>> {
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut olds = Vec::new();
    for entry in fs::read_dir(folder(&real))? {
        let entry = entry?;
        let name = entry.file_name();
        let Some((name, (date, number))) = name.to_str().and_then(|name| Some((name, parse(name, &real)?))) else {
            continue;
        };
        let path = entry.path();
        if name.ends_with(PART) || (!name.ends_with(COMPRESSED) && with_suffix(&path, COMPRESSED).exists()) {
            // Half a compressed file; or one that was compressed to the end, and only its removal is missing.
            fs::remove_file(&path)?;
        } else {
            let found = entry.metadata()?;
            olds.push(Old { path, bytes: found.size(), age: (found.modified()?, date, number) });
        }
    }
    olds.sort_by(|one, other| other.age.cmp(&one.age));
    Ok(olds)
}

/// Removes those that are too many of a log, or that do not fit with those of the app's other logs; the rest, the newest first.
pub(crate) fn prune(logs: Vec<Vec<Old>>, rotation: &Rotation) -> Vec<Old> {
    let keep = rotation.keep.map_or(usize::MAX, |keep| usize::try_from(keep).unwrap_or(usize::MAX));
    let numbered = logs.into_iter().flat_map(|olds| olds.into_iter().enumerate());
    let mut all: Vec<(bool, Old)> = numbered.map(|(at, old)| (at >= keep, old)).collect();
    all.sort_by(|(_, one), (_, other)| other.age.cmp(&one.age));
    let mut kept = Vec::new();
    let mut total = 0;
    for (too_many, old) in all {
        total += old.bytes;
        if too_many || rotation.total.is_some_and(|most| total > most) {
            match fs::remove_file(&old.path) {
                Ok(()) => tracing::info!(path = %old.path.display(), "an old log was removed"),
                Err(error) => tracing::warn!(path = %old.path.display(), "an old log cannot be removed: {error}"),
            }
        } else {
            kept.push(old);
        }
    }
    kept
}

pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_stay_within_the_bounds() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("out.log");
        let mut names = Vec::new();
        for age in 0..5 {
            fs::write(&log, [b'x'; 100]).unwrap();
            let name = put_aside(&log).unwrap();
            let modified = SystemTime::now() - std::time::Duration::from_secs(100 - age);
            fs::File::options().write(true).open(&name).unwrap().set_modified(modified).unwrap();
            names.push(name);
        }
        fs::write(with_suffix(&names[0], PART), "half").unwrap();
        fs::write(dir.path().join("out__notes.log"), "mine").unwrap();
        let kept = |keep, total| {
            let rotation = Rotation { keep, total, ..Rotation::default() };
            let kept = prune(vec![olds(&log).unwrap()], &rotation);
            kept.into_iter().map(|old| old.path).collect::<Vec<_>>()
        };
        assert_eq!(kept(Some(4), None), [&names[4], &names[3], &names[2], &names[1]].map(Clone::clone));
        assert_eq!(kept(None, Some(250)), [&names[4], &names[3]].map(Clone::clone));
        assert_eq!(kept(Some(0), None), Vec::<PathBuf>::new());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "what is not ours stays");
    }
    #[test]
    fn the_old_files_of_all_logs_of_an_app_share_the_room() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("out.log");
        let other = dir.path().join("err.log");
        let mut names = Vec::new();
        for (age, path) in [&log, &other, &log, &other, &other].into_iter().enumerate() {
            fs::write(path, [b'x'; 100]).unwrap();
            let name = put_aside(path).unwrap();
            let modified = SystemTime::now() - std::time::Duration::from_secs(100 - age as u64);
            fs::File::options().write(true).open(&name).unwrap().set_modified(modified).unwrap();
            names.push(name);
        }
        let rotation = Rotation { keep: Some(2), total: Some(350), ..Rotation::default() };
        let kept = prune(vec![olds(&log).unwrap(), olds(&other).unwrap()], &rotation);
        let kept: Vec<&PathBuf> = kept.iter().map(|old| &old.path).collect();
        assert_eq!(kept, [&names[4], &names[3], &names[2]], "two of each, and together no more than fit");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
    }
}
