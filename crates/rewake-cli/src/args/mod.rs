//! From `argv` to a command and its options. PM2's options are global: they may stand before or after the verb, and
//! what follows `--` is the script's. Never prints and never exits.

pub(crate) mod jlist;
pub(crate) mod logs;
pub(crate) mod one;
pub(crate) mod options;
pub(crate) mod runtime;
pub(crate) mod scale;
pub(crate) mod send_signal;
pub(crate) mod start;
pub(crate) mod startup;
pub(crate) mod target;
pub(crate) mod update;
pub(crate) mod verb;

mod split;
#[cfg(test)]
mod tests;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory as _, Parser};
use rewake_wire::{ErrorCode, ErrorReply};

pub(crate) use options::Options;
pub(crate) use verb::Verb;

/// A line that was understood.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) command: Command,
    pub(crate) options: Options,
    /// What followed `--`; `None` without one.
    pub(crate) script_args: Option<Vec<String>>,
}

/// The verb with its own arguments.
#[derive(Debug)]
pub(crate) enum Command {
    Start(start::Start),
    Stop(target::Targets),
    Restart(target::Targets),
    Reload(target::Targets),
    Scale(scale::Scale),
    Delete(target::Targets),
    List,
    Jlist(jlist::Jlist),
    Prettylist,
    Describe(one::One),
    Logs(logs::Logs),
    Flush(target::Target),
    History(target::Target),
    Rotate(target::Target),
    ReloadLogs,
    Env(one::One),
    Pid(target::Target),
    Id(one::One),
    Ping,
    Reset(target::Targets),
    SendSignal(send_signal::SendSignal),
    Save,
    Resurrect,
    Runtime(runtime::Runtime),
    Startup(startup::Startup),
    Unstartup(startup::Startup),
    Kill,
    Update(update::Update),
    Version,
    /// Help of this verb, or of the whole program.
    Help(Option<Verb>),
    /// Nothing was asked for: the usage, and failure.
    Usage,
}

/// Reads the arguments after the program's name.
///
/// # Errors
/// An unknown verb or option, or arguments that do not fit the verb.
pub(crate) fn parse(argv: &[String]) -> Result<Line, ErrorReply> {
    let split = split::split(argv);
    let Some(name) = split.verb else {
        let (_, options) = fit::<target::Nothing>(None, &split.rest)?;
        let command = if options.version {
            Command::Version
        } else if options.help {
            Command::Help(None)
        } else {
            Command::Usage
        };
        return Ok(Line { command, options, script_args: None });
    };
    let verb = Verb::of(name).ok_or_else(|| unknown_verb(name))?;
    if verb == Verb::Help || split.rest.iter().any(|arg| *arg == "-h" || *arg == "--help") {
        let about = if verb == Verb::Help { split.rest.first().and_then(|name| Verb::of(name)) } else { Some(verb) };
        return Ok(Line { command: Command::Help(about), options: Options::default(), script_args: None });
    }
    let (mut command, options) = command(verb, &split.rest)?;
    if options.version {
        command = Command::Version;
    }
    Ok(Line { command, options, script_args: split.script_args.map(<[String]>::to_vec) })
}

/// The clap description of one verb, for its help.
pub(crate) fn description(verb: Verb) -> clap::Command {
    match verb {
        Verb::Start => Fit::<start::Start>::command(),
        Verb::Stop | Verb::Restart | Verb::Reload | Verb::Delete | Verb::Reset => Fit::<target::Targets>::command(),
        Verb::Flush | Verb::History | Verb::Rotate | Verb::Pid => Fit::<target::Target>::command(),
        Verb::Describe | Verb::Env | Verb::Id => Fit::<one::One>::command(),
        Verb::Jlist => Fit::<jlist::Jlist>::command(),
        Verb::Logs => Fit::<logs::Logs>::command(),
        Verb::Scale => Fit::<scale::Scale>::command(),
        Verb::Update => Fit::<update::Update>::command(),
        Verb::SendSignal => Fit::<send_signal::SendSignal>::command(),
        Verb::Runtime => Fit::<runtime::Runtime>::command(),
        Verb::Startup | Verb::Unstartup => Fit::<startup::Startup>::command(),
        Verb::List
        | Verb::Prettylist
        | Verb::ReloadLogs
        | Verb::Ping
        | Verb::Save
        | Verb::Resurrect
        | Verb::Kill
        | Verb::Version
        | Verb::Help => Fit::<target::Nothing>::command(),
    }
}

