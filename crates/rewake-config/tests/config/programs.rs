//! Scripts, commands and lines; interpreters by extension, shebang and content.

use serde_json::json;

use crate::bench::{Bench, refused, the_one};

fn interpreter(bench: &Bench, script: &str) -> String {
    bench.started(script).launch.interpreter.unwrap_or_else(|| "none".into())
}

#[test]
fn the_extension_names_the_interpreter() {
    let programs = ["node", "python3", "bash", "ruby", "php", "perl", "coffee", "lsc"];
    let bench = Bench::with_programs(&programs);
    let rows = [
        ("a.js", "node", true),
        ("a.mjs", "node", true),
        ("a.cjs", "node", true),
        ("a.py", "python3", false),
        ("a.sh", "bash", false),
        ("a.rb", "ruby", false),
        ("a.php", "php", false),
        ("a.pl", "perl", false),
        ("a.coffee", "coffee", false),
        ("a.ls", "lsc", false),
        ("a.txt", "node", true),
        ("plain", "node", true),
    ];
    for (script, expected, ipc) in rows {
        bench.write(script, "x\n");
        let app = bench.started(script);
        assert_eq!(app.launch.interpreter.as_deref(), Some(expected), "{script}");
        assert_eq!(app.launch.ipc, ipc, "{script}");
        assert_eq!(app.launch.script, bench.path(script));
    }
}

#[test]
fn python_and_sh_are_taken_under_their_other_names() {
    let bench = Bench::with_programs(&["python", "sh"]);
    bench.write("a.py", "");
    bench.write("a.sh", "");
    assert_eq!(interpreter(&bench, "a.py"), "python");
    assert_eq!(interpreter(&bench, "a.sh"), "sh");
}

#[test]
fn without_an_extension_the_content_decides() {
    let bench = Bench::with_programs(&["node"]);
    bench.write_executable("run", "#!/bin/sh\n");
    bench.write_executable("elf", b"\x7fELF\x02\x01\x01\0");
    bench.write_executable("cli", "#!/usr/bin/env node\n");
    bench.write_executable("text", "console.log(1)\n");
    bench.write("module", "#!/usr/bin/env node\n");
    assert_eq!(interpreter(&bench, "run"), "none");
    assert_eq!(interpreter(&bench, "./elf"), "none");
    assert_eq!(interpreter(&bench, "text"), "node");
    // Not executable, but Node can read it.
    assert_eq!(interpreter(&bench, "module"), "node");
    let cli = bench.started("cli");
    assert_eq!(cli.launch.interpreter, None);
    assert!(cli.launch.ipc, "a shebang that names node takes the channel");
    assert!(!bench.started("run").launch.ipc);
    // Its options need a place.
    let cli = the_one(bench.object(json!({"script": "cli", "node_args": "--inspect"})).unwrap());
    assert_eq!(cli.launch.interpreter.as_deref(), Some("node"));
    assert_eq!(cli.launch.interpreter_args, ["--inspect"]);
}

#[test]
fn what_cannot_be_executed_is_refused_with_the_remedy() {
    let bench = Bench::with_programs(&["node"]);
    bench.write("run", "#!/bin/sh\n");
    bench.write("elf", b"\x7fELF\x02\x01\x01\0");
    for script in ["run", "elf"] {
        let expected = format!(
            "options: script is not executable: $D/{script}\n  hint: run `chmod +x $D/{script}`, or name an `interpreter`"
        );
        assert_eq!(refused(&bench, bench.script(script, &[])), expected);
    }
    let none = bench.object(json!({"script": "app.js", "interpreter": "none"}));
    assert!(refused(&bench, none).starts_with("options: script is not executable: $D/app.js"));
}

#[test]
fn an_interpreter_can_be_named() {
    let bench = Bench::with_programs(&["node", "mine"]);
    bench.write_executable("tools/other", "#!/bin/sh\n");
    bench.write("tools/text", "");
    let with = |name: &str| bench.object(json!({"script": "app.js", "interpreter": name}));
    let named = |name: &str| the_one(with(name).unwrap()).launch;
    assert_eq!(named("mine").interpreter.as_deref(), Some("mine"));
    assert!(!named("mine").ipc);
    assert_eq!(named("tools/other").interpreter, Some(bench.path("tools/other")));
    bench.write_executable("tools/node", "#!/bin/sh\n");
    assert!(named("./tools/node").ipc);
    let missing =
        "options: interpreter `gone` not found in PATH\n  hint: install `gone`, or name an `interpreter` by its path";
    assert_eq!(refused(&bench, with("gone")), missing);
    assert_eq!(refused(&bench, with("/gone/node")), "options: interpreter not found: /gone/node");
    assert_eq!(refused(&bench, with("tools")).lines().count(), 2);
    assert_eq!(refused(&bench, with("./tools")), "options: interpreter is not a file: $D/tools");
    assert_eq!(refused(&bench, with("tools/text")), "options: interpreter is not executable: $D/tools/text");
    assert!(refused(&bench, with("node@18")).contains("give the path of that version's executable"));
}

