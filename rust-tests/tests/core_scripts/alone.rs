//! A reload whose old run ends by itself before the new one is ready: the new one is the slot's own, and must prove itself all
//! the same.

use rewake_core::{Policy, SlotId};
use rust_tests::script::Script;

use crate::reload::{cluster, listening, several};

/// Two slots that listen, the first of which is being reloaded by run 2; its old run has just crashed.
fn left_alone(policy: &Policy) -> Script {
    let mut s = several(2, policy);
    s.reload(&[0, 1]);
    s.spawned(2);
    s.exited(0, 1);
    assert_eq!(s.orders(), ["spawn run 2 of 0", "release run 0"]);
    s.changes();
    assert_eq!((s.phase(0), s.runs(0), s.slot(0).restarts), ("launching", vec![2], 1));
    s
}

fn waits_ready() -> Policy {
    Policy { wait_ready: true, restart_delay: 9000, ..cluster() }
}

#[test]
fn it_takes_the_slot_over_and_is_ready_when_it_says_so() {
    let mut s = listening(waits_ready());
    s.reload(&[0]);
    s.spawned(1);
    s.orders();
    s.exited(0, 1);
    assert_eq!((s.orders(), s.phase(0), s.runs(0)), (vec!["release run 0".to_owned()], "launching", vec![1]));
    s.listening(1);
    assert_eq!((s.phase(0), s.due_in()), ("launching", Some(3000)));
    s.ready(1);
    assert_eq!((s.orders(), s.slot(0).restarts), (vec!["reply 1: 0 ok".to_owned()], 1));
}

#[test]
fn it_must_listen_as_the_old_one_did_before_it_serves() {
    let mut s = left_alone(&cluster());
    assert_eq!(s.due_in(), Some(3000));
    s.ready(2);
    assert_eq!(s.phase(0), "launching");
    s.listening(2);
    assert_eq!(s.everything().join("; "), "0 Online; run 2 serves 0; 1 Reload; spawn run 3 of 1");
}

#[test]
fn it_must_live_for_min_uptime_if_the_old_one_never_listened() {
    let mut s = Script::online(cluster());
    s.reload(&[0]);
    s.spawned(1);
    s.wait(400);
    s.exited(0, 1);
    s.orders();
    assert_eq!((s.phase(0), s.due_in()), ("launching", Some(600)));
    s.tick_after(600);
    assert_eq!((s.orders(), s.phase(0)), (vec!["reply 1: 0 ok".to_owned()], "online"));
}

#[test]
fn one_that_is_only_being_made_then_is_held_to_the_same() {
    let mut s = listening(cluster());
    s.reload(&[0]);
    s.exited(0, 1);
    assert_eq!(s.phase(0), "spawning");
    s.spawned(1);
    assert_eq!((s.phase(0), s.due_in()), ("launching", Some(3000)));
    s.orders();
    s.listening(1);
    assert_eq!((s.orders(), s.phase(0)), (vec!["reply 1: 0 ok".to_owned()], "online"));
}

#[test]
fn one_that_ends_before_it_is_ready_fails_the_reload_and_is_restarted_by_the_policy() {
    let mut s = left_alone(&cluster());
    s.exited(2, 7);
    let expected = [
        "0 exit Code(7) after 0",
        "0 reload failed alone: exited with Code(7)",
        "reply 2: 0 not reloaded, alone: exited with Code(7), 1 NotReloaded",
        "release run 2",
        "0 Restart",
        "spawn run 3 of 0",
    ];
    assert_eq!((s.everything(), s.runs(1)), (expected.map(str::to_owned).to_vec(), vec![1]));
    // What the policy starts is no reload's any more.
    s.spawned(3);
    assert_eq!(s.phase(0), "online");
}

#[test]
fn one_that_is_not_ready_in_time_fails_the_reload_and_stays_as_there_is_nothing_else() {
    let mut s = left_alone(&cluster());
    s.tick_after(2999);
    assert_eq!(s.orders(), Vec::<String>::new());
    s.tick_after(1);
    let expected = [
        "0 ReadyTimeout",
        "0 reload failed alone: NotReady",
        "reply 2: 0 not reloaded, alone: NotReady, 1 NotReloaded",
        "0 Online",
        "run 2 serves 0",
    ];
    assert_eq!((s.everything(), s.phase(0), s.runs(1)), (expected.map(str::to_owned).to_vec(), "online", vec![1]));
    assert_eq!(s.due_in(), None);
}

