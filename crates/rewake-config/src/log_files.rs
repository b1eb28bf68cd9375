//! Where an app's output goes, from what was written. Never opens a file.

use std::path::Path;

use rewake_wire::{LogCapture, LogSpec, LogTarget, Rotation};

use crate::draft::Draft;
use crate::interpreter::Command;
use crate::paths;

/// What PM2's `time` stands for.
const TIME: &str = "YYYY-MM-DDTHH:mm:ss";

pub(crate) fn of(draft: &Draft, command: &Command, merge: bool, cwd: &Path, home: Option<&Path>) -> LogSpec {
    let file = |file: Option<&str>| if draft.disable_logs { LogTarget::Null } else { target(file, cwd, home) };
    LogSpec {
        out: file(draft.out_file.as_deref()),
        error: file(draft.error_file.as_deref()),
        combined: draft.log_file.as_deref().map_or(LogTarget::Null, |path| file(Some(path))),
        merge,
        date_format: draft.log_date_format.clone().or_else(|| draft.time.then(|| TIME.to_owned())),
        json: draft.log_json,
        capture: match draft.log_capture {
            // A script that the kernel gives to Node (`#!/usr/bin/env node`) loses as much in a pipe as one that we give to it.
            LogCapture::Auto if command.is_nodes_script() => LogCapture::Spool,
            asked @ (LogCapture::Auto | LogCapture::Spool | LogCapture::Pipe) => asked,
        },
        system: draft.log_syslog.clone(),
        rotate: draft.log_rotate.clone().unwrap_or_else(|| Some(Rotation::default())),
    }
}

fn target(file: Option<&str>, cwd: &Path, home: Option<&Path>) -> LogTarget {
    match file {
        None | Some("") => LogTarget::Default,
        Some("NULL" | "/dev/null") => LogTarget::Null,
        Some(file) => LogTarget::File(paths::absolute(file, cwd, home).to_string_lossy().into_owned()),
    }
}
