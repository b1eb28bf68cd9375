//! Refusals and failures in the words that clients get. The only place of the engine that makes sentences.

use rewake_core::{BadTarget, Exit, ExitStatus, Failure, ReloadFailure};
use rewake_unix::signal;
use rewake_wire::keeper::{SpawnError, SpawnStep};
use rewake_wire::{ErrorCode, ErrorReply, ExitInfo};

use crate::clock::Clock;

/// A failed slot of a command.
pub(crate) fn failure(failure: Failure, name: &str, id: u32, reason: Option<&str>) -> ErrorReply {
    let (code, what) = match failure {
        Failure::Unknown => (ErrorCode::NotFound, "is no longer there".to_owned()),
        Failure::NotRunning => (ErrorCode::NotRunning, "is not running".to_owned()),
        Failure::Superseded => (ErrorCode::Superseded, "was stopped by a later command".to_owned()),
        Failure::SpawnFailed => {
            (ErrorCode::SpawnFailed, format!("could not be started: {}", reason.unwrap_or("no process could be made")))
        }
        Failure::ExitedEarly(exit) => {
            (ErrorCode::ExitedEarly, format!("{} {} ms after its start", ended_how(exit.status), exit.lived))
        }
        Failure::CannotBeKilled => (ErrorCode::CannotBeKilled, "does not end, not even by SIGKILL".to_owned()),
        Failure::ReloadFailed { why, alone } => (ErrorCode::ReloadFailed, reload_failure(why, alone, reason)),
        Failure::NotReloaded => {
            (ErrorCode::NotReloaded, "was not reloaded: the reload ended at another instance".to_owned())
        }
        Failure::ShuttingDown => (ErrorCode::ShuttingDown, "was not started: the supervisor is shutting down".into()),
    };
    let reply = ErrorReply::new(code, format!("`{name}` (id {id}) {what}"));
    match failure {
        Failure::ExitedEarly(_)
        | Failure::ReloadFailed {
            why: ReloadFailure::Exited(_) | ReloadFailure::NotReady | ReloadFailure::DiedInSoak(_),
            ..
        } => reply.with_hint(format!("`rewake logs {name} --err` shows what it said")),
        Failure::CannotBeKilled => reply.with_hint("it waits in the kernel, often for a disk or a network file system"),
        Failure::Unknown
        | Failure::NotRunning
        | Failure::Superseded
        | Failure::SpawnFailed
        | Failure::ShuttingDown
        | Failure::ReloadFailed { why: ReloadFailure::SpawnFailed, .. }
        | Failure::NotReloaded => reply,
    }
}

/// Whether a process has come up and did not do well.
pub(crate) fn is_about_its_end(failure: Failure) -> bool {
    match failure {
        Failure::ExitedEarly(_) | Failure::ReloadFailed { .. } => true,
        Failure::Unknown
        | Failure::NotRunning
        | Failure::Superseded
        | Failure::SpawnFailed
        | Failure::CannotBeKilled
        | Failure::NotReloaded
        | Failure::ShuttingDown => false,
    }
}

/// Why a new process did not replace the old one. `alone`: that had ended by itself.
pub(crate) fn reload_failure(why: ReloadFailure, alone: bool, reason: Option<&str>) -> String {
    let what = match why {
        ReloadFailure::SpawnFailed => {
            format!("could not be made: {}", reason.unwrap_or("no process could be made"))
        }
        ReloadFailure::Exited(exit) => format!("{} {} ms after its start", ended_how(exit.status), exit.lived),
        ReloadFailure::NotReady => "was not ready in time".to_owned(),
        ReloadFailure::DiedInSoak(exit) => {
            format!("was ready but {} {} ms after its start", ended_how(exit.status), exit.lived)
        }
    };
    if alone {
        format!("was not reloaded: its old process ended meanwhile, and the new one {what}")
    } else {
        format!("goes on with its old process: the new one {what}")
    }
}