#[test]
fn pm2s_lenient_rule_holds_here_too_if_it_is_asked_for() {
    let mut s = left_alone(&Policy { accept_unready: true, ..cluster() });
    s.tick_after(3000);
    assert_eq!(s.orders(), ["spawn run 3 of 1"]);
}

#[test]
fn one_that_cannot_be_made_fails_the_reload_and_is_tried_again_by_the_policy() {
    let mut s = listening(cluster());
    s.reload(&[0]);
    s.exited(0, 1);
    s.orders();
    s.spawn_failed(1, true);
    let orders = ["release run 1", "reply 1: 0 not reloaded, alone: SpawnFailed"];
    assert_eq!((s.orders(), s.phase(0)), (orders.map(str::to_owned).to_vec(), "waiting restart"));
}

#[test]
fn one_that_soaks_serves_at_once_and_must_live_through_the_rest() {
    let mut s = several(2, &Policy { reload_soak: 1500, ..cluster() });
    s.reload(&[0, 1]);
    s.spawned(2);
    s.listening(2);
    s.wait(1000);
    s.everything();
    s.exited(0, 1);
    let expected = ["0 exit Code(1) after 1000", "release run 0", "save", "0 Online", "run 2 serves 0"];
    assert_eq!((s.everything(), s.due_in()), (expected.map(str::to_owned).to_vec(), Some(500)));
    s.tick_after(499);
    assert_eq!(s.orders(), Vec::<String>::new());
    s.tick_after(1);
    // It has proven the release as well as one beside an old run does.
    s.spawned(3);
    s.listening(3);
    assert_eq!(s.orders(), ["spawn run 3 of 1", "drain run 1"]);
}

#[test]
fn one_that_dies_in_the_soak_fails_the_reload() {
    let mut s = left_alone(&Policy { reload_soak: 1500, ..cluster() });
    s.listening(2);
    assert_eq!((s.phase(0), s.due_in()), ("online", Some(1500)));
    s.wait(1499);
    s.exited(2, 3);
    let reply = "reply 2: 0 not reloaded, alone: died in the soak with Code(3), 1 NotReloaded";
    assert_eq!(s.orders(), [reply, "release run 2", "spawn run 3 of 0"]);
}

#[test]
fn a_restart_or_a_stop_meanwhile_ends_the_reload() {
    let mut s = left_alone(&cluster());
    s.restart(0);
    assert_eq!(s.orders(), ["reply 2: 0 Superseded, 1 NotReloaded", "signal 2 to the tree of run 2"]);
    s.exited(2, 0);
    s.spawned(3);
    assert_eq!(s.orders(), ["release run 2", "spawn run 3 of 0", "reply 3: 0 ok"]);

    let mut s = left_alone(&cluster());
    s.stop(0);
    assert_eq!(s.orders(), ["reply 2: 0 Superseded, 1 NotReloaded", "signal 2 to the tree of run 2"]);
}

#[test]
fn a_second_reload_waits_until_it_has_proven_itself() {
    let mut s = left_alone(&cluster());
    s.reload(&[0]);
    assert!(s.core.is_reloading(SlotId(0)));
    assert_eq!(s.orders(), Vec::<String>::new());
    s.listening(2);
    assert_eq!(s.orders(), ["spawn run 3 of 1", "spawn run 4 of 0"]);
}

#[test]
fn a_start_meanwhile_waits_until_it_is_up() {
    let mut s = left_alone(&cluster());
    s.start(0);
    assert_eq!(s.orders(), Vec::<String>::new());
    s.listening(2);
    assert_eq!(s.orders(), ["reply 3: 0 ok", "spawn run 3 of 1"]);
}

#[test]
fn the_old_ones_tree_may_outlive_it() {
    let mut s = listening(cluster());
    s.reload(&[0]);
    s.spawned(1);
    s.orders();
    s.exited_leaving_a_tree(0, 1);
    assert_eq!((s.orders(), s.runs(0)), (vec!["signal 15 to the tree of run 0".to_owned()], vec![1, 0]));
    s.tree_gone(0);
    assert_eq!((s.orders(), s.phase(0)), (vec!["release run 0".to_owned()], "launching"));
    s.listening(1);
    assert_eq!(s.orders(), ["reply 1: 0 ok"]);
}
