//! Lines that PM2's users type, and what they must mean.

use serde_json::json;

use super::{Command, Line, Options, Verb, parse};

fn line(text: &str) -> Line {
    let argv: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    parse(&argv).unwrap_or_else(|error| panic!("`{text}`: {error}"))
}

fn refusal(text: &str) -> (String, String) {
    let argv: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    match parse(&argv) {
        Ok(line) => panic!("`{text}` was understood as {line:?}"),
        Err(error) => (error.message, error.hint.unwrap_or_default()),
    }
}

fn start(text: &str) -> (Vec<String>, Options, Option<Vec<String>>) {
    let Line { command: Command::Start(start), options, script_args } = line(text) else { panic!("no start: {text}") };
    (start.targets, options, script_args)
}

#[test]
fn options_stand_before_or_after_the_verb() {
    for text in [
        "start app.js -n web -i 4 --no-autorestart",
        "-n web start app.js -i 4 --no-autorestart",
        "--no-autorestart -nweb -i4 start app.js",
        "--name=web --instances 4 --no-autorestart start app.js",
    ] {
        let (targets, options, _) = start(text);
        assert_eq!(targets, ["app.js"], "{text}");
        let expected = json!({"name": "web", "instances": 4, "autorestart": false});
        assert_eq!(serde_json::Value::Object(options.overrides()), expected, "{text}");
    }
}

#[test]
fn a_value_that_looks_like_a_verb_is_a_value() {
    let (targets, options, _) = start("-n list start app.js");
    assert_eq!(targets, ["app.js"]);
    assert_eq!(options.name.as_deref(), Some("list"));
    let (targets, options, _) = start("-fan stop start app.js");
    assert_eq!((targets, options.name.as_deref()), (vec!["app.js".to_owned()], Some("stop")));
    assert!(options.force && options.update_env);
}

#[test]
fn what_follows_two_dashes_is_the_scripts_untouched() {
    let (targets, options, args) = start("start app.js -n web -- --name other -i 2 -- x");
    assert_eq!(targets, ["app.js"]);
    assert_eq!(options.name.as_deref(), Some("web"));
    assert_eq!(args.unwrap(), ["--name", "other", "-i", "2", "--", "x"]);
    assert_eq!(start("start app.js --").2, Some(Vec::new()));
    assert_eq!(start("start app.js").2, None);
    // Also the names of our own options.
    assert_eq!(start("start app.js -- --help -v").2.unwrap(), ["--help", "-v"]);
}

#[test]
fn values_may_begin_with_a_dash() {
    let (_, options, _) = start("start app.js --node-args --inspect -i -1");
    assert_eq!(options.node_args.as_deref(), Some("--inspect"));
    assert_eq!(options.overrides()["instances"], json!(-1));
    assert_eq!(start("start app.js -i max").1.overrides()["instances"], json!("max"));
}

#[test]
fn env_sets_a_variable_or_selects_an_environment() {
    let (_, options, _) = start("start app.config.js --env production --env A=1 --env B=x=y --env C=");
    assert_eq!(options.env_name().as_deref(), Some("production"));
    assert_eq!(options.overrides()["env"], json!({"A": "1", "B": "x=y", "C": ""}));
    assert_eq!(start("start app.js --env A=1").1.env_name(), None);
}

#[test]
fn every_alias_means_its_verb() {
    for (name, expected) in [
        ("ls", Verb::List),
        ("l", Verb::List),
        ("ps", Verb::List),
        ("status", Verb::List),
        ("list", Verb::List),
        ("del", Verb::Delete),
        ("desc", Verb::Describe),
        ("info", Verb::Describe),
        ("show", Verb::Describe),
        ("log", Verb::Logs),
        ("sendSignal", Verb::SendSignal),
        ("send-signal", Verb::SendSignal),
        ("dump", Verb::Save),
    ] {
        assert_eq!(Verb::of(name), Some(expected), "{name}");
    }
    assert!(matches!(line("ls -m").command, Command::List));
    assert!(
        matches!(line("log web --lines 3 --nostream").command, Command::Logs(logs) if logs.lines == Some(3) && logs.nostream)
    );
    assert!(
        matches!(line("--lines 3 log").command, Command::Logs(logs) if logs.lines == Some(3) && logs.target.is_none())
    );
    assert!(matches!(line("sendSignal USR2 web api").command, Command::SendSignal(it) if it.targets == ["web", "api"]));
}

