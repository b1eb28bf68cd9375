//! Nothing that anybody writes makes it panic.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rewake_config::{Context, Options, load_object, load_text};
use serde_json::{Map, Value};

fn context() -> Context {
    Context { cwd: "/".into(), env: BTreeMap::new(), user_home: None }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "[0-9+.-]{0,6}(ms|s|m|h|K|M|G)?".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".{0,6}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    let known = [
        "script",
        "name",
        "cwd",
        "args",
        "interpreter",
        "node_args",
        "exec_mode",
        "instances",
        "env",
        "env_x",
        "filter_env",
        "port",
        "out_file",
        "uid",
        "gid",
        "stop_exit_codes",
        "min_uptime",
        "max_restarts",
        "kill_signal",
        "watch",
        "max_memory_restart",
        "cron_restart",
        "watch_delay",
        "apps",
        "pm2",
        "static",
        "killTimeout",
    ];
    prop_oneof![8 => prop::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => ".{0,12}"]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn any_object_is_loaded_or_refused(map in prop::collection::btree_map(key(), value(), 0..8)) {
        let object: Map<String, Value> = map.into_iter().collect();
        let options = Options { overrides: object.clone(), env_name: Some("x".into()), ..Options::default() };
        for value in [Value::Object(object.clone()), Value::Array(vec![Value::Object(object)])] {
            if let Err(errors) = load_object(value, &context(), &options) {
                prop_assert!(!errors.problems.is_empty());
            }
        }
    }

    #[test]
    fn any_text_is_loaded_or_refused(text in "[\\[\\]{}:,'\"/*# \\n\\\\a-c0-9.+&<é-]{0,60}") {
        if let Err(errors) = load_text(&text, "stdin", &context(), &Options::default()) {
            prop_assert!(!errors.problems.is_empty());
        }
    }

    #[test]
    fn any_yaml_or_toml_is_loaded_or_refused(text in "[\\[\\]{}:,'\"=*#? \\n\\\\a-c0-9.+&<!|>é-]{0,60}") {
        let folder = tempfile::tempdir().unwrap();
        for name in ["e.yaml", "e.toml"] {
            let file = folder.path().join(name);
            std::fs::write(&file, &text).unwrap();
            if let Err(errors) = rewake_config::load_file(&file, &context(), &Options::default()) {
                prop_assert!(!errors.problems.is_empty());
            }
        }
    }
}
