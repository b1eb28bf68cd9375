//! `reload`: the new run beside the old one, which is touched only when the new one is ready.

use rewake_core::{Fact, Policy, RunId, StopWith};
use rust_tests::script::Script;

use crate::{NOTHING, plain};

/// An app in cluster mode.
pub(crate) fn cluster() -> Policy {
    Policy { listens: true, rolling: true, ..plain() }
}

pub(crate) fn listening(policy: Policy) -> Script {
    let mut s = Script::online(policy);
    s.listening(0);
    s
}

/// So many slots, each with the run of its number online and listening.
pub(crate) fn several(slots: u32, policy: &Policy) -> Script {
    let mut s = Script::default();
    for id in 0..slots {
        s.add("app", policy.clone());
        s.start(id);
        s.spawned(u64::from(id));
        s.listening(u64::from(id));
    }
    s.everything();
    s
}

#[test]
fn the_old_run_is_drained_when_the_new_one_listens_and_the_reload_is_over_when_it_is_gone() {
    let mut s = listening(cluster());
    s.reload(&[0]);
    assert_eq!(s.everything(), ["0 Reload", "spawn run 1 of 0"]);
    s.spawned(1);
    assert_eq!((s.everything(), s.phase(0), s.runs(0)), (vec![], "online", vec![0, 1]));
    s.listening(1);
    assert_eq!(s.everything(), ["save", "0 Online", "run 1 serves 0", "drain run 0"]);
    assert_eq!((s.runs(0), s.slot(0).restarts), (vec![1, 0], 1));
    s.drained(0);
    assert_eq!(s.everything(), ["signal 2 to the tree of run 0"]);
    s.exited(0, 0);
    assert_eq!(s.everything(), ["0 exit Code(0) after 0", "release run 0", "reply 1: 0 ok"]);
    assert_eq!((s.phase(0), s.runs(0), s.due_in()), ("online", vec![1], None));
}

#[test]
fn what_does_not_drain_in_time_is_asked_and_then_killed() {
    let mut s = listening(cluster());
    s.reload(&[0]);
    s.spawned(1);
    s.listening(1);
    s.orders();
    s.tick_after(7999);
    assert_eq!(s.orders(), NOTHING);
    s.tick_after(1);
    assert_eq!(s.orders(), ["signal 2 to the tree of run 0"]);
    s.tick_after(1600);
    assert_eq!(s.orders(), ["signal 9 to the tree of run 0"]);
    s.tick_after(10_000);
    assert_eq!(s.orders(), ["reply 1: 0 CannotBeKilled"]);
    s.exited(0, 0);
    assert_eq!((s.orders(), s.phase(0)), (vec!["release run 0".to_owned()], "online"));
}

/// An app that is asked by message, whose new run has taken over.
fn told() -> Script {
    let mut s = listening(Policy { stop_with: StopWith::Message, ..cluster() });
    s.reload(&[0]);
    s.spawned(1);
    s.listening(1);
    assert_eq!(s.orders(), ["spawn run 1 of 0", "send shutdown to run 0", "drain run 0"]);
    s
}

#[test]
fn who_is_asked_by_message_is_told_before_its_channel_closes_and_not_again() {
    let mut s = told();
    s.drained(0);
    assert_eq!((s.orders(), s.due_in()), (vec![], Some(1600)));
    s.tick_after(1600);
    assert_eq!(s.orders(), ["signal 9 to the tree of run 0"]);

    let mut s = told();
    s.tick_after(8000);
    assert_eq!((s.orders(), s.due_in()), (vec![], Some(1600)));
}

#[test]
fn a_message_that_did_not_reach_who_drains_is_sent_again_when_it_has_drained() {
    let mut s = told();
    s.fact(Fact::ShutdownUndeliverable { run: RunId(0) });
    assert_eq!(s.orders(), NOTHING);
    s.drained(0);
    assert_eq!(s.orders(), ["send shutdown to run 0"]);
    s.fact(Fact::ShutdownUndeliverable { run: RunId(0) });
    assert_eq!(s.orders(), ["signal 2 to the tree of run 0"]);
}

#[test]
fn an_old_run_that_ends_while_it_drains_is_not_asked() {
    let mut s = listening(cluster());
    s.reload(&[0]);
    s.spawned(1);
    s.listening(1);
    s.orders();
    s.exited(0, 0);
    assert_eq!(s.orders(), ["release run 0", "reply 1: 0 ok"]);
}

