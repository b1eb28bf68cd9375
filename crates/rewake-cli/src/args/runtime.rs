//! `runtime [targets] [-- script arguments]`: what `pm2-runtime` takes.

use clap::Args;

/// What to run, and how its output is shown.
#[derive(Debug, Clone, Args)]
pub(crate) struct Runtime {
    /// Script, program, command line or process file
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// Lines as they are, errors on stderr [default]
    #[arg(long)]
    raw: bool,
    /// Lines behind `id|name | `
    #[arg(long)]
    pub(crate) formatted: bool,
    /// Lines as `timestamp=… app=… id=… type=… message=…`
    #[arg(long)]
    pub(crate) format: bool,
    /// Stay when nothing is left to run
    #[arg(long)]
    pub(crate) no_auto_exit: bool,

    #[arg(long, hide = true)]
    auto_exit: bool,
    #[arg(long, hide = true, allow_hyphen_values = true)]
    delay: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "true")]
    web: Option<String>,
    // Of PM2's hosted service.
    #[arg(long, hide = true, allow_hyphen_values = true)]
    secret: Option<String>,
    #[arg(long, hide = true, allow_hyphen_values = true)]
    public: Option<String>,
    #[arg(long, hide = true, allow_hyphen_values = true)]
    machine_name: Option<String>,
}

impl Runtime {
    /// `runtime start app.js`: the verb that PM2 lets its users write here.
    pub(super) fn forget_start(&mut self) {
        if self.targets.len() > 1 && self.targets.first().is_some_and(|word| word == "start") {
            self.targets.remove(0);
        }
    }

    /// What was given that does nothing here.
    pub(crate) fn without_effect(&self) -> impl Iterator<Item = &'static str> {
        let given = [("--delay", self.delay.is_some()), ("--web", self.web.is_some())];
        given.into_iter().filter(|(_, given)| *given).map(|(option, _)| option)
    }
}
