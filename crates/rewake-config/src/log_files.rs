//! Where an app's output goes, from what was written. Never opens a file.

use std::path::Path;

use rewake_wire::{LogSpec, LogTarget};

use crate::draft::Draft;
use crate::paths;

pub(crate) fn of(draft: &Draft, merge: bool, cwd: &Path, home: Option<&Path>) -> LogSpec {
    if draft.disable_logs {
        return LogSpec { out: LogTarget::Null, error: LogTarget::Null, merge };
    }
    LogSpec {
        out: target(draft.out_file.as_deref(), cwd, home),
        error: target(draft.error_file.as_deref(), cwd, home),
        merge,
    }
}

fn target(file: Option<&str>, cwd: &Path, home: Option<&Path>) -> LogTarget {
    match file {
        None | Some("") => LogTarget::Default,
        Some("NULL" | "/dev/null") => LogTarget::Null,
        Some(file) => LogTarget::File(paths::absolute(file, cwd, home).to_string_lossy().into_owned()),
    }
}
