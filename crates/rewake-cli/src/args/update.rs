//! Arguments of `update`.

use std::path::PathBuf;

/// What is to go on.
#[derive(Debug, clap::Args)]
pub(crate) struct Update {
    /// The executable that takes over; this one, if none is named
    #[arg(value_name = "executable")]
    pub(crate) executable: Option<PathBuf>,
}
