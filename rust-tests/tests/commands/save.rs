//! `rewake save`.

use crate::home::{Home, SLEEPER};

#[test]
fn an_empty_list_is_only_saved_by_force() {
    let home = Home::new();
    let said = home.run("save").bad();
    assert!(said.err.contains("error: "), "{said:?}");
    home.run("save --force").good();
}

#[test]
fn it_says_what_was_saved_and_where() {
    let home = Home::new();
    home.file("app.js", SLEEPER);
    home.run("start app.js").good();
    let said = home.run("dump").good();
    assert!(said.err.contains("saved 1 process in "), "{said:?}");
    let said = home.run("save --json").good();
    assert_eq!(said.json()["slots"], 1);
    assert!(std::path::Path::new(said.json()["path"].as_str().unwrap()).is_file());
}
