//! One file per verb: ask the daemon, show the answer. Nothing here decides what happens to an app.

mod apps;
mod delete;
mod describe;
mod env;
mod flush;
mod history;
mod id;
mod jlist;
mod kill;
mod list;
mod logs;
mod pid;
mod ping;
mod reload;
mod reload_logs;
mod reset;
mod restart;
mod resurrect;
mod rotate;
pub(crate) mod runtime;
mod save;
mod scale;
mod send_signal;
mod session;
mod start;
mod startup;
mod stop;
mod update;
mod version;

use rewake_wire::ErrorReply;

use crate::args::{Command, Line};
use crate::ui::Ui;
use session::Session;

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// To be told.
    Untold(ErrorReply),
    /// Several at once, as of a file in which more than one thing is wrong.
    Several(Vec<ErrorReply>),
    /// The user has been told all of it.
    Told,
}

impl From<ErrorReply> for Failure {
    fn from(error: ErrorReply) -> Self {
        Self::Untold(error)
    }
}

impl From<rewake_client::ClientError> for Failure {
    fn from(error: rewake_client::ClientError) -> Self {
        Self::Untold(error.to_reply())
    }
}

/// Runs a command to its end.
///
/// # Errors
/// Whatever makes the exit code 1.
pub(crate) async fn run(line: Line, ui: &Ui) -> Result<(), Failure> {
    let Line { command, options, script_args } = line;
    if let Command::Help(verb) = command {
        ui.help(verb);
        return Ok(());
    }
    if let Command::Usage = command {
        ui.help(None);
        return Err(Failure::Told);
    }
    for option in options.later.without_effect() {
        ui.warn(&format!("`{option}` has no effect in this version"));
    }
    // About files of the init system: whether there is a home does not matter.
    if let Command::Startup(args) = &command {
        return startup::run(ui, &options, args);
    }
    if let Command::Unstartup(args) = &command {
        return startup::undo(ui, &options, args);
    }
    let mut session = Session::new(ui, options)?;
    let session = &mut session;
    match command {
        Command::Start(args) => start::run(session, args.targets, script_args.unwrap_or_default()).await,
        Command::Stop(args) => stop::run(session, args.targets).await,
        Command::Restart(args) => restart::run(session, args.targets, script_args.is_some()).await,
        Command::Reload(args) => reload::run(session, args.targets, script_args.is_some()).await,
        Command::Scale(args) => scale::run(session, args).await,
        Command::Delete(args) => delete::run(session, args.targets).await,
        Command::List => list::run(session).await,
        Command::Jlist(args) => jlist::run(session, args.with_env).await,
        Command::Prettylist => jlist::pretty(session).await,
        Command::Describe(args) => describe::run(session, args.target).await,
        Command::Logs(args) => logs::run(session, args).await,
        Command::Flush(args) => flush::run(session, args.target).await,
        Command::History(args) => history::run(session, args.target).await,
        Command::Rotate(args) => rotate::run(session, args.target).await,
        Command::ReloadLogs => reload_logs::run(session).await,
        Command::Env(args) => env::run(session, args.target).await,
        Command::Pid(args) => pid::run(session, args.target).await,
        Command::Id(args) => id::run(session, args.target).await,
        Command::Ping => ping::run(session).await,
        Command::Reset(args) => reset::run(session, args.targets).await,
        Command::SendSignal(args) => send_signal::run(session, args.signal, args.targets).await,
        Command::Save => save::run(session).await,
        Command::Resurrect => resurrect::run(session).await,
        Command::Kill => kill::run(session).await,
        Command::Update(args) => update::run(session, args.executable).await,
        Command::Version => version::run(session).await,
        // Done above, or by `main`: these are no clients.
        Command::Startup(_) | Command::Unstartup(_) | Command::Runtime(_) | Command::Help(_) | Command::Usage => Ok(()),
    }
}
