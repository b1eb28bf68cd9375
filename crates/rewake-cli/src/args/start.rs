//! `start [targets] [-- script arguments]`.

use clap::Args;

/// What to start.
#[derive(Debug, Clone, Args)]
pub(crate) struct Start {
    /// Script, program, command line, process file, `-` for JSON on stdin, or the name, id or namespace of a listed app
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
}
