//! JavaScript files: what they may do, and that nothing they do is more than one clear error.

use std::time::{Duration, Instant};

use crate::bench::{Bench, refused};

#[track_caller]
fn fails(text: &str, expected: &str) {
    let bench = Bench::new();
    let found = refused(&bench, bench.file("e.config.js", text));
    assert_eq!(found, expected, "{text}");
}

#[test]
fn an_endless_loop_ends_at_the_limit() {
    let mut bench = Bench::new();
    bench.options.js_timeout = Duration::from_secs(1);
    let begun = Instant::now();
    let found = refused(&bench, bench.file("e.config.js", "for (;;) {}"));
    assert_eq!(
        found,
        "e.config.js: the file did not give its value within 1 s\n  hint: look for an endless loop, or a promise or request \
         that waits"
    );
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[test]
fn what_the_file_started_ends_with_it() {
    let mut bench = Bench::new();
    let text = "const { spawn } = require('child_process')\nconst child = spawn('sleep', ['1000'])\nconst fs = require('fs')\n\
                fs.writeFileSync('pid.new', String(child.pid))\nfs.renameSync('pid.new', 'pid')\nfor (;;) {}";
    // A Node that is slow to begin has more time: before it has started something there is nothing to see.
    let started = [1, 8, 60].into_iter().find_map(|limit| {
        bench.options.js_timeout = Duration::from_secs(limit);
        refused(&bench, bench.file("e.config.js", text));
        std::fs::read_to_string(bench.path("pid")).ok()
    });
    let pid = started.expect("the file starts its child");
    // The group was killed before we were answered; its members' end follows at once.
    wait_for_end(&pid);
}

#[test]
fn a_throw_is_told_with_its_place() {
    fails("\n  throw new Error('no database')", "e.config.js:2:9: Error: no database");
    fails(
        "module.exports = async () => {\n  null.x }",
        "e.config.js:2:8: TypeError: Cannot read properties of null (reading 'x')",
    );
    fails(
        "setTimeout(() => { throw new RangeError('late') })\nmodule.exports = new Promise(() => {})",
        "e.config.js:1:26: RangeError: late",
    );
    fails("throw 'text'", "e.config.js: text");
    fails(
        "Promise.reject(new Error('unhandled'))\nmodule.exports = new Promise(() => {})",
        "e.config.js:1:16: Error: unhandled",
    );
}

#[test]
fn a_syntax_error_is_told_with_its_place() {
    fails("module.exports = {\n  apps: [}\n}", "e.config.js:2:10: SyntaxError: Unexpected token '}'");
    let bench = Bench::new();
    let found = refused(&bench, bench.file("e.config.mjs", "export default {\n  apps: [}\n}"));
    assert_eq!(found, "e.config.mjs:2:10: SyntaxError: Unexpected token '}'");
}

#[test]
fn leaving_or_never_settling_is_one_clear_error() {
    fails(
        "process.exit(3)",
        "e.config.js: the file ended Node (exit code 3) before it gave its value\n  hint: take `process.exit` out of the file",
    );
    fails(
        "process.kill(process.pid, 'SIGKILL')",
        "e.config.js: Node ended before the file gave its value (signal: 9 (SIGKILL))",
    );
    fails(
        "module.exports = new Promise(() => {})",
        "e.config.js: the file's promise is never settled, so it has no value",
    );
    let bench = Bench::new();
    let found = refused(&bench, bench.file("e.config.mjs", "await new Promise(() => {})\nexport default {}"));
    assert_eq!(found, "e.config.mjs: the file's promise is never settled, so it has no value");
}

#[test]
fn a_missing_module_is_named() {
    let bench = Bench::new();
    let found = refused(&bench, bench.file("e.config.js", "const x = 1\nrequire('./gone')"));
    assert!(found.starts_with("e.config.js:2:1: Error: Cannot find module './gone'"), "{found}");
}

#[test]
fn values_that_are_not_data_are_told_with_their_paths() {
    fails(
        "const a = {}; a.self = a\nmodule.exports = { apps: [{ script: 'app.js',\n  env: { F: () => 1, B: 1n, S: Symbol('s') },\n  \
         args: [undefined], watch_options: a, io: new Map() }] }",
        "e.config.js:3:10: `apps[0].env.F` is a function, which is not data\n\
         e.config.js:3:22: `apps[0].env.B` is a BigInt, which is not data\n\
         e.config.js:3:29: `apps[0].env.S` is a symbol, which is not data\n\
         e.config.js:4:3: `apps[0].args[0]` is undefined, which is not data\n\
         e.config.js: `apps[0].watch_options.self` is a reference to itself, which is not data\n\
         e.config.js:4:40: `apps[0].io` is a Map or Set, which is not data",
    );
    fails("module.exports = undefined", "e.config.js: the file's value is undefined, which is not data");
    fails(
        "module.exports = { apps: [Promise.resolve({})] }",
        "e.config.js:1:20: `apps[0]` is a Promise, which is not data",
    );
}

#[test]
fn a_value_without_bounds_is_refused() {
    fails(
        "module.exports = { script: 'app.js', name: 'x'.repeat(9e6) }",
        "e.config.js: the file's value is larger than 8 MiB",
    );
    fails("module.exports = { apps: Array(3e5).fill({}) }", "e.config.js: Error: the value has more than 200000 parts");
    fails(
        "let a = {}; for (let i = 0; i < 1e5; i++) a = { a }\nmodule.exports = a",
        "e.config.js: `a.a.a.a.a.a.a.a…` is nested too deeply, which is not data",
    );
}

#[test]
fn undefined_counts_as_not_given_and_regular_expressions_as_text() {
    let bench = Bench::new();
    let text = "module.exports = { script: 'app.js', cwd: undefined, max_restarts: Infinity, ignore_watch: [/[/\\\\]\\./],\n  \
                env: { A: undefined, D: new Date(0), U: new URL('http://x/') } }";
    let app = &bench.file("e.config.js", text).unwrap().apps[0];
    assert_eq!(app.policy.max_restarts, None);
    assert!(!app.launch.env.contains_key("A"));
    assert_eq!((app.launch.env["D"].as_str(), app.launch.env["U"].as_str()), ("1970-01-01T00:00:00.000Z", "http://x/"));
}

#[test]
fn printing_and_open_handles_do_no_harm() {
    let bench = Bench::new();
    let text = "console.log('{\"value\":{}}'); process.stdout.write('x'); process.stdin.resume()\n\
                setInterval(() => {}, 1000)\nrequire('net').createServer().listen(0)\nmodule.exports = { script: 'app.js' }";
    // Were anything waited for, the limit would come first.
    assert_eq!(bench.file("e.config.js", text).unwrap().apps[0].name, "app");
}

#[test]
fn the_file_sees_the_callers_folder_environment_and_a_plain_argv() {
    let mut bench = Bench::new();
    bench.context.env.insert("FROM_CALLER".into(), "yes".into());
    bench.context.env.insert("NODE_CHANNEL_FD".into(), "99".into());
    bench.write("deploy/part.js", "module.exports = 'part'");
    let text = "module.exports = { script: 'app.js', filter_env: true, env: { CWD: process.cwd(), ARGV: process.argv.slice(1), \
                C: process.env.FROM_CALLER, P: require('./part'), F: __filename } }";
    let env = &bench.file("deploy/e.config.js", text).unwrap().apps[0].launch.env;
    assert_eq!(env["CWD"], bench.path("").trim_end_matches('/'));
    assert_eq!(env["ARGV"], format!("[\"{}\"]", bench.path("deploy/e.config.js")));
    assert_eq!((env["C"].as_str(), env["P"].as_str()), ("yes", "part"));
    assert_eq!(env["F"], bench.path("deploy/e.config.js"));
}

#[test]
fn a_compiled_default_export_is_the_value() {
    let bench = Bench::new();
    let text = "Object.defineProperty(exports, '__esModule', { value: true })\nexports.default = { script: 'app.js' }";
    assert_eq!(bench.file("e.config.cjs", text).unwrap().apps[0].name, "app");
}

#[test]
fn a_package_of_modules_has_modules_in_its_js_files() {
    let bench = Bench::new();
    bench.write("package.json", r#"{"type": "module", "version": "2.0.0"}"#);
    let text = "import { join } from 'node:path'\nexport default { script: join('.', 'app.js') }";
    assert_eq!(bench.file("e.config.js", text).unwrap().apps[0].version.as_deref(), Some("2.0.0"));
}

#[test]
fn typescript_is_read_where_node_can_and_refused_clearly_where_not() {
    let bench = Bench::new();
    let text = "const name: string = 'typed'\nexport default { script: 'app.js', name }";
    match bench.file("e.config.mts", text) {
        Ok(loaded) => assert_eq!(loaded.apps[0].name, "typed"),
        Err(errors) => {
            let found = errors.to_string();
            assert!(
                found.starts_with("e.config.mts: a TypeScript file needs Node 22.6 or newer, and `node` is v"),
                "{found}"
            );
        }
    }
}

#[test]
fn without_node_it_is_said_what_is_missing() {
    let bench = Bench::with_programs(&[]);
    assert_eq!(
        refused(&bench, bench.file("e.config.js", "module.exports = {}")),
        "e.config.js: a JavaScript file needs `node`, and there is none in PATH\n  hint: install Node, or write the file as \
         JSON, YAML or TOML"
    );
}

/// Not a test: the parent of `an_endless_file_does_not_outlive_a_parent_that_is_killed`.
#[test]
#[ignore = "loads an endless file until it is killed"]
fn load_an_endless_file_for_another_test() {
    let file = std::path::PathBuf::from(std::env::var_os("ENDLESS_FILE").unwrap());
    let context = rewake_config::Context::of_process().unwrap();
    let options = rewake_config::Options { js_timeout: Duration::from_secs(60), ..Default::default() };
    let _ = rewake_config::load_file(&file, &context, &options);
}

#[test]
fn an_endless_file_does_not_outlive_a_parent_that_is_killed() {
    let bench = Bench::new();
    let pid_file = bench.path("pid");
    let text = format!(
        "const fs = require('fs')\nfs.writeFileSync('{pid_file}.new', String(process.pid))\n\
         fs.renameSync('{pid_file}.new', '{pid_file}')\nfor (;;) {{}}"
    );
    let file = bench.write("e.config.js", text);
    let mut parent = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "evaluated::load_an_endless_file_for_another_test"])
        .env("ENDLESS_FILE", file)
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let pid = loop {
        assert!(Instant::now() < deadline, "the file was not evaluated");
        match std::fs::read_to_string(&pid_file) {
            Ok(pid) => break pid,
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    parent.kill().unwrap();
    parent.wait().unwrap();
    wait_for_end(&pid);
}

/// Waits until the process is gone, or a zombie that is not ours to reap.
#[track_caller]
fn wait_for_end(pid: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    let stat = format!("/proc/{pid}/stat");
    while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(Instant::now() < deadline, "process {pid} lives on");
        std::thread::sleep(Duration::from_millis(5));
    }
}
