//! The same content in every format is the same apps.

use crate::bench::Bench;

const JSON: &str = r#"
// comment
{
  apps: [
    {
      "name": 'web', script: "app.js", instances: 2, args: ['--port', 80, "a b"], max_restarts: 5,
      env: { PORT: 3000, DEBUG: true, RATIO: 1.5, OBJ: { z: 1, a: [1, 'x'] }, GONE: null },
      env_production: { PORT: 80, },
      stop_exit_codes: [0], kill_timeout: "3s", out_file: '/dev/null',
    },
    { name: "api", script: "app.js", exec_mode: 'fork', autorestart: false, min_uptime: 5000 },
  ],
}
"#;
const YAML: &str = "
apps:
  - name: web
    script: app.js
    instances: 2
    args: ['--port', 80, a b]
    max_restarts: 5
    env: &env
      PORT: 3000
      DEBUG: true
      RATIO: 1.5
      OBJ: {z: 1, a: [1, x]}
      GONE: ~
    env_production:
      <<: *env
      PORT: 80
    stop_exit_codes:
      - 0
    kill_timeout: 3s
    out_file: /dev/null
  - {name: api, script: app.js, exec_mode: fork, autorestart: false, min_uptime: 5000}
";
const TOML: &str = r#"
[[apps]]
name = "web"
script = 'app.js'
instances = 2
args = ["--port", 80, "a b"]
max_restarts = 5
env_production.PORT = 80
stop_exit_codes = [0]
kill_timeout = "3s"
out_file = "/dev/null"

[apps.env]
PORT = 3000
DEBUG = true
RATIO = 1.5
OBJ = { z = 1, a = [1, "x"] }

[[apps]]
name = "api"
script = "app.js"
exec_mode = "fork"
autorestart = false
min_uptime = 5_000
"#;

#[test]
fn the_same_content_is_the_same_apps() {
    let mut bench = Bench::new();
    let object = JSON.replace("// comment", "");
    let scripts = [
        ("e.config.js", format!("module.exports = {object}")),
        ("f.config.js", format!("module.exports = async () => ({object})")),
        ("e.config.cjs", format!("module.exports = Promise.resolve({object})")),
        ("e.config.mjs", format!("export default {object}")),
        ("f.config.mjs", format!("const file = {object}\nexport const apps = file.apps")),
    ];
    let data = [
        ("e.json", JSON),
        ("e.json5", JSON),
        ("bom.json", &format!("\u{feff}{JSON}")),
        ("e.yaml", YAML),
        ("e.yml", YAML),
        ("e.toml", TOML),
    ];
    for env_name in [None, Some("production".to_owned())] {
        bench.options.env_name = env_name;
        let first = bench.file("first.json", JSON).unwrap();
        assert_eq!(first.apps.len(), 2);
        assert_eq!(first.apps[0].launch.env["OBJ"], r#"{"z":1,"a":[1,"x"]}"#);
        for (file, text) in data.iter().map(|(file, text)| (*file, (*text).to_owned())).chain(scripts.clone()) {
            let loaded = bench.file(file, &text).unwrap_or_else(|errors| panic!("{file}: {errors}"));
            assert_eq!(loaded.apps, first.apps, "{file}");
        }
    }
}

#[test]
fn numbers_reach_the_environment_as_they_were_written() {
    let bench = Bench::new();
    let env = |file: &str, text: &str| bench.file(file, text).unwrap().apps[0].launch.env["N"].clone();
    for (number, text) in [
        ("12345678901234567890", "12345678901234567890"),
        ("0x1F", "31"),
        ("3000.0", "3000"),
        ("+5", "5"),
        (".5", "0.5"),
        ("-0x10", "-16"),
    ] {
        assert_eq!(env("e.json", &format!("{{script: 'app.js', env: {{N: {number}}}}}")), text);
    }
    assert_eq!(env("e.yaml", "script: app.js\nenv: {N: 0o17}\n"), "15");
    assert_eq!(env("e.yaml", "script: app.js\nenv: {N: '08'}\n"), "08");
    assert_eq!(env("e.toml", "script = 'app.js'\nenv = {N = 2024-01-02}\n"), "2024-01-02");
}

#[test]
fn yaml_anchors_and_merge_keys_work() {
    let bench = Bench::new();
    let text = "x-base: &base\n  script: app.js\n  max_restarts: 3\nx-other: &other {max_restarts: 4, autorestart: false}\napps:\n  \
                - <<: *base\n    name: a\n  - <<: [*base, *other]\n    name: b\n    max_restarts: 9\n";
    let loaded = bench.file("e.yaml", text).unwrap();
    assert_eq!(loaded.warnings, Vec::<String>::new());
    let policy = |index: usize| (loaded.apps[index].policy.max_restarts, loaded.apps[index].policy.autorestart);
    assert_eq!((policy(0), policy(1)), ((Some(3), true), (Some(9), false)));
}
