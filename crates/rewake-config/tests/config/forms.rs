//! The forms a file may have, selection, flags over files, doubles.

use serde_json::json;

use rewake_config::{is_ecosystem_file, load_text};

use crate::bench::{Bench, refused};

fn names(bench: &Bench, text: &str) -> Vec<String> {
    let loaded = bench.file("ecosystem.json", text).unwrap_or_else(|errors| panic!("{text}: {errors}"));
    loaded.apps.into_iter().map(|app| app.name).collect()
}

#[test]
fn ecosystem_files_are_known_by_their_names() {
    let files = [
        "a.json",
        "a.json5",
        "/x/package.json",
        "a.yaml",
        "a.yml",
        "a.toml",
        "ecosystem.config.js",
        "x.config.cjs",
        "x.config.mjs",
        "x.config.ts",
        "x.config.mts",
        "x.config.cts",
        "a.json.bak",
    ];
    for file in files {
        assert!(is_ecosystem_file(file), "{file}");
    }
    for file in ["app.js", "config.js", "app.ts", "json", "/a.json/app.js", "npm", "-", ""] {
        assert!(!is_ecosystem_file(file), "{file}");
    }
}

#[test]
fn every_form_of_the_top_level_is_read() {
    let bench = Bench::new();
    for text in [
        "{apps: [{script: 'app.js'}]}",
        "{apps: {script: 'app.js'}}",
        "{pm2: {apps: [{script: 'app.js'}]}, name: 'package', version: '1.0.0'}",
        "{pm2: {script: 'app.js'}, name: 'package'}",
        "{pm2: [{script: 'app.js'}], name: 'package'}",
        "{script: 'app.js'}",
        "{exec: 'app.js'}",
        "[{script: 'app.js'}]",
        "{apps: [{script: 'app.js'}], deploy: {production: {}}, $schema: 'x', 'x-mine': 1}",
    ] {
        assert_eq!(names(&bench, text), ["app"], "{text}");
    }
}

#[test]
fn a_file_without_apps_says_so() {
    let bench = Bench::new();
    let none = "no apps in it: neither `apps`, nor `pm2`, nor the `script` of a single app";
    for (text, expected) in [
        ("{}", format!("1:1: {none}")),
        ("{name: 'x'}", format!("1:1: {none}")),
        ("{app: []}", format!("1:2: {none}\n  hint: did you mean `apps` by `app`?")),
        ("{scirpt: 'a'}", format!("1:2: {none}\n  hint: did you mean `script` by `scirpt`?")),
        ("[]", "1:1: the list of apps is empty".into()),
        ("{apps: []}", "1:8: the list of apps is empty".into()),
        ("{apps: 'app.js'}", "1:8: apps must be an object or an array of objects, found the string `app.js`".into()),
        ("3", "1:1: apps must be an object or an array of objects, found the number `3`".into()),
        ("['app.js']", "1:2: an app must be an object, found the string `app.js`".into()),
        ("{apps: [{}]}", "".into()),
    ] {
        let expected = if text == "{apps: [{}]}" {
            "ecosystem.json: app `number 1` has no `script`".into()
        } else {
            format!("ecosystem.json:{expected}")
        };
        assert_eq!(refused(&bench, bench.file("ecosystem.json", text)), expected, "{text}");
    }
}

#[test]
fn what_stands_beside_apps_is_not_passed_over_silently() {
    let bench = Bench::new();
    let loaded = bench.file("ecosystem.json", "{\n apps: [{script: 'app.js'}],\n static: [],\n other: 1}").unwrap();
    assert_eq!(
        loaded.warnings,
        [
            "ecosystem.json:3:2: `static` servers are not available in this version and are ignored",
            "ecosystem.json:4:2: `other` beside `apps` is not known and is ignored",
        ]
    );
}

