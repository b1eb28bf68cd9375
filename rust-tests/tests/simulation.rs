//! The simulation, for as many seeds as a test run has time for, and the proof that it would notice. Longer runs:
//! `cargo run --release -p rust-tests --bin sim -- --seeds 1000000`.

use rewake_core::Core;
use rust_tests::sim::life::{live, live_and_die};
use rust_tests::sim::many::{Failure, live_all};
use rust_tests::sim::mutants::{Bug, Mutant};
use rust_tests::sim::reload_mutants::ReloadBug;
use rust_tests::sim::rule::{Order, Rule};
use rust_tests::sim::tally::{Counts, EVERYTHING, Tally};
use rust_tests::sim::trace::Trace;

/// A few seconds without optimisation.
const SEEDS: u64 = 4000;

#[test]
fn no_life_breaks_a_rule() {
    let summary = live_all(0..SEEDS, Core::default).unwrap_or_else(|failure| panic!("\n{failure}"));
    assert_eq!(summary.lives, SEEDS);
    // Lives that end at once would prove nothing.
    assert!(summary.steps > 40 * SEEDS, "{summary:?}");
}

/// The longest have some hundreds of orders, so these are some thousand lives.
#[test]
fn a_daemon_that_dies_after_any_of_its_orders_is_followed_by_one_that_keeps_the_rules() {
    let mut lives = 0;
    for seed in 0..40 {
        let never = Some(u64::MAX);
        let orders = live_and_die(seed, never, &mut Core::default(), Trace::Off).orders;
        for dies_after in 0..orders {
            let report = live_and_die(seed, Some(dies_after), &mut Core::default(), Trace::Off);
            let breach = report.breach;
            assert_eq!(breach, None, "seed {seed}, dies after {dies_after} of {orders} orders");
            lives += 1;
        }
    }
    assert!(lives > 4000, "{lives}");
}

#[test]
fn lives_meet_all_that_can_happen() {
    let mut counts = Counts::new();
    for seed in 0..1500 {
        let mut tally = Tally::default();
        live(seed, &mut tally, Trace::Off);
        for (name, count) in tally.counts {
            *counts.entry(name).or_default() += count;
        }
    }
    for name in EVERYTHING {
        assert!(counts.get(name).is_some_and(|count| *count >= 5), "{name} is rare: {counts:?}");
    }
}

#[test]
fn a_seed_lives_the_same_life_again() {
    for seed in 0..20 {
        let [one, other] = [(), ()].map(|()| live(seed, &mut Core::default(), Trace::Lines(Vec::new())));
        assert_eq!(one.trace.lines(), other.trace.lines(), "seed {seed}");
    }
}

#[test]
fn a_failure_tells_its_seed_and_how_to_replay_it() {
    let text = caught(Bug::ReplyLost, 50, &[Rule::ReplyInTime]).to_string();
    let seed = text.split("--seed ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a seed");
    assert!(text.contains(&format!("seed {seed} breaks ReplyInTime")), "{text}");
    let report = live(seed.parse().unwrap(), &mut Mutant::new(Bug::ReplyLost), Trace::Off);
    assert_eq!(report.breach.map(|breach| breach.rule), Some(Rule::ReplyInTime));
}

#[test]
fn a_late_exit_of_an_old_run_taken_for_the_new_ones_is_noticed() {
    let rules = [
        Rule::Unasked(Order::Exit),
        Rule::Unasked(Order::Online),
        Rule::OneRunPerSlot,
        Rule::ReleaseWhenGone,
        Rule::State,
    ];
    caught(Bug::LateExitTaken, 200, &rules);
}

#[test]
fn a_stop_during_the_spawn_that_is_lost_is_noticed() {
    caught(Bug::StopDuringSpawnLost, 100, &[Rule::ReplyIsTrue, Rule::Saved]);
}

#[test]
fn a_missed_kill_deadline_is_noticed() {
    caught(Bug::KillForgotten, 50, &[Rule::Missing(Order::Kill)]);
    caught(Bug::KillDeadlineHidden, 50, &[Rule::DeadlineKnown]);
}

#[test]
fn a_lost_reply_is_noticed() {
    caught(Bug::ReplyLost, 50, &[Rule::ReplyInTime]);
}

#[test]
fn a_second_or_early_reply_is_noticed() {
    caught(Bug::ReplyTwice, 50, &[Rule::OneReply]);
    caught(Bug::ReplyTooSoon, 50, &[Rule::ReplyIsTrue]);
}

#[test]
fn two_runs_in_one_slot_are_noticed() {
    caught(Bug::TwoRuns, 50, &[Rule::OneRunPerSlot]);
}

#[test]
fn a_start_after_a_stop_is_noticed() {
    caught(Bug::RestartAfterStop, 50, &[Rule::Unasked(Order::Spawn), Rule::State, Rule::ReplyInTime]);
}

#[test]
fn a_run_let_go_of_too_late_or_too_soon_is_noticed() {
    let rules = [Rule::Missing(Order::Release), Rule::OneRunPerSlot, Rule::ReplyIsTrue];
    caught(Bug::ReleaseLost, 50, &rules);
    caught(Bug::TreeForgotten, 50, &[Rule::Unasked(Order::Release), Rule::State]);
}

