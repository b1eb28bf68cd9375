//! `rewake unstartup`.

use crate::startup::Somebody;

#[test]
fn the_unit_is_disabled_and_gone() {
    let somebody = Somebody::new();
    somebody.run("startup").good();
    let said = somebody.run("unstartup").good();
    assert!(!somebody.unit().exists(), "{said:?}");
    let asked = "--user daemon-reload\n--user enable rewake\n--user disable rewake\n--user daemon-reload\n";
    assert_eq!(somebody.asked(), asked);
}

#[test]
fn nothing_to_remove_is_no_error() {
    let somebody = Somebody::new();
    let said = somebody.run("unstartup").good();
    assert!(said.err.contains("nothing to remove"), "{said:?}");
    assert_eq!(somebody.asked(), "");
    assert_eq!(somebody.run("unstartup --json").good().json()["removed"], false);
}

#[test]
fn what_systemd_refuses_leaves_the_unit() {
    let somebody = Somebody::new();
    somebody.run("startup").good();
    somebody.systemctl("echo 'Access denied' >&2; exit 1");
    let said = somebody.run("unstartup").bad();
    assert!(said.err.contains("Access denied"), "{said:?}");
    assert!(somebody.unit().exists());
}
