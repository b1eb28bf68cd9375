//! Problems with their places: all of a file at once, as text and as data.

use std::path::Path;

use rewake_config::load_file;

use crate::bench::{Bench, refused};

#[test]
fn all_problems_of_a_file_are_told_together_with_their_places() {
    let bench = Bench::new();
    let yaml = "apps:\n  - name: web\n    script: app.js\n    instnaces: 2\n    kill_timeout: soon\n  - name: api\n    \
                script: gone.js\n    cwd: ./nowhere\n    foo: 1\n";
    let expected = "ecosystem.config.yaml:4:5: unknown key `instnaces` in app `web`\n  hint: did you mean `instances`?\n\
         ecosystem.config.yaml:5:19: `kill_timeout` of app `web` must be a time (a number of ms, or like `10s`, `1m`, `1h`), \
         found the string `soon`\n\
         ecosystem.config.yaml:9:5: unknown key `foo` in app `api`\n\
         ecosystem.config.yaml:8:10: cwd not found: $D/nowhere";
    assert_eq!(refused(&bench, bench.file("ecosystem.config.yaml", yaml)), expected);
}

#[test]
fn places_are_exact_in_every_format() {
    let bench = Bench::new();
    let rows = [
        (
            "e.json",
            "{\n  \"script\": \"app.js\",\n  /* é */ \"wach\": true,\n  \"instances\": \"x\"\n}",
            (3, 11),
            (4, 16),
        ),
        ("e.json5", "{script: 'app.js', wach: true,\n\tinstances: 'x'}", (1, 20), (2, 13)),
        ("e.yaml", "script: app.js\nwach: true # c\ninstances:   x\n", (2, 1), (3, 14)),
        ("e.yml", "- {script: app.js, wach: true,\n   instances: x}\n", (1, 20), (2, 15)),
        ("e.toml", "[[apps]]\nscript = 'app.js'\n  wach = true\ninstances = \"x\"\n", (3, 3), (4, 13)),
        (
            "e.config.js",
            "module.exports = {\n  script: 'app.js',\n  wach: true,\n  'instances': 'x'\n}\n",
            (3, 3),
            (4, 4),
        ),
    ];
    for (file, text, unknown, wrong) in rows {
        let errors = bench.file(file, text).unwrap_err();
        let of = |key: &str| {
            let problem = errors.problems.iter().find(|problem| problem.key.as_deref() == Some(key)).unwrap();
            (problem.line.unwrap(), problem.column.unwrap())
        };
        assert_eq!((of("wach"), of("instances")), (unknown, wrong), "{file}: {errors}");
        assert_eq!(errors.problems.len(), 2, "{errors}");
        let watch = errors.problems.iter().find(|problem| problem.key.as_deref() == Some("wach")).unwrap();
        assert_eq!(watch.hint.as_deref(), Some("did you mean `watch`?"));
        assert_eq!((watch.origin.as_str(), watch.app.as_deref()), (file, Some("app")));
    }
}

#[test]
fn syntax_errors_have_a_place() {
    let bench = Bench::new();
    let rows = [
        ("e.json", "{\n  \"script\": \n}", "e.json:3:1: broken JSON: "),
        ("e.json", "{script: 'app.js' name: 'x'}", "e.json:1:18: broken JSON: expected comma"),
        ("e.json", "{script: 'app.js'", "e.json:1:1: broken JSON: unterminated object"),
        ("e.json", "{a: 1}\n{b: 2}", "e.json:2:1: broken JSON: text cannot contain more than one JSON value"),
        ("e.json", "module.exports = {}", "e.json:1:1: broken JSON: "),
        ("e.json", "{\n script: 'a',\n script: 'b'}", "e.json:3:2: key `script` is given twice, first in line 2"),
        ("e.yaml", "apps:\n  - script: [a\n", "e.yaml:3:"),
        ("e.yaml", "script: a\nscript: b\n", "e.yaml:2:1: broken YAML: duplicated key in mapping"),
        ("e.yaml", "a: *nowhere\n", "e.yaml:1:4: broken YAML: "),
        ("e.yaml", "script: a\n---\nscript: b\n", "e.yaml:3:1: more than one YAML document in the file"),
        ("e.yaml", "? [a]\n: b\n", "e.yaml:1:3: a key must be a word"),
        ("e.yaml", "<<: 3\nscript: a\n", "e.yaml:1:5: `<<` merges maps, and this is none"),
        ("e.toml", "[[apps]]\nscript = \n", "e.toml:2:"),
        ("e.toml", "a = 1\na = 2\n", "e.toml:2:1: broken TOML: duplicate key"),
    ];
    for (file, text, expected) in rows {
        let found = refused(&bench, bench.file(file, text));
        assert!(found.starts_with(expected), "{text:?}: {found}");
        assert_eq!(found.lines().filter(|line| !line.starts_with("  ")).count(), 1, "{found}");
    }
}

