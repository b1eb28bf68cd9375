//! The verbs and the other names PM2 gives them. Never their arguments.

/// What a command line asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Start,
    Stop,
    Restart,
    Reload,
    Scale,
    Delete,
    List,
    Jlist,
    Prettylist,
    Describe,
    Logs,
    Flush,
    History,
    Rotate,
    ReloadLogs,
    Env,
    Pid,
    Id,
    Ping,
    Reset,
    SendSignal,
    Save,
    Resurrect,
    Runtime,
    Startup,
    Unstartup,
    Kill,
    Update,
    Version,
    Help,
}

/// Each verb with its names, the first one ours, and what it does.
pub(crate) const VERBS: &[(Verb, &[&str], &str)] = &[
    (Verb::Start, &["start", "startOrRestart"], "start a script, a command line, a process file, or what is listed"),
    (Verb::Stop, &["stop"], "stop, and keep in the list"),
    (Verb::Restart, &["restart"], "stop and start again"),
    (
        Verb::Reload,
        &["reload", "gracefulReload", "startOrReload", "startOrGracefulReload"],
        "put new processes in place of the present ones, without a gap in cluster mode",
    ),
    (Verb::Scale, &["scale"], "change the number of instances of an app"),
    (Verb::Delete, &["delete", "del"], "stop, and take off the list"),
    (Verb::List, &["list", "ls", "l", "ps", "status"], "show all apps"),
    (Verb::Describe, &["describe", "desc", "info", "show"], "show all about one app"),
    (Verb::Logs, &["logs", "log"], "show the last lines, and follow"),
    (Verb::Flush, &["flush"], "empty log files"),
    (Verb::History, &["history"], "show how processes have ended, with their last lines"),
    (Verb::Rotate, &["rotate"], "put log files aside and begin new ones"),
    (Verb::ReloadLogs, &["reloadLogs", "reload-logs"], "open log files anew that were moved away"),
    (Verb::Reset, &["reset"], "set the restart counters to zero"),
    (Verb::SendSignal, &["send-signal", "sendSignal"], "send a signal"),
    (Verb::Env, &["env"], "show the environment of an app"),
    (Verb::Pid, &["pid"], "print process ids"),
    (Verb::Id, &["id"], "print the ids of an app"),
    (Verb::Jlist, &["jlist"], "show all apps as JSON"),
    (Verb::Prettylist, &["prettylist"], "show all apps as indented JSON"),
    (Verb::Save, &["save", "dump"], "write the list down for `resurrect`"),
    (Verb::Resurrect, &["resurrect"], "start what was saved"),
    (Verb::Runtime, &["runtime"], "run apps in the foreground, as a container's first process"),
    (Verb::Startup, &["startup"], "have systemd start all again at boot"),
    (Verb::Unstartup, &["unstartup"], "undo `startup`"),
    (Verb::Ping, &["ping"], "ask the daemon for an answer"),
    (Verb::Kill, &["kill"], "stop everything, and the daemon"),
    (
        Verb::Update,
        &["update", "updatePM2"],
        "let this executable go on in place of the daemon's; no process is touched",
    ),
    (Verb::Version, &["version"], "show the versions of program and daemon"),
    (Verb::Help, &["help"], "show help"),
];

/// PM2's other verbs, with what does the same here, if anything.
const ABSENT: &[(&[&str], &str)] = &[
    (&["monit", "dashboard", "dash", "imonit"], "`rewake list` and `rewake logs` show what there is"),
    (&["cleardump"], "`rewake delete all` and `rewake save --force` do it"),
    (&["send", "attach", "trigger", "inspect", "serve", "expose", "deploy"], ""),
    (&["set", "get", "unset", "multiset", "conf", "config", "ecosystem", "init", "create"], ""),
    (&["install", "uninstall", "module:install", "module:uninstall", "module:update", "publish"], ""),
    (&["pull", "forward", "backward", "profile:cpu", "profile:mem", "slist", "sysinfos", "report"], ""),
    (&["link", "unlink", "plus", "register", "login", "logout", "monitor", "unmonitor", "open"], ""),
    (&["completion", "examples", "logrotate", "deepUpdate"], ""),
];

impl Verb {
    /// Advice about a verb that PM2 has and this version has not, if it is one; it may be empty.
    pub(crate) fn absent(name: &str) -> Option<&'static str> {
        ABSENT.iter().find(|(names, _)| names.contains(&name)).map(|(_, advice)| *advice)
    }

    /// The verb of this name, if there is one.
    pub(crate) fn of(name: &str) -> Option<Self> {
        VERBS.iter().find(|(_, names, _)| names.contains(&name)).map(|(verb, _, _)| *verb)
    }

    /// Its own name.
    pub(crate) fn name(self) -> &'static str {
        VERBS.iter().find(|(verb, _, _)| *verb == self).map_or("", |(_, names, _)| names[0])
    }

    /// What it does, in half a sentence.
    pub(crate) fn about(self) -> &'static str {
        VERBS.iter().find(|(verb, _, _)| *verb == self).map_or("", |(_, _, about)| *about)
    }

    /// The known name that is most like `name`, if one is close.
    pub(crate) fn nearest(name: &str) -> Option<&'static str> {
        let names = VERBS.iter().flat_map(|(_, names, _)| names.iter().copied());
        let ranked = names.map(|known| (strsim::damerau_levenshtein(known, name), known));
        ranked.min().filter(|(distance, known)| *distance <= 1 + known.len() / 4).map(|(_, known)| known)
    }
}
