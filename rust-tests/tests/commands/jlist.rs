//! `rewake jlist` and `prettylist`.

use crate::home::{Home, SLEEPER};

#[test]
fn the_list_has_pm2s_shape_and_no_secrets_unless_asked() {
    let home = Home::new();
    home.file("app.js", SLEEPER);
    home.run("start app.js --env TOKEN=s3cret -- a b").good();
    let said = home.run("jlist").good();
    assert!(!said.out.ends_with('\n') && !said.out.contains("s3cret"), "{said:?}");
    let entry = &said.json()[0];
    let env = &entry["pm2_env"];
    for (key, value) in [
        ("status", serde_json::json!("online")),
        ("exec_mode", "fork_mode".into()),
        ("pm_exec_path", home.folder().canonicalize().unwrap().join("app.js").display().to_string().into()),
        ("restart_time", 0.into()),
        ("args", serde_json::json!(["a", "b"])),
        ("NODE_APP_INSTANCE", 0.into()),
        ("watch", false.into()),
    ] {
        assert_eq!(env[key], value, "{key}");
    }
    assert!(entry["pid"].as_u64().unwrap() > 1 && entry["monit"]["memory"].as_u64().is_some());
    let said = home.run("jlist --with-env").good();
    assert_eq!(said.json()[0]["pm2_env"]["TOKEN"], "s3cret");
    assert_eq!(said.json()[0]["pm2_env"]["env"]["TOKEN"], "s3cret");
}

#[test]
fn the_pretty_list_is_the_same_indented() {
    let home = Home::new();
    home.file("app.js", SLEEPER);
    home.run("start app.js").good();
    let said = home.run("prettylist").good();
    assert!(said.out.lines().count() > 20, "{said:?}");
    assert_eq!(said.json()[0]["name"], "app");
}
