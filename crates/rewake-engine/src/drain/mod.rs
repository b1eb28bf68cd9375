//! The drain helper as a file that Node can load. The only thing of ours that is ever loaded into an app, and only into cluster
//! workers; `drain: false` leaves it out.

use std::fs;
use std::path::{Path, PathBuf};

use rewake_unix::file;

const HELPER: &str = include_str!("helper.cjs");
const NAME: &str = "drain.cjs";

/// Writes the helper into the home, if it is not there already; its path. Without it reloads work, less politely.
pub(crate) fn write_helper(home: &Path) -> Option<PathBuf> {
    let path = home.join(NAME);
    if fs::read(&path).is_ok_and(|there| there == HELPER.as_bytes()) {
        return Some(path);
    }
    match file::replace(&path, HELPER.as_bytes(), None) {
        Ok(()) => Some(path),
        Err(error) => {
            tracing::warn!(path = %path.display(), "the drain helper cannot be written: {error}");
            None
        }
    }
}
