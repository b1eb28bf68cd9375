//! What the engine holds of one live run: its pid, its channel. Dropped when the core releases the run.

use std::os::fd::OwnedFd;

use rewake_core::SlotId;

use crate::ipc::Ipc;
use crate::sample::LastLook;

/// One run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) slot: SlotId,
    /// Known once it has been spawned.
    pub(crate) pid: Option<u32>,
    pub(crate) started_at_ms: u64,
    /// The option that names its debugger's port, if we gave it one.
    pub(crate) inspect_port: Option<String>,
    pub(crate) ipc: Option<Ipc>,
    /// Our end of its stdin; held so that reading from it waits instead of ending.
    pub(crate) stdin: Option<OwnedFd>,
    pub(crate) pidfd: Option<OwnedFd>,
    pub(crate) last_look: Option<LastLook>,
    pub(crate) exited: bool,
    /// It was asked to end before it did.
    pub(crate) asked: bool,
}

impl Run {
    /// A run that has been ordered.
    pub(crate) fn ordered(slot: SlotId, now_ms: u64) -> Self {
        Self {
            slot,
            pid: None,
            started_at_ms: now_ms,
            inspect_port: None,
            ipc: None,
            stdin: None,
            pidfd: None,
            last_look: None,
            exited: false,
            asked: false,
        }
    }
}
