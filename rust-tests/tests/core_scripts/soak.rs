//! `reload_soak`: the first new run of a release must live on for a while before it takes over; those after it need not.

use rewake_core::{Policy, SlotId};
use rust_tests::script::Script;

use crate::reload::{cluster, listening, several};
use crate::{NOTHING, plain};

fn soaking() -> Policy {
    Policy { reload_soak: 1500, ..cluster() }
}

/// Lets the new run of a slot come up, and soak.
fn soak(s: &mut Script, run: u64) {
    s.spawned(run);
    s.listening(run);
    s.tick_after(1499);
    s.orders();
    s.tick_after(1);
}

#[test]
fn a_new_run_must_live_through_the_soak() {
    let mut s = listening(Policy { reload_soak: 5000, ..cluster() });
    s.reload(&[0]);
    s.spawned(1);
    s.listening(1);
    s.tick_after(4999);
    assert_eq!(s.orders(), ["spawn run 1 of 0"]);
    s.exited(1, 1);
    assert_eq!(s.orders(), ["release run 1", "reply 1: 0 not reloaded: died in the soak with Code(1)"]);
    s.reload(&[0]);
    s.spawned(2);
    s.listening(2);
    s.tick_after(5000);
    assert_eq!(s.orders(), ["spawn run 2 of 0", "drain run 0"]);
}

#[test]
fn what_soaks_is_given_no_connections() {
    let mut s = listening(soaking());
    s.reload(&[0]);
    s.spawned(1);
    s.listening(1);
    s.tick_after(1499);
    assert_eq!(
        (s.everything(), s.phase(0), s.runs(0)),
        (words(&["0 Reload", "spawn run 1 of 0"]), "online", vec![0, 1])
    );
    s.tick_after(1);
    assert_eq!(s.everything(), ["save", "0 Online", "run 1 serves 0", "drain run 0"]);
}

#[test]
fn a_run_that_dies_in_the_soak_leaves_the_old_ones_as_they_are() {
    let mut s = several(3, &soaking());
    s.reload(&[0, 1, 2]);
    s.spawned(3);
    s.listening(3);
    s.tick_after(1400);
    s.exited(3, 1);
    let reply = "reply 3: 0 not reloaded: died in the soak with Code(1), 1 NotReloaded, 2 NotReloaded";
    assert_eq!(s.orders(), ["spawn run 3 of 0", "release run 3", reply]);
    assert_eq!(([s.runs(0), s.runs(1), s.runs(2)], s.due_in()), ([vec![0], vec![1], vec![2]], None));
}

#[test]
fn one_slot_proves_the_release_and_the_others_take_over_at_once() {
    let mut s = several(3, &soaking());
    s.reload(&[0, 1, 2]);
    soak(&mut s, 3);
    assert_eq!(s.orders(), ["drain run 0"]);
    s.exited(0, 0);
    s.spawned(4);
    assert_eq!(s.orders(), ["release run 0", "spawn run 4 of 1"]);
    s.listening(4);
    assert_eq!(s.orders(), ["drain run 1"]);
    s.exited(1, 0);
    s.spawned(5);
    s.listening(5);
    s.exited(2, 0);
    let rest = ["release run 1", "spawn run 5 of 2", "drain run 2", "release run 2", "reply 3: 0 ok, 1 ok, 2 ok"];
    assert_eq!(s.orders(), rest);
}

#[test]
fn those_that_begin_before_anything_is_proven_all_soak() {
    let mut s = several(3, &soaking());
    s.reload_by(2, &[0, 1, 2]);
    s.spawned(3);
    s.listening(3);
    s.wait(1000);
    s.spawned(4);
    s.listening(4);
    s.tick_after(500);
    s.exited(0, 0);
    s.orders();
    // The third has begun, and need not soak; the second still does.
    s.spawned(5);
    s.listening(5);
    assert_eq!((s.orders(), s.due_in()), (words(&["drain run 2"]), Some(1000)));
    s.tick_after(1000);
    assert_eq!(s.orders(), ["drain run 1"]);
}

#[test]
fn one_app_proves_nothing_of_another() {
    let mut s = Script::default();
    for (run, app) in [(0, "web"), (1, "api"), (2, "web")] {
        let id = s.add(app, soaking());
        s.start(id);
        s.spawned(run);
        s.listening(run);
    }
    s.reload(&[0, 1, 2]);
    soak(&mut s, 3);
    s.exited(0, 0);
    s.spawned(4);
    s.listening(4);
    assert_eq!((s.orders().last().unwrap().as_str(), s.due_in()), ("spawn run 4 of 1", Some(1500)));
    s.tick_after(1500);
    s.exited(1, 0);
    s.orders();
    s.spawned(5);
    s.listening(5);
    assert_eq!(s.orders(), ["drain run 2"]);
}

