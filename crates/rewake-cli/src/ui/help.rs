//! Usage texts, from the same definitions that parse. A verb's help shows the options that mean something to it.

use crate::args::options::{APP, LIFE, LOGS, SHOWN};
use crate::args::verb::VERBS;
use crate::args::{Verb, description, logs};

/// The program's usage.
pub(super) fn usage() -> String {
    let mut text = String::from(
        "rewake keeps Node.js applications, and any other program, running.\n\n\
         Usage: rewake <command> [target...] [options] [-- script arguments]\n\nCommands:\n",
    );
    for (_, names, about) in VERBS {
        let (name, aliases) = names.split_first().map_or(("", &[][..]), |(name, rest)| (*name, rest));
        let shown = if aliases.is_empty() { name.to_owned() } else { format!("{name} ({})", aliases.join(", ")) };
        text.push_str(&format!("  {shown:<30} {about}\n"));
    }
    text.push_str(
        "\nTargets are ids, names, namespaces, `all`, `/regex/` or process files.\n\
         `rewake <command> --help` shows the options of a command.\n",
    );
    text
}

/// Usage and options of one verb.
pub(super) fn verb(verb: Verb) -> String {
    let shown: &[&str] = match verb {
        Verb::Start | Verb::Runtime => &[APP, LIFE, LOGS, SHOWN],
        Verb::Stop
        | Verb::Restart
        | Verb::Reload
        | Verb::Scale
        | Verb::Delete
        | Verb::List
        | Verb::Jlist
        | Verb::Prettylist
        | Verb::Describe
        | Verb::Logs
        | Verb::Flush
        | Verb::History
        | Verb::Rotate
        | Verb::ReloadLogs
        | Verb::Env
        | Verb::Pid
        | Verb::Id
        | Verb::Ping
        | Verb::Reset
        | Verb::SendSignal
        | Verb::Save
        | Verb::Resurrect
        | Verb::Startup
        | Verb::Unstartup
        | Verb::Kill
        | Verb::Update
        | Verb::Version
        | Verb::Help => &[SHOWN],
    };
    let own: &[&str] = match verb {
        Verb::Restart => &["env", "update_env", "only"],
        Verb::Reload => &["env", "update_env", "only", "parallel", "no_wait"],
        Verb::Stop | Verb::Delete => &["only"],
        Verb::Save => &["force"],
        Verb::Startup | Verb::Unstartup => &["uid", "hp", "service_name", "wait_ip"],
        Verb::Start
        | Verb::Runtime
        | Verb::Scale
        | Verb::List
        | Verb::Jlist
        | Verb::Prettylist
        | Verb::Describe
        | Verb::Logs
        | Verb::Flush
        | Verb::History
        | Verb::Rotate
        | Verb::ReloadLogs
        | Verb::Env
        | Verb::Pid
        | Verb::Id
        | Verb::Ping
        | Verb::Reset
        | Verb::SendSignal
        | Verb::Resurrect
        | Verb::Kill
        | Verb::Update
        | Verb::Version
        | Verb::Help => &[],
    };
    let script_args = if matches!(verb, Verb::Start | Verb::Runtime) { " [-- script arguments]" } else { "" };
    let mut command = description(verb).mut_args(|arg| {
        let heading = arg.get_help_heading();
        let kept = heading.is_none_or(|heading| shown.contains(&heading)) || own.contains(&arg.get_id().as_str());
        let hidden = arg.is_hide_set();
        // What only one verb uses is hidden from all the others.
        let named = own.contains(&arg.get_id().as_str());
        arg.hide((hidden && !named) || !kept)
    });
    let positionals: Vec<String> = command.get_positionals().map(ToString::to_string).collect();
    let arguments = positionals.iter().map(|argument| format!(" {argument}")).collect::<String>();
    command = command
        .about(verb.about())
        .override_usage(format!("rewake {}{arguments} [options]{script_args}", verb.name()))
        .color(clap::ColorChoice::Never);
    if verb == Verb::Logs {
        command = command.after_help(logs::NOTES);
    }
    command.render_help().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_verb_shows_its_own_options_and_hides_the_rest() {
        let start = verb(Verb::Start);
        for word in ["Usage: rewake start", "--name", "--kill-timeout", "--output", "--json", "-- script arguments"] {
            assert!(start.contains(word), "{word}\n{start}");
        }
        assert!(!start.contains("--no-vizion"), "{start}");
        let logs = verb(Verb::Logs);
        assert!(
            logs.contains("--lines")
                && logs.contains("pino")
                && logs.contains("--silent")
                && !logs.contains("--kill-timeout"),
            "{logs}"
        );
        assert!(verb(Verb::Restart).contains("--update-env"));
        assert!(verb(Verb::Save).contains("--force"));
        for (_, names, _) in VERBS {
            assert!(usage().contains(names[0]));
        }
    }
}