/// `exited with code 1`, `was killed by SIGSEGV`.
pub(crate) fn ended_how(status: ExitStatus) -> String {
    match status {
        ExitStatus::Code(code) => format!("exited with code {code}"),
        ExitStatus::Signal(number) => format!("was killed by {}", signal_name(number)),
        ExitStatus::Unknown => "ended".to_owned(),
    }
}

/// An exit for clients.
pub(crate) fn exit_info(exit: Exit, clock: &Clock) -> ExitInfo {
    let (code, signal) = match exit.status {
        ExitStatus::Code(code) => (Some(code), None),
        ExitStatus::Signal(number) => (None, Some(signal_name(number))),
        ExitStatus::Unknown => (None, None),
    };
    ExitInfo { code, signal, at_ms: clock.epoch_of(exit.at), lived_ms: exit.lived }
}

/// A user's name, or its number where it has none.
pub(crate) fn user_name(uid: u32) -> String {
    rewake_unix::user::name_of(uid).unwrap_or_else(|| uid.to_string())
}

fn signal_name(number: i32) -> String {
    signal::name(number)
}

/// Why a process could not be made.
pub(crate) fn spawn_error(error: &SpawnError) -> String {
    let cause = std::io::Error::from_raw_os_error(error.errno).kind();
    let about = &error.about;
    match (error.step, cause) {
        (SpawnStep::Exec, std::io::ErrorKind::NotFound) => format!("program `{about}` was not found"),
        (SpawnStep::Exec, std::io::ErrorKind::PermissionDenied) => {
            format!("program `{about}` is not executable or lies where it may not be executed")
        }
        (SpawnStep::Chdir, _) => format!("cannot enter the working directory `{about}`: {}", errno(error.errno)),
        (step, _) => format!("{} failed for `{about}`: {}", step_name(step), errno(error.errno)),
    }
}

/// Whether the same spawn may work a moment later: for want of memory, processes or descriptors, or while a file is being replaced.
pub(crate) fn may_pass(error: &SpawnError) -> bool {
    use rewake_unix::errno::{EAGAIN, EMFILE, ENFILE, ENOBUFS, ENOMEM, ETXTBSY};
    [EAGAIN, ENOMEM, EMFILE, ENFILE, ENOBUFS, ETXTBSY].contains(&error.errno)
}

fn step_name(step: SpawnStep) -> &'static str {
    match step {
        SpawnStep::Plan => "reading the plan",
        SpawnStep::Pipe => "pipe",
        SpawnStep::Socketpair => "socketpair",
        SpawnStep::Fork => "fork",
        SpawnStep::Pidfd => "pidfd_open",
        SpawnStep::Setsid => "setsid",
        SpawnStep::Setgid => "setgid",
        SpawnStep::Setuid => "setuid",
        SpawnStep::Chdir => "chdir",
        SpawnStep::Stdio => "preparing stdin, stdout and stderr",
        SpawnStep::Exec => "execve",
    }
}

/// `No such file or directory (os error 2)`.
fn errno(number: i32) -> String {
    if number == 0 { "refused".into() } else { std::io::Error::from_raw_os_error(number).to_string() }
}

/// A target that cannot be read.
pub(crate) fn bad_target(text: &str, bad: &BadTarget) -> ErrorReply {
    match bad {
        BadTarget::Empty => ErrorReply::new(ErrorCode::BadRequest, "the target is empty"),
        BadTarget::Pattern(why) => {
            ErrorReply::new(ErrorCode::BadRequest, format!("`{text}` is not a regular expression: {why}"))
        }
    }
}

/// A target that nothing matches.
pub(crate) fn not_found(text: &str) -> ErrorReply {
    let what = if text == "all" { "no app is listed".into() } else { format!("no app matches `{text}`") };
    ErrorReply::new(ErrorCode::NotFound, what).with_hint("`rewake list` shows what there is")
}
