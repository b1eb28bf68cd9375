//! What a command over several slots did, slot by slot. Failures are the caller's to tell.

use rewake_wire::{SlotInfo, SlotResult, Status};

use super::safe;

/// `started web (id 0, pid 123)`.
pub(crate) fn line(past: &str, slot: &SlotResult) -> String {
    let name = safe(&slot.name);
    match &slot.info {
        Some(SlotInfo { pid: Some(pid), status: Status::Online | Status::Launching, .. }) => {
            format!("{past} {name} (id {}, pid {pid})", slot.id)
        }
        Some(_) | None => format!("{past} {name} (id {})", slot.id),
    }
}

/// `web (id 0) has ended: code 1 after 30ms, at …`, when a run that began since `since_ms` has, or why there was none.
pub(crate) fn early_end(slot: &SlotResult, since_ms: u64) -> Option<String> {
    let info = slot.info.as_ref()?;
    let name = safe(&slot.name);
    match (&info.last_exit, &info.reason) {
        // A run that began before the command was ended by it, in a restart.
        (Some(exit), _) if exit.at_ms.saturating_sub(exit.lived_ms) >= since_ms => {
            Some(format!("{name} (id {}) has ended: {}", slot.id, super::describe::exit_text(exit)))
        }
        (_, Some(reason)) if info.status == Status::Errored => {
            Some(format!("{name} (id {}) does not run: {}", slot.id, safe(reason)))
        }
        (Some(_) | None, Some(_) | None) => None,
    }
}

#[cfg(test)]
mod tests {
    use rewake_wire::ExitInfo;

    use super::*;
    use crate::ui::list::tests::slot;

    fn result(info: SlotInfo) -> SlotResult {
        SlotResult { id: info.id, name: info.name.clone(), error: None, info: Some(info) }
    }

    #[test]
    fn a_run_of_this_command_that_ended_is_told_and_the_one_before_it_is_not() {
        let mut info = slot(0, "web");
        assert_eq!(early_end(&result(info.clone()), 1000), None);
        info.last_exit = Some(ExitInfo { code: Some(3), signal: None, at_ms: 1050, lived_ms: 40 });
        let text = early_end(&result(info.clone()), 1000).unwrap();
        assert!(text.starts_with("web (id 0) has ended: code 3 after 40ms"), "{text}");
        // The run that a restart ended.
        info.last_exit = Some(ExitInfo { code: None, signal: Some("SIGINT".into()), at_ms: 1050, lived_ms: 900 });
        assert_eq!(early_end(&result(info), 1000), None);
    }

    #[test]
    fn a_pid_is_told_only_of_what_runs() {
        let mut info = slot(0, "web");
        assert_eq!(line("started", &result(info.clone())), "started web (id 0, pid 1000)");
        (info.status, info.pid) = (Status::Stopped, None);
        assert_eq!(line("stopped", &result(info)), "stopped web (id 0)");
    }
}