#[test]
fn with_wait_ready_the_new_run_is_ready_when_it_says_so_and_not_when_it_listens() {
    let mut s = listening(Policy { wait_ready: true, ..cluster() });
    s.reload(&[0]);
    s.spawned(1);
    s.listening(1);
    assert_eq!((s.orders(), s.due_in()), (vec!["spawn run 1 of 0".to_owned()], Some(3000)));
    // The old run says it once more.
    s.ready(0);
    assert_eq!(s.orders(), NOTHING);
    s.ready(1);
    assert_eq!(s.orders(), ["drain run 0"]);
}

#[test]
fn a_new_run_that_hangs_before_it_listens_does_not_replace_one_that_listens() {
    let mut s = listening(cluster());
    s.reload(&[0]);
    s.spawned(1);
    s.everything();
    s.tick_after(2999);
    assert_eq!(s.everything(), NOTHING);
    s.tick_after(1);
    assert_eq!(s.everything(), ["0 ReadyTimeout", "signal 2 to the tree of run 1", "0 reload failed: NotReady"]);
    s.exited(1, 0);
    assert_eq!(s.orders(), ["release run 1", "reply 1: 0 not reloaded: NotReady"]);
    assert_eq!((s.phase(0), s.runs(0), s.slot(0).restarts), ("online", vec![0], 0));
}

#[test]
fn a_new_run_of_what_never_listened_is_ready_when_it_has_lived_for_min_uptime() {
    let mut s = Script::online(cluster());
    s.reload(&[0]);
    s.spawned(1);
    s.tick_after(999);
    assert_eq!((s.orders(), s.due_in()), (vec!["spawn run 1 of 0".to_owned()], Some(1)));
    s.tick_after(1);
    assert_eq!(s.orders(), ["drain run 0"]);
}

#[test]
fn once_the_old_run_listens_its_successor_must_too() {
    let mut s = Script::online(cluster());
    s.reload(&[0]);
    s.spawned(1);
    s.wait(500);
    s.listening(0);
    assert_eq!(s.due_in(), Some(2500));
}

#[test]
fn pm2s_lenient_rule_takes_what_is_not_ready_if_it_is_asked_for() {
    let mut s = listening(Policy { accept_unready: true, ..cluster() });
    s.reload(&[0]);
    s.spawned(1);
    s.tick_after(3000);
    assert_eq!(
        s.everything().join("; "),
        "0 Reload; spawn run 1 of 0; 0 ReadyTimeout; save; 0 Online; run 1 serves 0; drain run 0"
    );
}

#[test]
fn what_is_told_sockets_but_does_not_listen_through_us_is_replaced_after_min_uptime_and_asked_at_once() {
    let mut s = Script::online(Policy { rolling: true, ..plain() });
    s.reload(&[0]);
    s.spawned(1);
    s.listening(1);
    s.tick_after(1000);
    assert_eq!(s.orders(), ["spawn run 1 of 0", "signal 2 to the tree of run 0"]);
}

#[test]
fn in_fork_mode_a_reload_is_a_restart() {
    let mut s = Script::online(plain());
    s.reload(&[0]);
    assert_eq!(s.orders(), ["signal 2 to the tree of run 0"]);
    s.exited(0, 0);
    s.spawned(1);
    assert_eq!(s.orders(), ["release run 0", "spawn run 1 of 0", "reply 1: 0 ok"]);
}

#[test]
fn what_is_not_online_is_started() {
    let mut s = Script::with(cluster());
    s.reload(&[0]);
    s.spawned(0);
    assert_eq!(s.orders(), ["spawn run 0 of 0", "reply 0: 0 ok"]);
}

#[test]
fn what_is_still_being_made_is_made_anew() {
    let mut s = Script::with(cluster());
    s.start(0);
    s.reload(&[0]);
    s.spawned(0);
    s.exited(0, 0);
    s.orders();
    s.spawned(1);
    assert_eq!(s.orders(), ["reply 0: 0 ok", "reply 1: 0 ok"]);
}

#[test]
fn a_new_run_that_ends_before_it_is_ready_changes_nothing() {
    let mut s = listening(cluster());
    s.reload(&[0]);
    s.spawned(1);
    s.exited(1, 3);
    let expected = [
        "0 Reload",
        "spawn run 1 of 0",
        "0 exit Code(3) after 0",
        "release run 1",
        "0 reload failed: exited with Code(3)",
        "reply 1: 0 not reloaded: exited with Code(3)",
    ];
    assert_eq!(s.everything(), expected);
    assert_eq!((s.phase(0), s.runs(0), s.slot(0).restarts, s.due_in()), ("online", vec![0], 0, None));
}