#[test]
fn all_of_pm2s_options_are_accepted() {
    let flags = "--watch --ignore-watch=node_modules --watch-delay 4000ms --max-memory-restart 300M -c * --cron-restart=0 \
        --cron=0 --time --log-date-format YYYY --log-type json -p x.pid --source-map-support --disable-source-map-support \
        --no-vizion --no-pmx --no-automation --trace --disable-trace --v8 --event-loop-inspector --deep-monitoring \
        --no-daemon --parallel 4 --ext js -w --attach --hp /x --service-name x --wait-ip --no-treekill --uid 1 --gid 1 \
        -u www --user www --filter-env --merge-logs --disable-logs -o o -e e -l -k 100 --listen-timeout 5 \
        --shutdown-with-message --restart-delay 1 --exp-backoff-restart-delay 1 --max-restarts 1 --stop-exit-codes 0 \
        --interpreter-args --harmony --interpreter bash -x -f -a -s -m --no-color --sort name:asc --only a,b --wait-ready";
    for text in [format!("start app.js {flags}"), format!("{flags} start app.js"), format!("stop app.js {flags}")] {
        line(&text);
    }
    let overrides = start(&format!("start app.js {flags}")).1.overrides();
    for (key, value) in [
        ("watch", json!(true)),
        ("max_memory_restart", json!("300M")),
        ("cron_restart", json!("0")),
        ("time", json!(true)),
        ("treekill", json!(false)),
        ("filter_env", json!(true)),
        ("log_file", json!(true)),
        ("exec_mode", json!("fork")),
        ("node_args", json!("--harmony")),
        ("stop_exit_codes", json!([0])),
    ] {
        assert_eq!(overrides.get(key), Some(&value), "{key}");
    }
}

#[test]
fn each_socket_is_one_more() {
    let (targets, options, _) = start("--socket 3000 start app.py --socket udp:53 --socket=unix:a.sock");
    assert_eq!(targets, ["app.py"]);
    assert_eq!(options.overrides()["sockets"], json!(["3000", "udp:53", "unix:a.sock"]));
}

#[test]
fn watch_does_not_swallow_the_script() {
    let (targets, options, _) = start("start --watch app.js");
    assert_eq!(targets, ["app.js"]);
    assert_eq!(options.overrides()["watch"], json!(true));
    let (targets, options, _) = start("start app.js --watch src");
    assert_eq!(targets, ["app.js"]);
    assert_eq!(options.overrides()["watch"], json!("src"));
}

#[test]
fn the_last_of_two_values_counts() {
    assert_eq!(start("start app.js -n a -n b").1.name.as_deref(), Some("b"));
}

#[test]
fn stop_codes_come_in_any_form() {
    for text in ["--stop-exit-codes 0,3", "--stop-exit-codes 0 --stop-exit-codes 3", "--stop-exit-codes=0,3"] {
        assert_eq!(start(&format!("start app.js {text}")).1.overrides()["stop_exit_codes"], json!([0, 3]), "{text}");
    }
}

#[test]
fn what_is_wrong_is_named_with_what_is_near() {
    let (message, hint) = refusal("start app.js --nmae web");
    assert_eq!(message, "unknown option, `--nmae`");
    assert_eq!(hint, "did you mean `--name`?");
    assert_eq!(refusal("--foo list").0, "unknown option, `--foo`");
    assert_eq!(refusal("stop").0, "missing argument for `stop`, <TARGET>...");
    assert_eq!(refusal("start app.js -n").0, "missing value, for `--name <NAME>`");
    assert_eq!(refusal("logs --lines many").0, "wrong value for `--lines <N>`, `many`");
    assert_eq!(refusal("describe a b").0, "one argument too many for `describe`, `b`");
    assert_eq!(refusal("logs --out --err").0, "options exclude each other, `--out` and `--err`");
    let (message, hint) = refusal("lits");
    assert_eq!(message, "Command not found, `lits`");
    assert_eq!(hint, "did you mean `rewake list`?");
    let (message, hint) = refusal("cleardump");
    assert!(message.contains("not in this version") && hint.contains("save"), "{message} {hint}");
    assert_eq!(refusal("frobnicate").1, "`rewake --help` lists the commands");
}

#[test]
fn nothing_help_and_version_need_no_verb() {
    assert!(matches!(line("").command, Command::Usage));
    assert!(matches!(line("--no-color").command, Command::Usage));
    assert!(matches!(line("--").command, Command::Usage));
    assert!(matches!(line("-h").command, Command::Help(None)));
    assert!(matches!(line("--help").command, Command::Help(None)));
    assert!(matches!(line("help start").command, Command::Help(Some(Verb::Start))));
    assert!(matches!(line("start --help").command, Command::Help(Some(Verb::Start))));
    assert!(matches!(line("-h logs").command, Command::Help(Some(Verb::Logs))));
    assert!(matches!(line("-v").command, Command::Version));
    assert!(matches!(line("--version").command, Command::Version));
    assert!(matches!(line("list -v").command, Command::Version));
}

#[test]
fn the_definitions_are_sound() {
    for (verb, _, _) in super::verb::VERBS {
        super::description(*verb).debug_assert();
    }
}
