//! How a run ended. A death by signal stays a signal; it is never told as exit code 0.

use serde::{Deserialize, Serialize};

use crate::{RunId, Time};

/// What the kernel said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExitStatus {
    Code(i32),
    Signal(i32),
    /// The run ended where nobody could ask the kernel.
    Unknown,
}

/// The end of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    pub run: RunId,
    pub status: ExitStatus,
    pub at: Time,
    /// How long it lived, ms.
    pub lived: u64,
}