#[test]
fn one_reload_proves_nothing_for_the_next() {
    let mut s = listening(soaking());
    s.reload(&[0]);
    soak(&mut s, 1);
    s.exited(0, 0);
    s.orders();
    s.reload(&[0]);
    s.spawned(2);
    s.listening(2);
    assert_eq!((s.orders(), s.due_in()), (words(&["spawn run 2 of 0"]), Some(1500)));
}

#[test]
fn a_description_that_changes_in_the_middle_is_not_proven() {
    for moment in ["before the first has soaked", "after it"] {
        let mut s = several(2, &soaking());
        s.reload(&[0, 1]);
        if moment.starts_with("before") {
            s.core.redefine(SlotId(1), soaking());
        }
        soak(&mut s, 2);
        if moment.starts_with("after") {
            s.core.redefine(SlotId(1), soaking());
        }
        s.exited(0, 0);
        s.orders();
        s.spawned(3);
        s.listening(3);
        assert_eq!((s.orders(), s.due_in()), (vec![], Some(1500)), "{moment}");
    }
}

#[test]
fn a_start_inside_a_reload_waits_once() {
    let mut s = Script::default();
    for _ in 0..3 {
        s.add("app", Policy { reload_soak: 1500, ..plain() });
    }
    s.reload(&[0, 1, 2]);
    s.spawned(0);
    s.tick_after(1499);
    assert_eq!(s.orders(), ["spawn run 0 of 0"]);
    s.tick_after(1);
    s.spawned(1);
    s.spawned(2);
    assert_eq!(s.orders(), ["spawn run 1 of 1", "spawn run 2 of 2", "reply 0: 0 ok, 1 ok, 2 ok"]);
}

#[test]
fn a_start_that_fails_inside_a_reload_ends_it_before_a_run_that_serves_is_touched() {
    let mut s = several(2, &Policy { autorestart: false, ..soaking() });
    s.stop(0);
    s.exited(0, 0);
    s.orders();
    s.reload(&[0, 1]);
    s.spawned(2);
    s.tick_after(1400);
    s.exited(2, 1);
    let reply = "reply 3: 0 exited early with Code(1), 1 NotReloaded";
    assert_eq!(s.orders(), ["spawn run 2 of 0", reply, "release run 2"]);
    assert_eq!(s.runs(1), [1]);
}

#[test]
fn a_task_that_is_done_before_the_soak_is_over_does_not_end_a_reload() {
    let task = Policy { reload_soak: 1500, autorestart: false, ..plain() };
    let service = Policy { autorestart: true, ..task.clone() };
    for (policy, code, ok) in [
        (task.clone(), 0, true),
        (task.clone(), 1, false),
        (Policy { stop_exit_codes: vec![7], ..service.clone() }, 7, true),
        (service, 0, false),
    ] {
        let mut s = Script::default();
        s.add("task", policy.clone());
        s.add("web", plain());
        s.reload(&[0, 1]);
        s.spawned(0);
        s.wait(200);
        s.exited(0, code);
        let begun = s.orders().contains(&"spawn run 1 of 1".to_owned());
        assert_eq!(begun, ok, "{code} {policy:?}");
        s.spawned(1);
        let answered = s.orders();
        assert_eq!(answered.last().is_some_and(|last| last == "reply 0: 0 ok, 1 ok"), ok, "{answered:?}");
    }
}

#[test]
fn that_one_was_started_does_not_prove_that_it_can_replace_another() {
    let mut s = several(3, &soaking());
    s.stop(0);
    s.exited(0, 0);
    s.stop(2);
    s.exited(2, 0);
    s.orders();
    s.reload(&[0, 1, 2]);
    s.spawned(3);
    s.tick_after(1500);
    assert_eq!(s.orders(), ["spawn run 3 of 0", "spawn run 4 of 1"]);
    s.spawned(4);
    s.listening(4);
    assert_eq!((s.orders(), s.due_in()), (vec![], Some(1500)));
    s.tick_after(1500);
    s.exited(1, 0);
    s.spawned(5);
    let rest = ["drain run 1", "release run 1", "spawn run 5 of 2", "reply 5: 0 ok, 1 ok, 2 ok"];
    assert_eq!(s.orders(), rest);
}

#[test]
fn more_instances_do_not_soak() {
    let mut s = listening(soaking());
    let id = s.add("app", soaking());
    s.start(id);
    s.spawned(1);
    assert_eq!(s.orders(), ["spawn run 1 of 1", "reply 1: 1 ok"]);
    assert_eq!(s.due_in(), None);
    assert_eq!(s.orders(), NOTHING);
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
