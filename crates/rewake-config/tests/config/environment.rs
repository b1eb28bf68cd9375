//! What ends up in an app's environment.

use std::collections::BTreeMap;

use serde_json::json;

use crate::bench::{Bench, the_one};

fn env(bench: &Bench, keys: serde_json::Value) -> BTreeMap<String, String> {
    let mut env = bench.app(keys).launch.env;
    env.remove("PATH");
    env
}

fn of(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_later_source_wins() {
    let mut bench = Bench::new();
    bench.context.env.extend(of(&[("A", "caller"), ("B", "caller"), ("C", "caller"), ("PORT", "1")]));
    bench.options.env_name = Some("production".into());
    bench.options.overrides.insert("env".into(), json!({"D": "option"}));
    let keys = json!({
        "env": {"B": "env", "C": "env", "D": "env"},
        "env_production": {"C": "production", "D": "production"},
        "env_other": {"C": "other"},
        "port": 3000,
    });
    let expected = of(&[("A", "caller"), ("B", "env"), ("C", "production"), ("D", "option"), ("PORT", "3000")]);
    assert_eq!(env(&bench, keys), expected);
    assert_eq!(env(&bench, json!({"port": 3, "env": {"PORT": 4}, "env_production": {}}))["PORT"], "4");
}

#[test]
fn values_become_text_and_null_takes_a_variable_away() {
    let mut bench = Bench::new();
    bench.context.env.insert("GONE".into(), "x".into());
    let keys = json!({"env": {"N": 1, "F": 1.5, "B": true, "O": {"a": [1, "é\n", null]}, "GONE": null, "BIG": 12_345_678_901_234_567_890_u64}});
    let expected = of(&[
        ("N", "1"),
        ("F", "1.5"),
        ("B", "true"),
        ("O", r#"{"a":[1,"é\n",null]}"#),
        ("BIG", "12345678901234567890"),
    ]);
    assert_eq!(env(&bench, keys), expected);
}

#[test]
fn the_callers_variables_can_be_kept_out() {
    let mut bench = Bench::new();
    bench.context.env.extend(of(&[("npm_a", "1"), ("my_npm_b", "1"), ("SECRET", "1"), ("KEEP", "1")]));
    let names = |keys| env(&bench, keys).into_keys().collect::<Vec<_>>();
    assert_eq!(names(json!({"filter_env": "npm_"})), ["KEEP", "SECRET"]);
    assert_eq!(names(json!({"filterEnv": ["npm_", "SEC"], "env": {"SECRET": "own"}})), ["KEEP", "SECRET"]);
    assert_eq!(names(json!({"filter_env": true})), Vec::<String>::new());
    assert_eq!(names(json!({"filter_env": false})).len(), 4);
    assert_eq!(names(json!({"filter_env": [""]})).len(), 4);
}

#[test]
fn an_app_without_a_path_gets_its_interpreter_by_path() {
    let bench = Bench::with_programs(&["node"]);
    let app = bench.app(json!({"filter_env": true}));
    assert_eq!(app.launch.interpreter, Some(bench.path("bin/node")));
    assert!(app.launch.ipc);
    assert!(app.launch.env.is_empty());
}

#[test]
fn channel_variables_of_the_caller_never_reach_an_app() {
    let mut bench = Bench::new();
    bench.context.env.extend(of(&[
        ("NODE_CHANNEL_FD", "3"),
        ("NODE_CHANNEL_SERIALIZATION_MODE", "json"),
        ("NODE_UNIQUE_ID", "1"),
        ("LISTEN_FDS", "1"),
        ("LISTEN_PID", "1"),
        ("LISTEN_PIDFDID", "1"),
        ("LISTEN_FDNAMES", "web"),
        ("LISTEN_ADDRESS", "0.0.0.0"),
        ("name", "mine"),
    ]));
    assert_eq!(env(&bench, json!({})), of(&[("LISTEN_ADDRESS", "0.0.0.0"), ("name", "mine")]));
}

#[test]
fn what_a_supervisor_told_the_caller_about_itself_is_not_passed_on() {
    let mut bench = Bench::new();
    bench.context.env.extend(of(&[
        ("pm_id", "4"),
        ("name", "web"),
        ("NODE_APP_INSTANCE", "2"),
        ("PM2_HOME", "/x"),
        ("REWAKE_HOME", "/y"),
        ("restart_time", "3"),
        ("pm_exec_path", "/web.js"),
        ("MINE", "1"),
    ]));
    assert_eq!(env(&bench, json!({})), of(&[("MINE", "1")]));
}

#[test]
fn python_is_told_not_to_keep_its_output() {
    let bench = Bench::with_programs(&["python3"]);
    bench.write("app.py", "print(1)\n");
    assert_eq!(bench.started("app.py").launch.env["PYTHONUNBUFFERED"], "1");
    let own = bench.object(json!({"script": "app.py", "env": {"PYTHONUNBUFFERED": "0"}})).unwrap();
    assert_eq!(the_one(own).launch.env["PYTHONUNBUFFERED"], "0");
}

#[test]
fn a_missing_env_block_warns() {
    let mut bench = Bench::new();
    bench.options.env_name = Some("production".into());
    let loaded = bench.file("ecosystem.json", "{script: 'app.js', env_staging: {A: 1}}").unwrap();
    assert_eq!(loaded.warnings, ["ecosystem.json: app `app` has no `env_production`"]);
    assert!(!loaded.apps[0].launch.env.contains_key("A"));
}

#[test]
fn the_environment_can_be_part_of_the_name() {
    let mut bench = Bench::new();
    let keys = json!({"append_env_to_name": true, "name_prefix": "p", "name": "web", "env_production": {}});
    assert_eq!(bench.app(keys.clone()).name, "p:web");
    bench.options.env_name = Some("production".into());
    assert_eq!(bench.app(keys).name, "p:web-production");
}
