//! `rewake reset`.

use crate::home::{Home, SLEEPER};

#[test]
fn the_counter_is_zero_and_the_process_is_the_same() {
    let home = Home::new();
    home.file("app.js", SLEEPER);
    home.run("start app.js").good();
    home.run("restart app").good();
    let before = home.process("app");
    assert_eq!(before["pm2_env"]["restart_time"], 1);
    home.run("reset app").good();
    let after = home.process("app");
    assert_eq!((&after["pm2_env"]["restart_time"], &after["pid"]), (&0.into(), &before["pid"]));
    home.run("reset nosuch").bad();
}
