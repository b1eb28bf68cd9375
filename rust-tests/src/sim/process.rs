//! One pretend process: what is true of it, whoever knows. Does nothing by itself.

use rewake_core::{ExitStatus, SlotId, Time};

use super::nature::{Nature, Tree};

/// One process and the group it leads.
#[derive(Debug)]
pub struct Process {
    pub(super) slot: SlotId,
    pub(super) nature: Nature,
    pub(super) life: Life,
    /// When its birth is reported.
    pub(super) announced: Time,
    /// What is alive of the rest of its group.
    pub(super) tree: Option<Tree>,
    /// Whether the end of the tree is waited for and reported.
    pub(super) watched: bool,
    pub(super) exit_reported: bool,
    /// The same, but stays when its end is told once more.
    pub(super) known_dead: bool,
    pub(super) released: bool,
    /// It ends for a reason of its own; see `World::end`.
    pub(super) doomed: bool,
    /// Its slot is forgotten; see `World::put_away`.
    pub(super) put_away: bool,
}

/// Where it is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// Alive, or not yet known to have failed.
    Alive,
    NeverMade,
    Dead(How),
}

/// `ExitStatus` with an order, for the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum How {
    Code(i32),
    Signal(i32),
    Unknown,
}

impl Process {
    /// One that was just ordered.
    pub(super) fn new(slot: SlotId, nature: Nature, announced: Time, watched: bool) -> Self {
        let life = if nature.stillborn.is_some() { Life::NeverMade } else { Life::Alive };
        Self {
            slot,
            tree: nature.tree,
            nature,
            life,
            announced,
            watched,
            exit_reported: false,
            known_dead: false,
            released: false,
            doomed: false,
            put_away: false,
        }
    }

    /// Whether what it has left behind is alive and waited for.
    #[must_use]
    pub fn lingers(&self) -> bool {
        matches!(self.life, Life::Dead(_)) && self.watched && self.tree.is_some()
    }

    /// The slot that it was made for.
    #[must_use]
    pub fn slot(&self) -> SlotId {
        self.slot
    }

    /// Whether the process itself is alive or being made.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.life == Life::Alive
    }

    /// Whether its end was told.
    #[must_use]
    pub fn is_reported_dead(&self) -> bool {
        self.exit_reported
    }

    /// Whether its end was told to this daemon or to the one before, whose orders are repeated.
    #[must_use]
    pub fn is_known_dead(&self) -> bool {
        self.known_dead
    }

    /// Whether SIGKILL ends it and its tree.
    #[must_use]
    pub fn is_mortal(&self) -> bool {
        match self.life {
            Life::Alive => self.nature.mortal.is_some(),
            Life::NeverMade | Life::Dead(_) => self.tree.is_none_or(|tree| tree.mortal.is_some()),
        }
    }

    /// Whether it was let go of.
    #[must_use]
    pub fn is_released(&self) -> bool {
        self.released
    }
}

impl From<ExitStatus> for How {
    fn from(status: ExitStatus) -> Self {
        match status {
            ExitStatus::Code(code) => Self::Code(code),
            ExitStatus::Signal(signal) => Self::Signal(signal),
            ExitStatus::Unknown => Self::Unknown,
        }
    }
}

impl From<How> for ExitStatus {
    fn from(how: How) -> Self {
        match how {
            How::Code(code) => Self::Code(code),
            How::Signal(signal) => Self::Signal(signal),
            How::Unknown => Self::Unknown,
        }
    }
}
