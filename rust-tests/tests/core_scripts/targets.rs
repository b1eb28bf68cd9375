//! What a target means.

use rewake_core::{BadTarget, NewSlot, Target};
use rust_tests::script::Script;

use crate::plain;

/// 0 `web`, 1 `web`, 2 `api` in namespace `web`, 3 `2`, 4 `x` in namespace `7`, 5 `7`, 6 `job-1` in namespace `jobs`.
fn listed() -> Script {
    let mut s = Script::default();
    let slots = [
        ("web", "default"),
        ("web", "default"),
        ("api", "web"),
        ("2", "default"),
        ("x", "7"),
        ("7", "default"),
        ("job-1", "jobs"),
    ];
    for (name, namespace) in slots {
        s.core.add(NewSlot { name: name.into(), namespace: namespace.into(), policy: plain() });
    }
    s
}

#[track_caller]
fn finds(s: &Script, target: &str, ids: &[u32]) {
    let target = Target::parse(target).expect("a target");
    assert_eq!(s.core.find(&target).iter().map(|id| id.0).collect::<Vec<u32>>(), ids, "{target:?}");
}

#[test]
fn all_means_all() {
    finds(&listed(), "all", &[0, 1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_word_is_a_name_before_a_namespace_before_an_id() {
    let s = listed();
    finds(&s, "web", &[0, 1]);
    finds(&s, "jobs", &[6]);
    finds(&s, "2", &[3]);
    finds(&s, "7", &[5]);
    finds(&s, "4", &[4]);
    finds(&s, "nothing", &[]);
}

#[test]
fn a_namespace_of_digits_comes_before_the_id() {
    let mut s = listed();
    s.delete(5);
    finds(&s, "7", &[4]);
}

#[test]
fn only_digits_are_an_id() {
    let s = listed();
    for word in ["+4", " 4", "4.0", "-0", "0x4", "99999999999999999999"] {
        finds(&s, word, &[]);
    }
    finds(&s, "004", &[4]);
}

#[test]
fn slashes_make_a_regular_expression_on_the_name() {
    let s = listed();
    finds(&s, "/^(web|job-)/", &[0, 1, 6]);
    finds(&s, "/jobs/", &[]);
    finds(&s, "//", &[]);
    finds(&s, "/", &[]);
}

#[test]
fn a_broken_or_empty_target_is_refused() {
    assert!(matches!(Target::parse("/(/"), Err(BadTarget::Pattern(_))));
    assert!(matches!(Target::parse(""), Err(BadTarget::Empty)));
}

#[test]
fn what_is_being_deleted_is_no_longer_found() {
    let mut s = Script::online(plain());
    s.delete(0);
    finds(&s, "all", &[]);
    finds(&s, "app", &[]);
    finds(&s, "0", &[]);
    finds(&s, "/app/", &[]);
}
