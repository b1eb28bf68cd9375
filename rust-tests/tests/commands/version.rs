//! `rewake version` and `-v`.

use crate::home::Home;

#[test]
fn the_version_is_told_without_a_daemon() {
    let home = Home::new();
    for line in ["version", "-v", "--version"] {
        let said = home.run(line).good();
        assert_eq!(said.out, format!("{}\n", env!("CARGO_PKG_VERSION")));
    }
    assert!(!home.path().exists());
    assert_eq!(home.run("version --json").good().json()["daemon"], serde_json::Value::Null);
    home.run("ping").good();
    assert_eq!(home.run("version --json").good().json()["daemon"], env!("CARGO_PKG_VERSION"));
}
