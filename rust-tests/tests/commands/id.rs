//! `rewake id`.

use crate::home::{Home, SLEEPER};

#[test]
fn ids_are_an_array_as_pm2_prints_it() {
    let home = Home::new();
    home.file("app.js", SLEEPER);
    home.file("apps.json", r#"[{ "name": "web", "script": "app.js", "instances": 2, "exec_mode": "fork" }]"#);
    home.run("start apps.json").good();
    assert_eq!(home.run("id web").good().out, "[ 0, 1 ]\n");
    assert_eq!(home.run("id nosuch").good().out, "[]\n");
    assert_eq!(home.run("id web --json").good().json(), serde_json::json!([0, 1]));
}
