//! `rewake env`.

use crate::home::{Home, SLEEPER};

#[test]
fn the_environment_is_shown_line_by_line_or_as_json() {
    let home = Home::new();
    home.file("app.js", SLEEPER);
    home.run("start app.js --env COLOUR=blue").good();
    let said = home.run("env 0").good();
    assert!(said.out.lines().any(|line| line == "COLOUR: blue"), "{said:?}");
    assert_eq!(home.run("env app --json").good().json()["0"]["COLOUR"], "blue");
    home.run("env nosuch").bad();
}
