//! `send-signal <signal> <target>`.

use clap::Args;

/// Which signal, and where to.
#[derive(Debug, Clone, Args)]
pub(crate) struct SendSignal {
    /// `SIGUSR2`, `USR2` or 12
    #[arg(value_name = "SIGNAL")]
    pub(crate) signal: String,
    /// Id, name, namespace, `all` or `/regex/`
    #[arg(required = true, value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
}
