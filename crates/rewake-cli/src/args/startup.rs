//! `startup [platform]` and `unstartup [platform]`.

use clap::Args;

/// How the supervisor is to be started at boot.
#[derive(Debug, Clone, Args)]
pub(crate) struct Startup {
    /// systemd, the default; this version knows no other
    #[arg(value_name = "PLATFORM")]
    pub(crate) platform: Option<String>,
    /// A unit of the whole system, which needs root's rights [default for root, and with --user]
    #[arg(long)]
    pub(crate) system: bool,
    /// Show the unit, and write nothing
    #[arg(long)]
    pub(crate) print: bool,
}