#[test]
fn two_apps_of_one_name_are_refused_with_both_places() {
    let bench = Bench::new();
    let text = "[\n  {name: 'web', script: 'app.js'},\n  {script: 'app.js', name: 'web'},\n]";
    assert_eq!(
        refused(&bench, bench.file("ecosystem.json", text)),
        "ecosystem.json:3:28: two apps are named `web` in namespace `default`, first at ecosystem.json:2:10\n  hint: give \
         each its own `name`, or use `instances`"
    );
    let apart = "[{name: 'web', script: 'app.js'}, {script: 'app.js', name: 'web', namespace: 'b'}]";
    assert_eq!(names(&bench, apart), ["web", "web"]);
}

#[test]
fn only_the_named_apps_are_started_and_checked() {
    let mut bench = Bench::new();
    let text = "[{name: 'web', script: 'app.js'}, {name: 'api', script: 'app.js'}, {name: 'job', script: 'gone.js'}]";
    bench.options.only = vec!["api, web".into()];
    assert_eq!(names(&bench, text), ["web", "api"]);
    bench.options.only = vec!["web".into(), "appi".into()];
    let found = refused(&bench, bench.file("ecosystem.json", text));
    assert_eq!(found, "ecosystem.json: no app `appi` in it\n  hint: did you mean `api`?");
    bench.options.only = vec!["x".into()];
    let found = refused(&bench, bench.file("ecosystem.json", text));
    assert_eq!(found, "ecosystem.json: no app `x` in it\n  hint: it has `web`, `api`, `job`");
}

#[test]
fn flags_win_over_the_file() {
    let mut bench = Bench::new();
    let flags = json!({
        "instances": "2", "exec_mode": "fork", "name": "flag", "env": {"B": "flag"}, "interpreterArgs": null, "cwd": "null",
    });
    bench.options.overrides = flags.as_object().unwrap().clone();
    let text =
        "{script: 'app.js', name: 'file', instances: 1, env: {A: 1, B: 2}, node_args: '--inspect', cwd: '/gone'}";
    let loaded = bench.file("ecosystem.json", text).unwrap();
    let app = &loaded.apps[0];
    assert_eq!((app.name.as_str(), app.instances), ("flag", 2));
    assert_eq!((app.launch.env["A"].as_str(), app.launch.env["B"].as_str()), ("1", "flag"));
    assert_eq!((app.launch.interpreter_args.len(), app.launch.cwd.as_str()), (0, bench.context.cwd.to_str().unwrap()));
}

#[test]
fn a_wrong_flag_is_told_once_however_many_apps_there_are() {
    let mut bench = Bench::new();
    bench.options.overrides = json!({"instnaces": 2, "kill_timeout": "x"}).as_object().unwrap().clone();
    let found = refused(&bench, bench.file("e.json", "[{name: 'a', script: 'app.js'}, {name: 'b', script: 'app.js'}]"));
    assert_eq!(
        found,
        "options: unknown key `instnaces`\n  hint: did you mean `instances`?\noptions: `kill_timeout` must be a time (a \
         number of ms, or like `10s`, `1m`, `1h`), found the string `x`"
    );
}

#[test]
fn arguments_after_the_script_win_over_the_flag() {
    let mut bench = Bench::new();
    bench.options.overrides.insert("args".into(), json!("flag"));
    assert_eq!(bench.script("app.js", &["a", "b"]).unwrap().apps[0].launch.args, ["a", "b"]);
    assert_eq!(bench.script("app.js", &[]).unwrap().apps[0].launch.args, ["flag"]);
}

#[test]
fn standard_input_is_read_as_json_and_never_evaluated() {
    let bench = Bench::new();
    let load = |text: &str| load_text(text, "stdin", &bench.context, &bench.options);
    assert_eq!(load("\u{feff}{script: 'app.js', /* c */}").unwrap().apps[0].name, "app");
    assert_eq!(
        refused(&bench, load("{script: process.env.X}")),
        "stdin:1:10: broken JSON: unexpected token\n  hint: JSON is read as data and never evaluated; expressions go into a \
         `.config.js` file"
    );
    assert_eq!(refused(&bench, load("")), "stdin: file is empty");
}
