//! No command, an unknown one, help: none of them touches a daemon.

use crate::home::Home;

#[test]
fn no_arguments_are_the_usage_on_stdout_and_a_failure() {
    let home = Home::new();
    let said = home.run("").bad();
    assert!(said.out.contains("Usage: rewake <command>") && said.err.is_empty(), "{said:?}");
    let said = home.run("--help").good();
    assert!(said.out.contains("Usage: rewake <command>"), "{said:?}");
    let said = home.run("start --help").good();
    assert!(said.out.contains("--kill-timeout"), "{said:?}");
    assert!(!home.path().exists());
}

#[test]
fn an_unknown_command_or_option_fails_with_a_suggestion() {
    let home = Home::new();
    let said = home.run("strat app.js").bad();
    assert!(said.err.contains("Command not found") && said.err.contains("rewake start"), "{said:?}");
    let said = home.run("start app.js --nmae x").bad();
    assert!(said.err.contains("`--nmae`") && said.err.contains("`--name`"), "{said:?}");
    assert!(!home.path().exists());
}
