//! Whether anything is left to run, and the exit code if not. Pure.

use std::collections::BTreeSet;

use rewake_unix::signal;
use rewake_wire::{ExitInfo, SlotInfo, Status};

/// What a shell adds to the number of the signal that ended a program.
const BY_SIGNAL: i32 = 128;

/// The exit code once nothing runs and nothing will by itself: that of the app that failed last, else 0. What was stopped by a command
/// has not failed; what was given up has, whatever its code.
pub(super) fn exit_code(slots: &[SlotInfo], stopped_by_command: &BTreeSet<u32>) -> Option<u8> {
    let mut last: Option<(u64, u8)> = None;
    for slot in slots {
        let at_ms = slot.last_exit.as_ref().map_or(0, |exit| exit.at_ms);
        let code = match slot.status {
            Status::Online | Status::Launching | Status::Stopping | Status::WaitingRestart => return None,
            Status::Stopped if stopped_by_command.contains(&slot.id) => 0,
            Status::Stopped => slot.last_exit.as_ref().map_or(0, code_of),
            Status::Errored => slot.last_exit.as_ref().map_or(1, code_of).max(1),
        };
        if code != 0 && last.is_none_or(|(before, _)| before <= at_ms) {
            last = Some((at_ms, code));
        }
    }
    Some(last.map_or(0, |(_, code)| code))
}

fn code_of(exit: &ExitInfo) -> u8 {
    let signal = exit.signal.as_deref().and_then(signal::number).map(|number| BY_SIGNAL + number);
    let code = exit.code.or(signal).unwrap_or(1);
    // Codes have eight bits; what is cut off must not make a failure a success.
    u8::try_from(code).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_signals_become_exit_codes() {
        let exit =
            |code, signal: Option<&str>| ExitInfo { code, signal: signal.map(str::to_owned), at_ms: 0, lived_ms: 0 };
        assert_eq!(code_of(&exit(Some(0), None)), 0);
        assert_eq!(code_of(&exit(Some(7), None)), 7);
        assert_eq!(code_of(&exit(None, Some("SIGKILL"))), 137);
        assert_eq!(code_of(&exit(None, Some("SIGTERM"))), 143);
        assert_eq!(code_of(&exit(None, None)), 1);
    }

    #[test]
    fn without_an_app_there_is_nothing_to_wait_for() {
        assert_eq!(exit_code(&[], &BTreeSet::new()), Some(0));
    }
}
