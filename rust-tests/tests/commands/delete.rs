//! `rewake delete`.

use crate::home::{Home, SLEEPER, is_alive};

#[test]
fn a_deleted_app_is_gone_from_list_and_system() {
    let home = Home::new();
    home.file("app.js", SLEEPER);
    home.run("start app.js -n a").good();
    home.run("start app.js -n b").good();
    let pid = home.pid("a");
    let said = home.run("del a").good();
    assert!(said.err.contains("deleted a (id 0)"), "{said:?}");
    assert!(!is_alive(pid));
    let names: Vec<_> = home.jlist().iter().map(|entry| entry["name"].clone()).collect();
    assert_eq!(names, ["b"]);
    home.run("delete a").bad();
}

#[test]
fn the_apps_of_a_process_file_are_deleted_by_name() {
    let home = Home::new();
    home.file("app.js", SLEEPER);
    home.file("apps.json", r#"[{ "name": "a", "script": "app.js" }, { "name": "b", "script": "app.js" }]"#);
    home.run("start apps.json").good();
    home.run("start app.js -n c").good();
    home.run("delete apps.json").good();
    let names: Vec<_> = home.jlist().iter().map(|entry| entry["name"].clone()).collect();
    assert_eq!(names, ["c"]);
}
