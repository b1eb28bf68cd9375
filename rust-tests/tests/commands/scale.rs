//! `rewake scale`.

use crate::home::{Home, SLEEPER, is_alive};

fn pids(home: &Home) -> Vec<u64> {
    home.jlist().iter().map(|entry| entry["pid"].as_u64().unwrap()).collect()
}

#[test]
fn an_app_gets_as_many_instances_as_are_asked_for_or_more_or_fewer() {
    let home = Home::new();
    home.file("app.js", SLEEPER);
    home.run("start app.js -i 2").good();
    let first = pids(&home);
    for (to, count) in [("3", 3), ("+2", 5), ("-1", 4), ("-2", 2), ("1", 1)] {
        let line = format!("scale app {to}");
        let before = pids(&home);
        home.run(&line).good();
        let after = pids(&home);
        assert_eq!(after.len(), count, "{line}");
        // The oldest stay as they are, the newest go.
        let stay = before.len().min(count);
        assert_eq!(before[..stay], after[..stay], "{line}");
        assert!(before[stay..].iter().all(|pid| !is_alive(*pid)), "{line}");
        assert!(home.jlist().iter().all(|entry| entry["pm2_env"]["instances"] == count), "{line}");
    }
    assert_eq!(pids(&home), first[..1]);
}

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    let home = Home::new();
    home.file("app.js", SLEEPER);
    home.run("start app.js -i 2").good();
    for (line, reason) in [
        ("scale app 2", "has 2 instances already"),
        ("scale app 0", "cannot have 0 instances"),
        ("scale app -2", "cannot have 0 instances"),
        ("scale app many", "wrong value for `<NUMBER>`, `many`"),
        ("scale app", "NUMBER"),
        ("scale nosuch 2", "`nosuch`"),
    ] {
        let said = home.run(line).bad();
        assert!(said.err.contains(reason), "{line}: {said:?}");
    }
    assert_eq!(home.jlist().len(), 2);
}
