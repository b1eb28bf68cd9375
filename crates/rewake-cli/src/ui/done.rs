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

/// `web (id 0) has ended: code 1 after 30ms, at …`, when its run ended since `since_ms`, or why there was none.
pub(crate) fn early_end(slot: &SlotResult, since_ms: u64) -> Option<String> {
    let info = slot.info.as_ref()?;
    let name = safe(&slot.name);
    match (&info.last_exit, &info.reason) {
        (Some(exit), _) if exit.at_ms >= since_ms => {
            Some(format!("{name} (id {}) has ended: {}", slot.id, super::describe::exit_text(exit)))
        }
        (_, Some(reason)) if info.status == Status::Errored => {
            Some(format!("{name} (id {}) does not run: {}", slot.id, safe(reason)))
        }
        (Some(_) | None, Some(_) | None) => None,
    }
}
