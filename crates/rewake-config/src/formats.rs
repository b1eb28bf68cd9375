//! Texts of every format become one kind of located value. Never knows a key of an app.

mod javascript;
mod json;
mod toml;
mod yaml;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::node::{Node, Pos};
use crate::report::Wrong;

pub(crate) use javascript::evaluate;

/// Largest file that is read, in bytes. Real ones have a few kilobytes; the cap keeps a file that was named by mistake
/// (a log, a device) from being taken in whole.
pub(crate) const MAX_BYTES: u64 = 1024 * 1024;

/// A text that is not of its format, and where.
pub(crate) type Broken = (Option<Pos>, Wrong);

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Yaml,
    Toml,
    /// Evaluated by the caller's own Node.
    JavaScript {
        typescript: bool,
    },
}

const SCRIPTS: [(&str, bool); 6] = [
    (".config.js", false),
    (".config.cjs", false),
    (".config.mjs", false),
    (".config.ts", true),
    (".config.cts", true),
    (".config.mts", true),
];

impl Format {
    /// The format that a file's name stands for. As in PM2 the name only has to contain the extension; where it
    /// contains two, the one at its end counts.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let name = name.rsplit('/').next().unwrap_or(name);
        let data = [(".json", Self::Json), (".yaml", Self::Yaml), (".yml", Self::Yaml), (".toml", Self::Toml)];
        let script = SCRIPTS.map(|(part, typescript)| (part, Self::JavaScript { typescript }));
        let known = || script.iter().chain(&data);
        let ending = known().find(|(part, _)| name.ends_with(part));
        // `.config.json` contains `.config.js` and is none.
        let containing = || data.iter().chain(&script).find(|(part, _)| name.contains(part));
        ending.or_else(containing).map(|&(_, format)| format)
    }

    /// The value of a text of this format; JavaScript is not read as text.
    pub(crate) fn parse(self, text: &str) -> Result<Node, Broken> {
        match self {
            Self::Json => json::parse(text),
            Self::Yaml => yaml::parse(text),
            Self::Toml => toml::parse(text),
            Self::JavaScript { .. } => Err((None, Wrong::new("JavaScript cannot be read from here"))),
        }
    }
}

/// Whether `start <name>` means an ecosystem file: the name contains `.json`, `.yaml`, `.yml`, `.toml` or `.config.js`
/// (`.cjs`, `.mjs`, `.ts`, `.cts`, `.mts`).
#[must_use]
pub fn is_ecosystem_file(name: &str) -> bool {
    Format::of(name).is_some()
}

/// The text of a file, without a byte order mark.
pub(crate) fn read_text(path: &Path) -> Result<String, Wrong> {
    let cannot = |error: std::io::Error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            return Wrong::new("file not found");
        }
        Wrong::new(format!("file cannot be read: {error}"))
    };
    // Before it is opened: opening a FIFO would wait for a writer.
    if !std::fs::metadata(path).map_err(cannot)?.is_file() {
        return Err(Wrong::new("not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)).map_err(cannot)?;
    check_size(bytes.len())?;
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|&&b| b == b'\n').count() + 1;
        Wrong::new(format!("file is not UTF-8 text (line {line})"))
    })?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}

pub(crate) fn check_size(bytes: usize) -> Result<(), Wrong> {
    if bytes as u64 > MAX_BYTES { Err(Wrong::new("larger than 1 MiB, which no ecosystem file is")) } else { Ok(()) }
}
