//! The version of the package an app belongs to, for `list`. Never a reason to refuse the app.

use std::path::Path;

use crate::formats::{Format, read_text};

/// No source tree is deeper than this below its package.json.
const MAX_LEVELS: usize = 32;

/// The `version` of the nearest package.json in this folder or above.
pub(crate) fn nearest(folder: &Path) -> Option<String> {
    let file =
        folder.ancestors().take(MAX_LEVELS).map(|folder| folder.join("package.json")).find(|file| file.is_file())?;
    let package = Format::Json.parse(&read_text(&file).ok()?).ok()?;
    let version = package.get("version")?.value.as_text()?;
    // It is shown in a table.
    let fits = !version.is_empty() && version.len() <= 64 && !version.chars().any(char::is_control);
    fits.then(|| version.to_owned())
}