#[test]
fn a_missing_node_is_said_before_anything_starts() {
    let bench = Bench::with_programs(&[]);
    assert!(refused(&bench, bench.script("app.js", &[])).starts_with("options: interpreter `node` not found in PATH"));
}

#[test]
fn commands_are_found_in_the_apps_own_path() {
    let bench = Bench::with_programs(&["tool"]);
    bench.write_executable("own/task", "#!/usr/bin/env node\n");
    let tool = bench.started("tool").launch;
    assert_eq!((tool.script, tool.interpreter, tool.ipc), (bench.path("bin/tool"), None, false));
    let env = json!({"script": "task", "env": {"PATH": bench.path("own")}});
    let task = the_one(bench.object(env).unwrap());
    assert_eq!((task.name.as_str(), task.launch.script), ("task", bench.path("own/task")));
    assert!(task.launch.ipc);
    // A folder of the same name does not hide it.
    bench.folder("tool");
    assert_eq!(bench.started("tool").launch.script, bench.path("bin/tool"));
}

#[test]
fn a_line_goes_to_a_shell_with_its_arguments_in_it() {
    let bench = Bench::new();
    let app = the_one(bench.script("PORT=1 npm run start", &["--x", "a b"]).unwrap());
    assert_eq!(app.name, "npm");
    assert_eq!(app.launch.script, "PORT=1 npm run start --x 'a b'");
    assert!(app.launch.interpreter.unwrap().ends_with("sh"));
    assert_eq!(app.launch.interpreter_args, ["-c"]);
    assert!(app.launch.args.is_empty() && !app.launch.ipc);
    let sh = the_one(bench.object(json!({"script": "echo hi", "interpreter": "sh"})).unwrap());
    assert_eq!(sh.launch.interpreter.as_deref(), Some("sh"));
    let wrong = refused(&bench, bench.object(json!({"script": "echo hi", "interpreter": "node"})));
    assert_eq!(
        wrong,
        "options: script not found: $D/echo hi\n  hint: a command line needs a shell, and `interpreter` is `node`"
    );
}

#[test]
fn a_path_with_blanks_is_a_path_if_it_exists() {
    let bench = Bench::new();
    bench.write("my app.js", "");
    let app = bench.started("my app.js");
    assert_eq!((app.name.as_str(), app.launch.interpreter.as_deref()), ("my app", Some("node")));
}

#[test]
fn a_script_that_is_not_there_is_named_with_its_likely_name() {
    let bench = Bench::new();
    bench.folder("src");
    let rows = [
        ("apps.js", "script not found: $D/apps.js\n  hint: did you mean `$D/app.js`?"),
        ("app", "script not found: $D/app\n  hint: did you mean `$D/app.js`?"),
        ("server.js", "script not found: $D/server.js"),
        ("no/such/folder.js", "script not found: $D/no/such/folder.js"),
        ("src", "script is a folder: $D/src\n  hint: name the file in it that is to be run"),
        (".", "script is a folder: $D\n  hint: name the file in it that is to be run"),
        ("/dev/null", "script is not a regular file: /dev/null"),
        ("", "`script` is empty"),
    ];
    for (script, expected) in rows {
        assert_eq!(refused(&bench, bench.script(script, &[])), format!("options: {expected}"));
    }
}