#[test]
fn a_kill_without_a_request_is_noticed() {
    caught(Bug::KillAtOnce, 50, &[Rule::Unasked(Order::Kill)]);
}

#[test]
fn a_restart_policy_that_is_not_kept_is_noticed() {
    caught(Bug::EndlessRestarts, 50, &[Rule::State, Rule::Unasked(Order::Spawn)]);
    caught(Bug::RestartForgotten, 50, &[Rule::Missing(Order::Spawn)]);
}

#[test]
fn a_ready_that_is_not_heard_is_noticed() {
    caught(Bug::ReadyUnheard, 50, &[Rule::Missing(Order::Online), Rule::State]);
}

#[test]
fn a_change_that_would_not_survive_is_noticed() {
    caught(Bug::SaveForgotten, 50, &[Rule::Saved]);
    caught(Bug::ShutdownForgets, 50, &[Rule::State, Rule::ReplyIsTrue]);
}

#[test]
fn two_runs_left_after_a_reload_that_failed_are_noticed() {
    caught(Bug::TwoRunsLeft, 50, &[Rule::Missing(Order::Ask)]);
}

#[test]
fn a_ready_of_the_old_run_taken_for_the_new_ones_is_noticed() {
    let rules = [Rule::Unasked(Order::Online), Rule::Unasked(Order::Serve), Rule::Unasked(Order::Drain), Rule::Saved];
    caught(Bug::OldReadyTaken, 100, &[&rules[..], &[Rule::State, Rule::Missing(Order::Online)]].concat());
}

#[test]
fn an_old_run_that_is_told_to_go_before_the_new_one_is_ready_is_noticed() {
    caught(Bug::OldStoppedTooSoon, 50, &[Rule::NeverUnserved]);
    let rules = [Rule::Unasked(Order::Online), Rule::Unasked(Order::Ask), Rule::Missing(Order::Ask)];
    caught(Bug::HangingReplaces, 100, &rules);
}

#[test]
fn a_failed_reload_that_goes_on_is_noticed() {
    let rules = [Rule::Unasked(Order::Spawn), Rule::Unasked(Order::Ask), Rule::OneRunPerSlot, Rule::State];
    caught(Bug::FailedReloadGoesOn, 50, &rules);
}

#[test]
fn a_lost_answer_to_a_reload_is_noticed() {
    caught(Bug::ReloadReplyLost, 50, &[Rule::ReplyInTime]);
}

#[test]
fn a_missed_end_of_draining_is_noticed() {
    caught(Bug::DrainForgotten, 50, &[Rule::Missing(Order::Ask)]);
    caught(Bug::DrainDeadlineHidden, 50, &[Rule::DeadlineKnown]);
}

#[test]
fn a_draining_run_that_is_to_serve_is_noticed() {
    caught_in_reload(ReloadBug::ServedWhileDraining, 50, &[Rule::Steered]);
}

#[test]
fn a_new_run_that_serves_too_soon_or_not_at_all_is_noticed() {
    caught_in_reload(ReloadBug::ServedInSoak, 50, &[Rule::Unasked(Order::Serve)]);
    caught_in_reload(ReloadBug::ServeForgotten, 50, &[Rule::NeverUnserved]);
}

#[test]
fn a_soak_that_is_skipped_or_not_spared_is_noticed() {
    let rules = [Rule::Unasked(Order::Online), Rule::Unasked(Order::Spawn), Rule::OneRunPerSlot, Rule::ReplyIsTrue];
    caught_in_reload(ReloadBug::SoakSkipped, 50, &rules);
    let rules = [Rule::Missing(Order::Online), Rule::Missing(Order::Spawn), Rule::ReplyInTime];
    caught_in_reload(ReloadBug::SoakedByAll, 100, &rules);
}

#[test]
fn a_release_that_is_taken_for_proven_is_noticed() {
    let rules = [Rule::Unasked(Order::Online), Rule::Unasked(Order::Spawn), Rule::OneRunPerSlot, Rule::ReplyIsTrue];
    caught_in_reload(ReloadBug::ProvenByAFailure, 100, &rules);
    caught_in_reload(ReloadBug::ProvenByAnotherApp, 300, &rules);
}

#[test]
fn an_old_runs_own_end_that_is_taken_for_success_or_failure_is_noticed() {
    caught_in_reload(ReloadBug::OldDeathIsSuccess, 100, &[Rule::Unasked(Order::Online), Rule::State]);
    caught_in_reload(ReloadBug::FailureAloneHidden, 100, &[Rule::ReplyIsTrue]);
    caught_in_reload(ReloadBug::OldDeathEndsBoth, 100, &[Rule::Unasked(Order::Ask)]);
}

#[test]
fn a_busy_loop_is_noticed() {
    caught(Bug::BusyLoop, 50, &[Rule::DeadlineAhead]);
}

#[track_caller]
fn caught_in_reload(bug: ReloadBug, within: u64, rules: &[Rule]) {
    caught(Bug::Reload(bug), within, rules);
}

/// The first of so many lives that notices the bug, which must break one of these rules.
#[track_caller]
fn caught(bug: Bug, within: u64, rules: &[Rule]) -> Box<Failure> {
    let failure = live_all(0..within, || Mutant::new(bug)).expect_err("no life notices");
    assert!(rules.contains(&failure.breach.rule), "{bug:?}: seed {}, {}", failure.seed, failure.breach);
    failure
}