fn command(verb: Verb, rest: &[&str]) -> Result<(Command, Options), ErrorReply> {
    let at = Some(verb);
    Ok(match verb {
        Verb::Start => {
            let (mut own, mut options): (start::Start, Options) = fit(at, rest)?;
            own.targets.extend(options.later.script_taken_for_watch(own.targets.is_empty()));
            (Command::Start(own), options)
        }
        Verb::Stop => with(fit(at, rest)?, Command::Stop),
        Verb::Restart => with(fit(at, rest)?, Command::Restart),
        Verb::Reload => with(fit(at, rest)?, Command::Reload),
        Verb::Scale => with(fit(at, rest)?, Command::Scale),
        Verb::Delete => with(fit(at, rest)?, Command::Delete),
        Verb::List => plain(at, rest, Command::List)?,
        Verb::Jlist => with(fit(at, rest)?, Command::Jlist),
        Verb::Prettylist => plain(at, rest, Command::Prettylist)?,
        Verb::Describe => with(fit(at, rest)?, Command::Describe),
        Verb::Logs => with(fit(at, rest)?, Command::Logs),
        Verb::Flush => with(fit(at, rest)?, Command::Flush),
        Verb::History => with(fit(at, rest)?, Command::History),
        Verb::Rotate => with(fit(at, rest)?, Command::Rotate),
        Verb::ReloadLogs => plain(at, rest, Command::ReloadLogs)?,
        Verb::Env => with(fit(at, rest)?, Command::Env),
        Verb::Pid => with(fit(at, rest)?, Command::Pid),
        Verb::Id => with(fit(at, rest)?, Command::Id),
        Verb::Ping => plain(at, rest, Command::Ping)?,
        Verb::Reset => with(fit(at, rest)?, Command::Reset),
        Verb::SendSignal => with(fit(at, rest)?, Command::SendSignal),
        Verb::Save => plain(at, rest, Command::Save)?,
        Verb::Resurrect => plain(at, rest, Command::Resurrect)?,
        Verb::Runtime => {
            let (mut own, mut options): (runtime::Runtime, Options) = fit(at, rest)?;
            own.targets.extend(options.later.script_taken_for_watch(own.targets.is_empty()));
            own.forget_start();
            (Command::Runtime(own), options)
        }
        Verb::Startup => with(fit(at, rest)?, Command::Startup),
        Verb::Unstartup => with(fit(at, rest)?, Command::Unstartup),
        Verb::Kill => plain(at, rest, Command::Kill)?,
        Verb::Update => with(fit(at, rest)?, Command::Update),
        Verb::Version => plain(at, rest, Command::Version)?,
        Verb::Help => plain(at, rest, Command::Help(None))?,
    })
}

fn with<T>((own, options): (T, Options), command: impl FnOnce(T) -> Command) -> (Command, Options) {
    (command(own), options)
}

fn plain(verb: Option<Verb>, rest: &[&str], command: Command) -> Result<(Command, Options), ErrorReply> {
    let (target::Nothing {}, options) = fit(verb, rest)?;
    Ok((command, options))
}

/// A verb's own arguments together with the global options. One flat command: the verb is cut out before, which is
/// what lets options stand on both sides of it, and costs less than clap's tree of subcommands.
#[derive(Debug, Parser)]
#[command(name = "rewake", no_binary_name = true, disable_help_flag = true, disable_version_flag = true)]
#[command(args_override_self = true)]
struct Fit<T: Args> {
    #[command(flatten)]
    own: T,
    #[command(flatten)]
    options: Options,
}

fn fit<T: Args>(verb: Option<Verb>, rest: &[&str]) -> Result<(T, Options), ErrorReply> {
    match Fit::<T>::try_parse_from(rest) {
        Ok(fit) => Ok((fit.own, fit.options)),
        Err(error) => Err(explain(verb, &error)),
    }
}

fn unknown_verb(name: &str) -> ErrorReply {
    if let Some(advice) = Verb::absent(name) {
        let error = ErrorReply::new(ErrorCode::BadRequest, format!("command is not in this version, `{name}`"));
        return if advice.is_empty() { error } else { error.with_hint(advice) };
    }
    let error = ErrorReply::new(ErrorCode::BadRequest, format!("Command not found, `{name}`"));
    match Verb::nearest(name) {
        Some(nearest) => error.with_hint(format!("did you mean `rewake {nearest}`?")),
        None => error.with_hint("`rewake --help` lists the commands"),
    }
}

/// clap's error in our words.
fn explain(verb: Option<Verb>, error: &clap::Error) -> ErrorReply {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        Some(_) | None => None,
    };
    let argument = context(ContextKind::InvalidArg).unwrap_or_default();
    let value = context(ContextKind::InvalidValue).unwrap_or_default();
    let what = verb.map_or("", Verb::name);
    #[expect(clippy::wildcard_enum_match_arm, reason = "clap's enum, which is non-exhaustive")]
    let message = match error.kind() {
        ErrorKind::UnknownArgument if argument.starts_with('-') => format!("unknown option, `{argument}`"),
        ErrorKind::UnknownArgument => format!("one argument too many for `{what}`, `{argument}`"),
        ErrorKind::MissingRequiredArgument => format!("missing argument for `{what}`, {argument}"),
        ErrorKind::InvalidValue if value.is_empty() => format!("missing value, for `{argument}`"),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => format!("wrong value for `{argument}`, `{value}`"),
        ErrorKind::TooManyValues | ErrorKind::WrongNumberOfValues => format!("option takes no value, `{argument}`"),
        ErrorKind::ArgumentConflict => {
            let other = context(ContextKind::PriorArg).unwrap_or_default();
            format!("options exclude each other, `{argument}` and `{other}`")
        }
        _ => error.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned(),
    };
    let reply = ErrorReply::new(ErrorCode::BadRequest, message);
    match (context(ContextKind::SuggestedArg), verb) {
        (Some(near), _) => reply.with_hint(format!("did you mean `{near}`?")),
        (None, Some(verb)) => reply.with_hint(format!("see `rewake {} --help`", verb.name())),
        (None, None) => reply.with_hint("see `rewake --help`"),
    }
}
