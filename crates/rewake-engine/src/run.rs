//! What the engine holds of one live run: its pid, its channel. Dropped when the core releases the run.

use std::os::fd::OwnedFd;
use std::rc::Rc;

use rewake_core::SlotId;
use rewake_wire::keeper::{Exit, FdKind};

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
    pub(crate) last_look: Option<LastLook>,
    pub(crate) exited: bool,
    /// It was asked to end before it did.
    pub(crate) asked: bool,
    /// How, as the keeper told.
    pub(crate) exit: Option<Exit>,
    /// What the keeper holds of it, for another keeper: copies of what is read here, the pidfd first.
    pub(crate) held: Vec<(FdKind, Rc<OwnedFd>)>,
    /// When the kernel says that it started; 0 while that is not known.
    pub(crate) start_ticks: u64,
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
            last_look: None,
            exited: false,
            asked: false,
            exit: None,
            held: Vec::new(),
            start_ticks: 0,
        }
    }
}

impl Run {
    /// Its process.
    pub(crate) fn pidfd(&self) -> Option<&Rc<OwnedFd>> {
        self.held.iter().find(|(kind, _)| *kind == FdKind::Pid).map(|(_, fd)| fd)
    }
}