#[test]
fn a_new_run_that_leaves_a_tree_is_told_of_when_the_tree_is_gone() {
    let mut s = listening(cluster());
    s.reload(&[0]);
    s.spawned(1);
    s.exited_leaving_a_tree(1, 3);
    assert_eq!(s.orders(), ["spawn run 1 of 0", "signal 15 to the tree of run 1"]);
    s.tree_gone(1);
    assert_eq!(s.orders(), ["release run 1", "reply 1: 0 not reloaded: exited with Code(3)"]);
}

#[test]
fn a_new_run_that_cannot_be_made_changes_nothing() {
    let mut s = listening(cluster());
    s.reload(&[0]);
    s.spawn_failed(1, true);
    assert_eq!(s.orders(), ["spawn run 1 of 0", "release run 1", "reply 1: 0 not reloaded: SpawnFailed"]);
    assert_eq!((s.phase(0), s.due_in()), ("online", None));
}

#[test]
fn one_slot_after_the_other_and_the_first_failure_ends_it() {
    let mut s = several(3, &cluster());
    s.reload(&[0, 1, 2]);
    s.spawned(3);
    s.listening(3);
    assert_eq!(s.orders(), ["spawn run 3 of 0", "drain run 0"]);
    s.exited(0, 0);
    assert_eq!(s.orders(), ["release run 0", "spawn run 4 of 1"]);
    s.spawned(4);
    s.exited(4, 1);
    assert_eq!(s.orders(), ["release run 4", "reply 3: 0 ok, 1 not reloaded: exited with Code(1), 2 NotReloaded"]);
    assert_eq!([s.runs(0), s.runs(1), s.runs(2)], [[3], [1], [2]]);
}

#[test]
fn several_at_a_time_if_asked_for_and_those_that_have_begun_are_finished() {
    let mut s = several(4, &cluster());
    s.reload_by(2, &[0, 1, 2, 3]);
    assert_eq!(s.orders(), ["spawn run 4 of 0", "spawn run 5 of 1"]);
    s.spawned(4);
    s.exited_leaving_a_tree(4, 1);
    s.spawned(5);
    s.listening(5);
    s.exited(1, 0);
    assert_eq!(s.orders(), ["signal 15 to the tree of run 4", "drain run 1", "release run 1"]);
    s.tree_gone(4);
    let reply = "reply 4: 0 not reloaded: exited with Code(1), 1 ok, 2 NotReloaded, 3 NotReloaded";
    assert_eq!(s.orders(), ["release run 4", reply]);
}

#[test]
fn a_slot_that_is_not_there_does_not_keep_the_others_from_being_reloaded() {
    let mut s = listening(cluster());
    s.reload(&[7, 0]);
    s.spawned(1);
    s.listening(1);
    s.exited(0, 0);
    assert_eq!(s.orders().last().unwrap(), "reply 1: 0 ok, 7 Unknown");
}

#[test]
fn a_crash_of_the_new_run_while_the_old_one_drains_is_followed_by_another() {
    let mut s = listening(cluster());
    s.reload(&[0]);
    s.spawned(1);
    s.listening(1);
    s.orders();
    s.exited(1, 1);
    assert_eq!(s.orders(), ["reply 1: 0 exited early with Code(1)", "release run 1", "spawn run 2 of 0"]);
    assert_eq!((s.runs(0), s.slot(0).oldest_run.0), (vec![2, 0], 2));
}

#[test]
fn a_stop_in_the_middle_stops_both_runs_and_the_other_slots_stay_as_they_are() {
    let mut s = several(2, &cluster());
    s.reload(&[0, 1]);
    s.spawned(2);
    s.orders();
    s.stop(0);
    let expected =
        ["reply 2: 0 Superseded, 1 NotReloaded", "signal 2 to the tree of run 2", "signal 2 to the tree of run 0"];
    assert_eq!(s.orders(), expected);
    s.exited(0, 0);
    assert_eq!((s.orders(), s.phase(0)), (vec!["release run 0".to_owned()], "stopping"));
    s.exited(2, 0);
    assert_eq!((s.orders(), s.phase(0)), (vec!["release run 2".to_owned(), "reply 3: 0 ok".into()], "stopped"));
}

#[test]
fn a_stop_while_the_new_run_is_being_made_waits_for_it() {
    let mut s = listening(cluster());
    s.reload(&[0]);
    s.stop(0);
    s.exited(0, 0);
    s.orders();
    assert_eq!(s.phase(0), "spawning");
    s.spawned(1);
    s.exited(1, 0);
    assert_eq!(s.orders(), ["signal 2 to the tree of run 1", "release run 1", "reply 2: 0 ok"]);
}

#[test]
fn a_stop_cuts_draining_short() {
    let mut s = listening(cluster());
    s.reload(&[0]);
    s.spawned(1);
    s.listening(1);
    s.orders();
    s.stop(0);
    let expected = ["reply 1: 0 Superseded", "signal 2 to the tree of run 0", "signal 2 to the tree of run 1"];
    assert_eq!(s.orders(), expected);
}

