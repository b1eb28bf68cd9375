//! Names of log files that were put aside, those of `pm2-logrotate`: `out__2026-11-21_13-45-00.log`, several within a second numbered.
//! Never takes another file for one of them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The date in a name, in the tokens of Day.js.
pub const DATE: &str = "YYYY-MM-DD_HH-mm-ss";
/// Behind the name of one that is compressed.
pub const COMPRESSED: &str = ".gz";
/// Behind the name of one that is being compressed.
pub const PART: &str = ".gz.part";

/// A file that was put aside.
#[derive(Debug)]
pub struct Old {
    pub path: PathBuf,
    /// When it was last written, and its name's date and number, for those that were full within one tick of the clock.
    pub age: (SystemTime, String, u32),
}

impl Old {
    /// Whether it must be decompressed.
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        self.path.as_os_str().as_encoded_bytes().ends_with(COMPRESSED.as_bytes())
    }
}

/// All that can be read of what was put aside of this log, the oldest first, each once.
///
/// # Errors
/// When the folder cannot be read.
pub fn olds(path: &Path) -> io::Result<Vec<Old>> {
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut olds: Vec<Old> = Vec::new();
    for entry in fs::read_dir(real.parent().unwrap_or(Path::new(".")))? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| !name.ends_with(PART)) else { continue };
        let Some((date, number)) = parse(name, &real) else { continue };
        // Compressed to the end while we look: its successor is there.
        let Ok(modified) = entry.metadata().and_then(|found| found.modified()) else { continue };
        olds.push(Old { path: entry.path(), age: (modified, date, number) });
    }
    olds.sort_by(|one, other| one.age.cmp(&other.age));
    // For a moment a file stands beside its compressed self.
    olds.dedup_by(|one, other| (&one.age.1, one.age.2) == (&other.age.1, other.age.2));
    Ok(olds)
}

/// Date and number of a file put aside of this log, compressed or not; `None` for any other name.
#[must_use]
pub fn parse(name: &str, path: &Path) -> Option<(String, u32)> {
    let (stem, extension) = split(path);
    let name = name.strip_suffix(PART).or_else(|| name.strip_suffix(COMPRESSED)).unwrap_or(name);
    let rest = name.strip_prefix(stem.as_str())?.strip_prefix("__")?.strip_suffix(extension.as_str())?;
    let (date, more) = rest.split_at_checked("2026-11-21_13-45-00".len())?;
    let fits = |(at, byte): (usize, u8)| match at {
        4 | 7 | 13 | 16 => byte == b'-',
        10 => byte == b'_',
        _ => byte.is_ascii_digit(),
    };
    let number = match more.strip_prefix('-') {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
        Some(_) => return None,
        None if more.is_empty() => 1,
        None => return None,
    };
    date.bytes().enumerate().all(fits).then(|| (date.to_owned(), number))
}

/// Stem, and extension with its point.
#[must_use]
pub fn split(path: &Path) -> (String, String) {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let extension = path.extension().map_or_else(String::new, |extension| format!(".{}", extension.to_string_lossy()));
    (stem, extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_log_are_its_own() {
        let log = Path::new("/l/web-out.log");
        for name in [
            "web-out__2026-11-21_13-45-00.log",
            "web-out__2026-11-21_13-45-00-2.log",
            "web-out__2026-11-21_13-45-00.log.gz",
            "web-out__2026-11-21_13-45-00.log.gz.part",
        ] {
            assert!(parse(name, log).is_some(), "{name}");
        }
        for name in [
            "web-out.log",
            "web-out__notes.log",
            "web-out__2026-11-21_13-45-00.txt",
            "web-out__2026-11-21_13-45-00-.log",
            "my-web-out__2026-11-21_13-45-00.log",
            "web-out__2026-11-21_13-45-00x.log",
            "web-out__ééééééééé.log",
        ] {
            assert!(parse(name, log).is_none(), "{name}");
        }
    }

    #[test]
    fn each_is_found_once_and_the_oldest_comes_first() {
        let dir = tempfile::tempdir().unwrap();
        let date = "2026-11-21_13-45-00";
        for (name, second) in
            [("-2.log.gz", 2), (".log", 1), (".log.gz", 1), ("-3.log", 3), ("-3.log.gz.part", 4), (".txt", 5)]
        {
            let file = fs::File::create(dir.path().join(format!("out__{date}{name}"))).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(second)).unwrap();
        }
        let numbers: Vec<u32> = olds(&dir.path().join("out.log")).unwrap().iter().map(|old| old.age.2).collect();
        assert_eq!(numbers, [1, 2, 3]);
    }
}