#[test]
fn a_script_beside_the_file_but_not_in_the_folder_is_pointed_at() {
    let bench = Bench::new();
    bench.write("deploy/web.js", "");
    let result = bench.file("deploy/ecosystem.json", r#"{"script": "web.js"}"#);
    assert_eq!(
        refused(&bench, result),
        "deploy/ecosystem.json:1:12: script not found: $D/web.js\n  hint: scripts are looked for in the app's `cwd`, \
         here $D; it is beside the file: set `cwd` to $D/deploy"
    );
    let loaded = bench.file("deploy/ecosystem.json", r#"{"script": "web.js", "cwd": "deploy"}"#).unwrap();
    assert_eq!(loaded.apps[0].launch.script, bench.path("deploy/web.js"));
}

#[test]
fn the_folder_must_be_there() {
    let bench = Bench::new();
    let with = |cwd: &str| refused(&bench, bench.object(json!({"script": "app.js", "cwd": cwd})));
    assert_eq!(with("gone"), "options: cwd not found: $D/gone");
    assert_eq!(with("app.js"), "options: cwd is not a folder: $D/app.js");
}

#[test]
fn cluster_mode_is_refused_for_what_is_not_node() {
    let bench = Bench::with_programs(&["python3"]);
    bench.write("app.py", "");
    let result = bench.object(json!({"script": "app.py", "exec_mode": "cluster"}));
    assert_eq!(
        refused(&bench, result),
        "options: cluster mode works with `node` only, and this runs with python3\n  hint: use `exec_mode: fork`"
    );
}

#[test]
fn the_channel_is_given_where_it_is_needed() {
    let bench = Bench::with_programs(&["python3", "bun", "node"]);
    bench.write("app.py", "");
    let ipc = |keys: serde_json::Value| the_one(bench.object(keys).unwrap()).launch.ipc;
    assert!(!ipc(json!({"script": "app.py"})));
    assert!(ipc(json!({"script": "app.py", "wait_ready": true})));
    assert!(ipc(json!({"script": "app.py", "ipc": true})));
    assert!(ipc(json!({"script": "app.py", "ipc": false, "wait_ready": true})));
    assert!(ipc(json!({"script": "app.js", "interpreter": "bun"})));
    assert!(!ipc(json!({"script": "app.js", "ipc": false})));
    assert!(ipc(json!({"script": "app.js", "ipc": false, "instances": 2})));
}

/// A stand-in for Node of this version: it answers the question that Rewake asks.
fn node_of(bench: &Bench, version: &str, strips: bool) {
    bench.write_executable("bin/node", format!("#!/bin/sh\necho '{version} {strips}' >&0\n"));
}

#[test]
fn typescript_runs_by_what_there_is() {
    let bench = Bench::with_programs(&[]);
    bench.write("src/a.ts", "");
    bench.write("src/a.tsx", "");
    let launch = |script: &str| {
        let launch = bench.started(script).launch;
        (launch.interpreter.unwrap(), launch.interpreter_args, launch.ipc)
    };
    let plain = |name: &str| (name.to_owned(), Vec::new(), true);
    node_of(&bench, "22.18.0", true);
    assert_eq!(launch("src/a.ts"), plain("node"));
    node_of(&bench, "22.6.0", false);
    assert_eq!(launch("src/a.ts"), ("node".into(), vec!["--experimental-strip-types".to_owned()], true));
    node_of(&bench, "20.1.0", false);
    assert_eq!(
        refused(&bench, bench.script("src/a.ts", &[])),
        "options: nothing here runs `.ts` files: `node` is v20.1.0, which does not run TypeScript, and there is no `bun`, \
         `tsx` or `ts-node`\n  hint: use Node 22.18 or newer, install `tsx` or `bun`, or name an `interpreter`"
    );
    bench.write_executable("bin/ts-node", "#!/bin/sh\n");
    assert_eq!(launch("src/a.ts"), plain("ts-node"));
    bench.write_executable("node_modules/.bin/tsx", "#!/bin/sh\n");
    assert_eq!(launch("src/a.ts"), plain(&bench.path("node_modules/.bin/tsx")));
    bench.write_executable("bin/bun", "#!/bin/sh\n");
    assert_eq!(launch("src/a.ts"), plain("bun"));
    node_of(&bench, "24.0.0", true);
    assert_eq!(launch("src/a.tsx"), plain("bun"));
    let own = json!({"script": "src/a.tsx", "node_args": "--import tsx"});
    let own = the_one(bench.object(own).unwrap()).launch;
    assert_eq!(
        (own.interpreter.as_deref(), own.interpreter_args),
        (Some("node"), vec!["--import".into(), "tsx".into()])
    );
}

#[test]
fn a_node_that_does_not_answer_is_no_reason_to_hang() {
    let bench = Bench::with_programs(&[]);
    bench.write("a.ts", "");
    bench.write_executable("bin/node", "#!/bin/sh\nexit 7\n");
    let found = refused(&bench, bench.script("a.ts", &[]));
    assert!(found.contains("`node` did not tell its version (exit status: 7)"), "{found}");
}

#[test]
fn the_version_is_that_of_the_nearest_package() {
    let bench = Bench::new();
    bench.write("package.json", "{ // lenient\n 'version': '1.2.3', }");
    bench.write("src/deep/app.js", "");
    assert_eq!(bench.started("src/deep/app.js").version.as_deref(), Some("1.2.3"));
    bench.write("src/package.json", "{}");
    assert_eq!(bench.started("src/deep/app.js").version, None);
    bench.write("src/package.json", "broken {");
    assert_eq!(bench.started("src/deep/app.js").version, None);
    assert_eq!(bench.started("echo hi").version.as_deref(), Some("1.2.3"));
}
