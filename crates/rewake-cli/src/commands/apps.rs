//! From what the user typed to app descriptions, and to names. Reads files; leaves all checks to the configuration.

use std::io::Read as _;
use std::path::Path;

use rewake_config::{ConfigErrors, Context, Loaded, Problem};
use rewake_wire::{AppSpec, ErrorCode, ErrorReply};

use super::Failure;
use super::session::Session;

/// Names that `start` looks for when it is told none, in this order.
const DEFAULT_FILES: [&str; 8] = [
    "ecosystem.config.js",
    "ecosystem.config.cjs",
    "ecosystem.config.mjs",
    "ecosystem.config.ts",
    "ecosystem.json",
    "ecosystem.yaml",
    "ecosystem.yml",
    "ecosystem.toml",
];

/// The configuration's word for the place of what was given with the command.
const OPTIONS: &str = "options";

/// The process file of this folder, if there is one.
pub(super) fn default_file() -> Result<String, Failure> {
    let found = DEFAULT_FILES.iter().find(|name| Path::new(name).exists());
    found.map(|name| (*name).to_owned()).ok_or_else(|| {
        ErrorReply::new(ErrorCode::BadConfig, "nothing to start, no ecosystem file in this folder")
            .with_hint("name a script, a command line or a process file: `rewake start app.js`")
            .into()
    })
}

/// Whether this names a process file or, as `-`, stdin.
pub(super) fn is_process_file(target: &str) -> bool {
    target == "-" || rewake_config::is_ecosystem_file(target)
}

/// Whether this may be the path of a script: names with a `/` or an extension (PM2's rule).
pub(super) fn may_be_path(target: &str) -> bool {
    let is_pattern = target.len() > 2 && target.starts_with('/') && target.ends_with('/');
    !is_pattern && (target.contains('/') || target.contains('.'))
}

/// Where the command was given.
pub(super) fn context() -> Result<Context, Failure> {
    Context::of_process().map_err(|error| {
        ErrorReply::new(ErrorCode::BadConfig, format!("failed to find the working folder: {error}")).into()
    })
}

/// The apps of a process file or of stdin.
pub(super) fn of_file(session: &Session<'_>, target: &str) -> Result<Vec<AppSpec>, Failure> {
    let (context, options) = (context()?, config_options(session));
    let loaded = if target == "-" {
        let mut text = String::new();
        std::io::stdin()
            .lock()
            .read_to_string(&mut text)
            .map_err(|error| ErrorReply::new(ErrorCode::BadConfig, format!("failed to read stdin: {error}")))?;
        rewake_config::load_text(&text, "stdin", &context, &options)
    } else {
        rewake_config::load_file(Path::new(target), &context, &options)
    };
    checked(session, loaded)
}

/// The one app of a script or a command line.
pub(super) fn of_script(session: &Session<'_>, script: &str, args: &[String]) -> Result<Vec<AppSpec>, Failure> {
    if let Some(name) = session.options.env_name() {
        let error = format!("failed to select the environment `{name}`: it needs a process file");
        let hint = format!("to set a variable, give it a value: `--env {name}=value`");
        return Err(ErrorReply::new(ErrorCode::BadConfig, error).with_hint(hint).into());
    }
    let loaded = rewake_config::load_script(script, args, &context()?, &config_options(session));
    checked(session, loaded)
}

/// Targets with process files replaced by the names of their apps.
pub(super) fn named(session: &Session<'_>, targets: Vec<String>) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for target in targets {
        if is_process_file(&target) {
            names.extend(of_file(session, &target)?.into_iter().map(|app| app.name));
        } else {
            names.push(target);
        }
    }
    names.dedup();
    Ok(names)
}

fn config_options(session: &Session<'_>) -> rewake_config::Options {
    let options = &session.options;
    rewake_config::Options {
        env_name: options.env_name(),
        only: options.only(),
        overrides: options.overrides(),
        ..rewake_config::Options::default()
    }
}

fn checked(session: &Session<'_>, loaded: Result<Loaded, ConfigErrors>) -> Result<Vec<AppSpec>, Failure> {
    let loaded = loaded.map_err(|errors| failure(&errors))?;
    for warning in &loaded.warnings {
        session.ui.warn(warning.strip_prefix(OPTIONS).and_then(|text| text.strip_prefix(": ")).unwrap_or(warning));
    }
    Ok(loaded.apps)
}

/// Each problem is an error of its own, with its own place and hint.
fn failure(errors: &ConfigErrors) -> Failure {
    let error = |problem: &Problem| {
        let mut bare = problem.clone();
        let hint = bare.hint.take();
        // What stands on the command line needs no place.
        let message = if bare.origin == OPTIONS { bare.message } else { bare.to_string() };
        ErrorReply { code: ErrorCode::BadConfig, message, hint }
    };
    Failure::Several(errors.problems.iter().map(error).collect())
}
