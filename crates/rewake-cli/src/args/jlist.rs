//! `jlist`: the list as JSON.

use clap::Args;

/// How much of it.
#[derive(Debug, Clone, Args)]
pub(crate) struct Jlist {
    /// With each app's environment, secrets included
    #[arg(long)]
    pub(crate) with_env: bool,
}
