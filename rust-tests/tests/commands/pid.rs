//! `rewake pid`.

use crate::home::{Home, SLEEPER};

#[test]
fn process_ids_come_one_a_line_and_zero_for_what_does_not_run() {
    let home = Home::new();
    home.file("app.js", SLEEPER);
    home.run("start app.js -n a").good();
    home.run("start app.js -n b").good();
    home.run("stop a").good();
    let b = home.pid("b");
    assert_eq!(home.run("pid").good().out, format!("0\n{b}\n"));
    assert_eq!(home.run("pid b").good().out, format!("{b}\n"));
    assert_eq!(home.run("pid b --json").good().json(), serde_json::json!([b]));
    home.run("pid nosuch").bad();
}
