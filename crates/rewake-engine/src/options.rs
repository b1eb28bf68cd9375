//! What an engine is told before it begins. Never changes after that.

use std::path::PathBuf;
use std::time::Duration;

/// Where the engine lives, and what it begins with.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The folder for the table and the logs; `None`: nothing is kept, nothing is written.
    pub home: Option<PathBuf>,
    pub begin: Begin,
    /// How often the keeper is told that the loop turns; `None`: it does not ask.
    pub sign_every: Option<Duration>,
}

/// What the first engine of a keeper begins with. A later one goes on from what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Begin {
    /// With the list. What was ended in order waits until somebody asks.
    #[default]
    Listed,
    /// With the list, or where that is empty with what was saved; what ought to run is started.
    Booted,
    /// With nothing. The home's own list is neither read nor touched.
    Empty,
}
