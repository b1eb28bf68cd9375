//! Promise: the script is Node's own main module, and all that it can see of itself is what plain `node script` gives.
//! Run for the `node` of the PATH and for every one in `REWAKE_TEST_NODES` (colon separated).

use std::fs;
use std::process::Command;

use rust_tests::home::{Home, nodes, until};

// Of a stack only the script's own lines are compared: how Node's ticks and ours interleave below them is no promise of Node's.
const COMMON_JS: &str = "
const seen = {
  main: require.main === module, filename: require.main.filename, parent: module.parent, argv: process.argv, argv0: process.argv0,
  execArgv: process.execArgv, execPath: process.execPath, title: process.title, cwd: process.cwd(), exitCode: process.exitCode,
  // Node itself listens to internal messages in every process that has a channel.
  listeners: process.eventNames().filter((name) => name !== 'internalMessage'), loaded: Object.keys(require.cache),
  stack: new Error('x').stack.split('\\n').filter((line) => line.includes(__NAME__)), primary: require('cluster').isPrimary, umask: process.umask(),
};
require('fs').writeFileSync(process.env.SEEN, JSON.stringify(seen));
setInterval(() => {}, 1e6);
";

const ES_MODULE: &str = "
import fs from 'node:fs';
import { pathToFileURL } from 'node:url';
await null;
const seen = {
  url: import.meta.url, isMain: import.meta.url === pathToFileURL(process.argv[1]).href, main: import.meta.main,
  argv: process.argv, execArgv: process.execArgv, stack: new Error('x').stack.split('\\n').filter((line) => line.includes(__NAME__)),
};
fs.writeFileSync(process.env.SEEN, JSON.stringify(seen));
setInterval(() => {}, 1e6);
";

const TYPE_SCRIPT: &str = "
import fs from 'node:fs';
const seen: Record<string, unknown> = { url: import.meta.url, argv: process.argv, stack: new Error('x').stack.split('\\n').filter((line) => line.includes(__NAME__)) };
fs.writeFileSync(process.env.SEEN as string, JSON.stringify(seen));
setInterval(() => {}, 1e6);
";

fn strips_types(node: &str) -> bool {
    let asked = Command::new(node).args(["-p", "process.features.typescript || false"]).output().unwrap();
    String::from_utf8_lossy(&asked.stdout).trim() == "strip"
}

/// What the script saw of itself under plain node, and under us.
fn seen_by(node: &str, name: &str, script: &str) -> (String, String) {
    let home = Home::new();
    let path = home.write(name, &script.replace("__NAME__", &format!("'{name}'")));
    let (bare, ours) = (home.folder().join("bare.json"), home.folder().join("ours.json"));
    let written = |path: &std::path::Path| fs::read_to_string(path).is_ok_and(|text| text.ends_with('}'));

    let plain = home.command([""; 0]);
    let mut command = Command::new(node);
    command.arg(&path).args(["one", "--two"]).envs(plain.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let mut process = command.current_dir(home.folder()).env("SEEN", &bare).spawn().unwrap();
    until("plain node has written", || written(&bare));
    process.kill().unwrap();
    process.wait().unwrap();

    let args = ["start", name, "--interpreter", node, "--name", "same", "--", "one", "--two"];
    let started = home.command(args).env("SEEN", &ours).output().unwrap();
    assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
    until("ours has written", || written(&ours));
    (fs::read_to_string(bare).unwrap(), fs::read_to_string(ours).unwrap())
}

#[test]
fn a_common_js_script_sees_what_plain_node_shows_it() {
    for node in nodes() {
        let (bare, ours) = seen_by(&node, "app.cjs", COMMON_JS);
        assert_eq!(ours, bare, "{node}");
    }
}

#[test]
fn an_es_module_sees_what_plain_node_shows_it() {
    for node in nodes() {
        let (bare, ours) = seen_by(&node, "app.mjs", ES_MODULE);
        assert_eq!(ours, bare, "{node}");
        assert!(ours.contains(r#""isMain":true"#));
    }
}

#[test]
fn a_type_script_program_sees_what_plain_node_shows_it() {
    for node in nodes().into_iter().filter(|node| strips_types(node)) {
        let (bare, ours) = seen_by(&node, "app.mts", TYPE_SCRIPT);
        assert_eq!(ours, bare, "{node}");
    }
}
