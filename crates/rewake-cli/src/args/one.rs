//! Verbs that look at exactly what they are told.

use clap::Args;

/// One target, which must be given.
#[derive(Debug, Clone, Args)]
pub(crate) struct One {
    /// Id, name or namespace
    #[arg(value_name = "TARGET")]
    pub(crate) target: String,
}
