//! `send-signal`: reads the signal's name; the core does the rest.

use rewake_core::Command;
use rewake_wire::{ErrorCode, ErrorReply};

use crate::engine::Engine;
use crate::pending::{Answer, tell};

pub(crate) fn signal(engine: &mut Engine, target: &str, signal: &str, answer: Answer) {
    match rewake_unix::signal::number(signal) {
        Some(number) => engine.command_for(target, answer, |slots| Command::Signal { slots, signal: number }),
        None => {
            let error = ErrorReply::new(ErrorCode::BadRequest, format!("`{signal}` is not a signal"));
            tell(answer, Err(error.with_hint("`kill -l` lists them: SIGUSR2, USR2 and 12 are the same")));
        }
    }
}
