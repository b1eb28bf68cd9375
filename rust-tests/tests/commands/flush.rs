//! `rewake flush`.

use std::fs;

use crate::home::{Home, SLEEPER};

#[test]
fn the_files_of_the_target_are_emptied_and_no_others() {
    let home = Home::new();
    home.file("app.js", SLEEPER);
    for name in ["a", "b"] {
        home.run(&format!("start app.js -n {name}")).good();
        home.wait_for_output(name, "up");
    }
    let size = |name: &str| fs::metadata(home.path().join("logs").join(format!("{name}-out.log"))).unwrap().len();
    let said = home.run("flush a").good();
    assert!(said.err.contains("emptied ") && said.err.contains("a-out.log"), "{said:?}");
    assert_eq!((size("a"), size("b")), (0, 3));
    let said = home.run("flush --json").good();
    assert!(
        said.json().as_array().unwrap().iter().any(|file| file.as_str().unwrap().ends_with("b-out.log")),
        "{said:?}"
    );
    assert_eq!(size("b"), 0);
    home.run("flush nosuch").bad();
}
