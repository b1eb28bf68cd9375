//! What a verb is aimed at: id, name, namespace, `all`, `/regex/`, or a process file.

use clap::Args;

/// One target or several.
#[derive(Debug, Clone, Args)]
pub(crate) struct Targets {
    /// Id, name, namespace, `all`, `/regex/`, or a process file
    #[arg(required = true, value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
}

/// At most one target; none means all.
#[derive(Debug, Clone, Args)]
pub(crate) struct Target {
    /// Id, name, namespace, `all` or `/regex/`
    #[arg(value_name = "TARGET")]
    pub(crate) target: Option<String>,
}

/// Nothing but the options.
#[derive(Debug, Clone, Args)]
pub(crate) struct Nothing {}
