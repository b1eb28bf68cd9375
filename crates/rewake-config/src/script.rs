//! What `script` means: a file, a command in PATH, or a line for a shell. Never runs it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::paths;
use crate::program;
use crate::report::Wrong;
use crate::suggest::nearest;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    File(PathBuf),
    /// In PATH, by its name alone.
    Command(PathBuf),
    /// A command line, as written.
    Line(String),
}

/// Where to look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Around<'a> {
    /// The app's folder; absolute.
    pub(crate) cwd: &'a Path,
    /// The app's environment, for its PATH.
    pub(crate) env: &'a BTreeMap<String, String>,
    pub(crate) home: Option<&'a Path>,
    /// Folder of the ecosystem file, for a hint.
    pub(crate) beside: Option<&'a Path>,
}

pub(crate) fn find(script: &str, around: Around<'_>) -> Result<Found, Wrong> {
    if script.trim().is_empty() {
        return Err(Wrong::new("`script` is empty"));
    }
    let path = paths::absolute(script, around.cwd, around.home);
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_file() => return Ok(Found::File(path)),
        // A folder `test` must not hide the command `test`, but `.` and `./app` are meant as they are.
        Ok(metadata) if metadata.is_dir() => {
            return match program::find(script, around.env, around.cwd) {
                Some(command) => Ok(Found::Command(command)),
                None => Err(Wrong::new(format!("script is a folder: {}", path.display()))
                    .hint("name the file in it that is to be run")),
            };
        }
        Ok(_) => return Err(Wrong::new(format!("script is not a regular file: {}", path.display()))),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            return Err(Wrong::new(format!("script cannot be reached: {}: {error}", path.display())));
        }
        Err(_) => {}
    }
    if let Some(command) = program::find(script, around.env, around.cwd) {
        return Ok(Found::Command(command));
    }
    if script.trim().contains(char::is_whitespace) {
        return Ok(Found::Line(script.trim().to_owned()));
    }
    let wrong = Wrong::new(format!("script not found: {}", path.display()));
    Err(match advice(script, &path, around) {
        Some(hint) => wrong.hint(hint),
        None => wrong,
    })
}

fn advice(script: &str, path: &Path, around: Around<'_>) -> Option<String> {
    let beside = around.beside.filter(|beside| *beside != around.cwd);
    if let Some(beside) = beside.filter(|beside| paths::absolute(script, beside, around.home).is_file()) {
        return Some(format!(
            "scripts are looked for in the app's `cwd`, here {}; it is beside the file: set `cwd` to {}",
            around.cwd.display(),
            beside.display()
        ));
    }
    let (folder, name) = (path.parent()?, path.file_name()?.to_str()?);
    // A thousand names are enough to find a slip in, and cost nothing.
    let names: Vec<String> = std::fs::read_dir(folder)
        .ok()?
        .take(1000)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    let with_extension = [".js", ".mjs", ".cjs", ".ts"].map(|extension| format!("{name}{extension}"));
    let meant = names.iter().find(|known| with_extension.contains(known)).map(String::as_str);
    let meant = meant.or_else(|| nearest(name, names.iter().map(String::as_str)))?;
    Some(format!("did you mean `{}`?", folder.join(meant).display()))
}

/// The name of an app that was given none: the script's without extension, or a command line's first word's.
pub(crate) fn default_name(script: &str, cwd: &Path, home: Option<&Path>) -> String {
    let script = script.trim();
    let is_line = script.contains(char::is_whitespace) && !paths::absolute(script, cwd, home).exists();
    let word =
        if is_line { script.split_whitespace().find(|word| !word.contains('=')).unwrap_or(script) } else { script };
    Path::new(word).file_stem().map_or_else(|| word.to_owned(), |stem| stem.to_string_lossy().into_owned())
}
