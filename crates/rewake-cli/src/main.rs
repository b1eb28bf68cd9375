//! The executable: keeper and daemon by their flags, else the command line. The only place that makes an exit code.

mod args;
mod commands;
mod ui;
mod watched;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use commands::Failure;
use rewake_daemon::{Begin, Options};
use rewake_keeper::KeeperError;
use rewake_wire::{ErrorCode, ErrorReply};
use ui::Ui;

fn main() -> ExitCode {
    // The keeper and the daemon are this same file. Looked at first: a start of the daemon pays for nothing of the CLI.
    let argv: Vec<OsString> = std::env::args_os().collect();
    match argv.get(1).and_then(|flag| flag.to_str()) {
        Some("--keeper" | "--keeper-embedded" | "--keeper-successor" | "--keeper-handover") => keeper(&argv),
        Some("--check-handover") => check_handover(&argv),
        Some("--daemon") => daemon(&argv),
        Some("--runtime") => runtime(&argv),
        Some(_) | None => cli(&argv),
    }
}

fn cli(argv: &[OsString]) -> ExitCode {
    // A word that is not UTF-8 can name nothing that we know but a path, and paths cross the socket as JSON text.
    let words: Vec<String> = argv.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let line = match args::parse(&words) {
        Ok(line) => line,
        Err(error) => {
            Ui::plain(words.iter().take_while(|word| *word != "--").any(|word| word == "--json")).error(&error);
            return ExitCode::FAILURE;
        }
    };
    let ui = match Ui::of(&line.options) {
        Ok(ui) => ui,
        Err(error) => {
            Ui::plain(line.options.json).error(&error);
            return ExitCode::FAILURE;
        }
    };
    if let args::Command::Runtime(_) = line.command {
        return match commands::runtime::keep(&words, &ui) {
            Ok(code) => ExitCode::from(code),
            Err(error) => {
                ui.error(&error);
                ExitCode::FAILURE
            }
        };
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            ui.error(&ErrorReply::new(ErrorCode::Internal, format!("failed to set up the runtime: {error}")));
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(commands::run(line, &ui)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Untold(error)) => {
            ui.error(&error);
            ExitCode::FAILURE
        }
        Err(Failure::Several(errors)) => {
            errors.iter().for_each(|error| ui.error(error));
            ExitCode::FAILURE
        }
        Err(Failure::Told) => ExitCode::FAILURE,
    }
}

/// What keeps a keeper or a daemon from being one.
fn refuse(error: &ErrorReply) -> ExitCode {
    Ui::plain(false).error(error);
    ExitCode::FAILURE
}

fn keeper(argv: &[OsString]) -> ExitCode {
    let Some(config) = rewake_keeper::Config::from_args(&argv[1..]) else {
        return refuse(&ErrorReply::new(ErrorCode::BadRequest, "failed to become a keeper: wrong arguments"));
    };
    match rewake_keeper::run(config) {
        Err(error @ KeeperError::Owned { .. }) => {
            let error = ErrorReply::new(ErrorCode::Internal, format!("failed to {error}"));
            refuse(&error.with_hint("`rewake kill` ends it; the service can be started then"));
            // To start it again would not help.
            ExitCode::from(rewake_keeper::NOT_AGAIN)
        }
        Ok(code) => ExitCode::from(code),
        Err(error) => finish(Err(error)),
    }
}

/// Whether this executable could take the place of the one that asks.
fn check_handover(argv: &[OsString]) -> ExitCode {
    let state = argv.get(3).and_then(|number| number.to_str()?.parse().ok());
    let checked = state.ok_or_else(|| "wrong arguments".to_owned()).and_then(rewake_keeper::check_handover);
    match checked {
        Ok(()) => {
            Ui::plain(false).data(rewake_keeper::CAN_GO_ON);
            ExitCode::SUCCESS
        }
        Err(reason) => refuse(&ErrorReply::new(ErrorCode::VersionMismatch, reason)),
    }
}

fn daemon(argv: &[OsString]) -> ExitCode {
    let Some(options) = daemon_options(&argv[2..]) else {
        return refuse(&ErrorReply::new(ErrorCode::BadRequest, "failed to become a daemon: wrong arguments"));
    };
    match rewake_unix::fd::adopt(rewake_keeper::LINK_FD) {
        Ok(link) => finish(rewake_daemon::run(options, link)),
        Err(error) => {
            let error =
                ErrorReply::new(ErrorCode::BadRequest, format!("failed to become a daemon: no keeper: {error}"));
            refuse(&error.with_hint("a daemon is started by any command that needs it"))
        }
    }
}

/// `<home>`, or `<home> --boot <ms between signs of life, 0: none>`.
fn daemon_options(args: &[OsString]) -> Option<Options> {
    let (home, begin, sign_ms) = match args {
        [home] => (home, Begin::Listed, 0),
        [home, boot, ms] if boot == rewake_keeper::BOOT_FLAG => (home, Begin::Booted, ms.to_str()?.parse().ok()?),
        _ => return None,
    };
    let sign_every = (sign_ms > 0).then(|| Duration::from_millis(sign_ms));
    Some(Options { home: Some(home.into()), begin, sign_every })
}

/// The daemon of what runs in the foreground: `--runtime <home, may be empty> <folder> <the command's words>`.
fn runtime(argv: &[OsString]) -> ExitCode {
    let wrong = || ErrorReply::new(ErrorCode::BadRequest, "failed to become a daemon: wrong arguments or no keeper");
    let [_, _, home, folder, words @ ..] = argv else { return refuse(&wrong()) };
    let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let (Ok(line), Ok(link)) = (args::parse(&words), rewake_unix::fd::adopt(rewake_keeper::LINK_FD)) else {
        return refuse(&wrong());
    };
    let Ok(ui) = Ui::of(&line.options) else { return refuse(&wrong()) };
    if let Err(error) = std::env::set_current_dir(folder) {
        let text = format!("failed to use the folder `{}`: {error}", Path::new(folder).display());
        return refuse(&ErrorReply::new(ErrorCode::BadConfig, text));
    }
    let home = (!home.is_empty()).then(|| Path::new(home));
    match commands::runtime::host(home, line, &ui, link) {
        Ok(code) => ExitCode::from(code),
        Err(error) => finish(Err(error)),
    }
}

/// The end of a keeper or a daemon; their stderr is the home's log.
fn finish<E: std::error::Error>(result: Result<(), E>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    let mut text = format!("failed to {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    refuse(&ErrorReply::new(ErrorCode::Internal, text))
}
