//! Names of log files, PM2's: `<name>-out.log`, `<name>-error.log`, with `-<id>` unless merged. Touches no file.

use std::path::{Path, PathBuf};

use rewake_wire::{AppSpec, LogTarget};

/// Where a slot's output goes; `None`: nowhere.
#[derive(Debug)]
pub(crate) struct LogPaths {
    pub(crate) out: Option<PathBuf>,
    pub(crate) error: Option<PathBuf>,
    /// Both streams.
    pub(crate) combined: Option<PathBuf>,
}

/// The files of a slot.
pub(crate) fn of(spec: &AppSpec, id: u32, logs: Option<&Path>) -> LogPaths {
    let path = |target: &LogTarget, word: &str| {
        let path = match target {
            LogTarget::Null => return None,
            LogTarget::Default => logs?.join(format!("{}{word}.log", plain(&spec.name))),
            LogTarget::File(path) => PathBuf::from(path),
        };
        Some(if spec.logs.merge { path } else { with_id(&path, id) })
    };
    LogPaths {
        out: path(&spec.logs.out, "-out"),
        error: path(&spec.logs.error, "-error"),
        combined: path(&spec.logs.combined, ""),
    }
}

/// A name as a file name: anything but letters, digits, `.` and `-` becomes `-`. What would be hidden or climb does not.
fn plain(name: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || c == '.' || c == '-' { c } else { '-' };
    let plain: String = name.chars().map(keep).collect();
    // 200 of the 255 bytes that Linux allows leave room for `-error-<id>.log` and a rotation's suffix.
    plain.chars().take(200).collect()
}

/// `out.log` → `out-3.log`; without an extension, `out` → `out-3`.
fn with_id(path: &Path, id: u32) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = match path.extension() {
        Some(extension) => format!("{stem}-{id}.{}", extension.to_string_lossy()),
        None => format!("{stem}-{id}"),
    };
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_pm2s() {
        assert_eq!(plain("my app/é_1.x"), "my-app---1.x");
        assert_eq!(with_id(Path::new("/a/out.log"), 3), Path::new("/a/out-3.log"));
        assert_eq!(with_id(Path::new("/a/x.y.log"), 3), Path::new("/a/x.y-3.log"));
        assert_eq!(with_id(Path::new("/a/out"), 3), Path::new("/a/out-3"));
    }
}