#[test]
fn files_that_cannot_be_read_say_why() {
    let bench = Bench::new();
    let load = |name: &str| refused(&bench, load_file(Path::new(name), &bench.context, &bench.options));
    assert_eq!(load("gone.json"), "gone.json: file not found");
    bench.folder("folder.json");
    assert_eq!(load("folder.json"), "folder.json: not a regular file");
    bench.write("latin.json", b"{\n'a': '\xe9'}");
    assert_eq!(load("latin.json"), "latin.json: file is not UTF-8 text (line 2)");
    bench.write("big.yaml", "#".repeat(1024 * 1024 + 1));
    assert_eq!(load("big.yaml"), "big.yaml: larger than 1 MiB, which no ecosystem file is");
    assert!(load("app.js").starts_with("app.js: not the name of an ecosystem file"));
    for name in ["empty.json", "empty.yaml", "empty.toml"] {
        bench.write(name, " \n");
        assert_eq!(load(name), format!("{name}: file is empty"));
    }
}

#[test]
fn bombs_end_in_an_error() {
    let bench = Bench::new();
    let mut laughs = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (name, last) in ["b", "c", "d", "e", "f", "g", "h"].iter().zip(["a", "b", "c", "d", "e", "f", "g"]) {
        laughs.push_str(&format!("{name}: &{name} [{}]\n", vec![format!("*{last}"); 9].join(",")));
    }
    let nested_anchors = format!("a: {}{}x{}", "&a [".repeat(200), "x, ".repeat(300_000), "]".repeat(200));
    let indented: String = (0..1200).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    let rows = [
        ("e.yaml", laughs),
        ("e.yaml", nested_anchors),
        ("e.yaml", "- ".repeat(400_000)),
        ("e.yaml", indented),
        ("e.yaml", "? ".repeat(300)),
        ("e.yaml", "[".repeat(100_000)),
        ("e.yaml", "{a: ".repeat(100_000)),
        ("e.json", "[".repeat(100_000)),
        ("e.json", "{a:".repeat(100_000)),
        ("e.toml", format!("a = {}", "[".repeat(100_000))),
        ("e.toml", format!("{}a = 1", "a.".repeat(100_000))),
    ];
    for (file, text) in rows {
        refused(&bench, bench.file(file, &text));
    }
}

#[test]
fn problems_are_data_too() {
    let bench = Bench::new();
    let errors = bench.file("e.yaml", "script: app.js\nfoo: 1\n").unwrap_err();
    let data = serde_json::to_value(&errors).unwrap();
    let expected = serde_json::json!({"problems": [{
        "origin": "e.yaml", "line": 2, "column": 1, "app": "app", "key": "foo", "message": "unknown key `foo` in app `app`",
    }]});
    assert_eq!(data, expected);
}

#[test]
fn a_variables_value_is_never_shown() {
    let bench = Bench::new();
    let text = "{script: 'gone.js', foo: 1, env: {TOKEN: 'hunter2', 'A=B': 'hunter2'}, env_x: 'hunter2'}";
    let errors = bench.file("e.json", text).unwrap_err();
    assert!(errors.problems.len() >= 3, "{errors}");
    assert!(!errors.to_string().replace("env_x", "").contains("TOKEN"), "{errors}");
}