#[test]
fn a_stop_then_a_start_in_the_middle_goes_down_once_and_comes_up() {
    let mut s = listening(cluster());
    s.reload(&[0]);
    s.spawned(1);
    s.stop(0);
    s.start(0);
    s.orders();
    s.exited(0, 0);
    assert_eq!(s.orders(), ["release run 0"]);
    s.exited(1, 0);
    assert_eq!(s.orders(), ["release run 1", "reply 2: 0 ok", "spawn run 2 of 0"]);
}

#[test]
fn a_restart_in_the_middle_replaces_both_runs_by_one() {
    let mut s = listening(cluster());
    s.reload(&[0]);
    s.spawned(1);
    s.orders();
    s.restart(0);
    let expected = ["reply 1: 0 Superseded", "signal 2 to the tree of run 1", "signal 2 to the tree of run 0"];
    assert_eq!(s.orders(), expected);
    s.exited(0, 0);
    s.exited(1, 0);
    s.spawned(2);
    assert_eq!(s.orders(), ["release run 0", "spawn run 2 of 0", "release run 1", "reply 2: 0 ok"]);
}

#[test]
fn a_stop_of_a_slot_that_waits_for_its_turn_ends_the_reload() {
    let mut s = several(3, &cluster());
    s.reload(&[0, 1, 2]);
    s.stop(1);
    s.spawned(3);
    s.listening(3);
    s.exited(0, 0);
    let orders = s.orders();
    assert_eq!(orders.last().unwrap(), "reply 3: 0 ok, 1 Superseded, 2 NotReloaded");
}

#[test]
fn a_start_in_the_middle_is_well() {
    let mut s = listening(cluster());
    s.reload(&[0]);
    s.start(0);
    assert_eq!(s.orders(), ["spawn run 1 of 0", "reply 2: 0 ok"]);
}

#[test]
fn a_second_reload_waits_for_the_first_and_makes_a_run_of_its_own() {
    let mut s = listening(cluster());
    assert!(!s.core.is_reloading(rewake_core::SlotId(0)));
    s.reload(&[0]);
    assert!(s.core.is_reloading(rewake_core::SlotId(0)));
    s.reload(&[0]);
    s.spawned(1);
    s.listening(1);
    s.exited(0, 0);
    assert_eq!(s.orders(), ["spawn run 1 of 0", "drain run 0", "release run 0", "reply 1: 0 ok", "spawn run 2 of 0"]);
    assert!(s.core.is_reloading(rewake_core::SlotId(0)));
    s.spawned(2);
    s.listening(2);
    s.exited(1, 0);
    assert_eq!(s.orders(), ["drain run 1", "release run 1", "reply 2: 0 ok"]);
    assert!(!s.core.is_reloading(rewake_core::SlotId(0)));
}

#[test]
fn a_shutdown_in_the_middle_stops_both_and_late_facts_change_nothing() {
    let mut s = listening(cluster());
    s.reload(&[0]);
    s.spawned(1);
    s.shutdown();
    s.orders();
    s.listening(1);
    s.drained(1);
    s.ready(0);
    s.exited(1, 0);
    s.exited(0, 0);
    assert_eq!(s.orders(), ["release run 1", "release run 0", "reply 2: 0 ok"]);
    s.reload(&[0]);
    assert_eq!(s.orders(), ["reply 3: 0 ShuttingDown"]);
}

#[test]
fn a_delete_in_the_middle_leaves_nothing() {
    let mut s = listening(cluster());
    s.reload(&[0]);
    s.spawned(1);
    s.orders();
    s.delete(0);
    s.exited(1, 0);
    s.exited(0, 0);
    let expected = [
        "reply 1: 0 Superseded",
        "signal 2 to the tree of run 1",
        "signal 2 to the tree of run 0",
        "release run 1",
        "release run 0",
        "reply 2: 0 ok",
        "removed 0",
    ];
    assert_eq!(s.orders(), expected);
}

#[test]
fn what_has_no_time_to_drain_and_none_to_obey_is_killed_at_once() {
    let mut s = listening(Policy { drain_timeout: 0, kill_timeout: 0, ..cluster() });
    s.reload(&[0]);
    s.spawned(1);
    s.listening(1);
    s.tick_after(0);
    let expected =
        ["spawn run 1 of 0", "drain run 0", "signal 2 to the tree of run 0", "signal 9 to the tree of run 0"];
    assert_eq!((s.orders(), s.due_in()), (expected.map(str::to_owned).to_vec(), Some(10_000)));
}
