//! `logs [target]`: last lines, then what comes.

use clap::Args;

/// What to show, and how.
#[derive(Debug, Clone, Args)]
pub(crate) struct Logs {
    /// Id, name, namespace, `all` or `/regex/`
    #[arg(value_name = "TARGET")]
    pub(crate) target: Option<String>,
    /// Lines from the end of each file
    #[arg(long, value_name = "N", default_value_t = 15)]
    pub(crate) lines: usize,
    /// Only its output
    #[arg(long = "out", conflicts_with = "only_err")]
    pub(crate) only_out: bool,
    /// Only its errors
    #[arg(long = "err")]
    pub(crate) only_err: bool,
    /// Lines as they are, without label
    #[arg(long)]
    pub(crate) raw: bool,
    /// Lines as `app=… id=… type=… message=…`
    #[arg(long)]
    pub(crate) format: bool,
    /// Only the last lines, do not follow
    #[arg(long)]
    pub(crate) nostream: bool,
    /// Time before each followed line [default format: YYYY-MM-DDTHH:mm:ss]
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, default_missing_value = "YYYY-MM-DDTHH:mm:ss")]
    pub(crate) timestamp: Option<String>,
    /// Mark this text
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) highlight: Option<String>,
}
