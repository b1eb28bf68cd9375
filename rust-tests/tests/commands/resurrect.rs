//! `rewake resurrect`.

use crate::home::{Home, SLEEPER};

#[test]
fn what_was_saved_comes_back_as_it_was() {
    let home = Home::new();
    home.file("app.js", SLEEPER);
    home.run("start app.js -n up -- --flag").good();
    home.run("start app.js -n down").good();
    home.run("stop down").good();
    home.run("save").good();
    home.run("kill").good();
    assert!(home.jlist().is_empty());
    home.run("resurrect").good();
    assert_eq!((home.status("up").as_str(), home.status("down").as_str()), ("online", "stopped"));
    assert_eq!(home.process("up")["pm2_env"]["args"], serde_json::json!(["--flag"]));
    // What runs already is left alone.
    let pid = home.pid("up");
    home.run("resurrect").good();
    assert_eq!((home.pid("up"), home.jlist().len()), (pid, 2));
}

#[test]
fn nothing_saved_is_an_error() {
    let home = Home::new();
    let said = home.run("resurrect").bad();
    assert!(said.err.contains("error: "), "{said:?}");
}
