//! The pretend users: policies and commands at random, sensible and not. Never looks at what a slot is doing.

use rewake_core::{Command, Policy, SlotId, StopWith};

use super::rng::Rng;

/// What a user does next.
#[derive(Debug, Clone)]
pub enum Wish {
    Command(Command),
    /// A slot of the app of this name.
    Add(&'static str, Policy),
    Redefine(SlotId, Policy),
}

/// Any policy that a file could hold.
pub fn policy(rng: &mut Rng) -> Policy {
    if rng.percent(30) {
        let cluster = rng.percent(60);
        let reload_soak = rng.pick(&[0, 1500]);
        return Policy { listens: cluster, rolling: cluster, reload_soak, ..Policy::default() };
    }
    Policy {
        autorestart: rng.percent(85),
        stop_exit_codes: (0..rng.pick(&[0, 0, 1, 2])).map(|_| rng.pick(&[0, 1, 2, 130])).collect(),
        min_uptime: time(rng),
        max_restarts: rng.pick(&[None, Some(0), Some(1), Some(2), Some(16), Some(u32::MAX)]),
        restart_delay: if rng.percent(50) { 0 } else { time(rng) },
        backoff: if rng.percent(60) { 0 } else { time(rng) },
        wait_ready: rng.percent(40),
        ready_timeout: time(rng),
        listens: rng.percent(55),
        rolling: rng.percent(75),
        accept_unready: rng.percent(20),
        reload_soak: if rng.percent(50) { 0 } else { time(rng) },
        drain_timeout: time(rng),
        kill_timeout: time(rng),
        stop_with: match rng.below(10) {
            0 => StopWith::Signal(rng.pick(&[i32::MIN, -1, 0, 9, 65, i32::MAX])),
            1..4 => StopWith::Message,
            _ => StopWith::Signal(rng.pick(&[2, 15, 12])),
        },
        treekill: rng.percent(80),
    }
}

/// The name of an app: most slots are of the same one.
pub fn app(rng: &mut Rng) -> &'static str {
    rng.pick(&["web", "web", "web", "api"])
}

/// What comes next from one of many clients. `slots`: those that are listed. `releases`: how many of a hundred wishes are a new
/// release of something.
pub fn wish(rng: &mut Rng, slots: &[SlotId], releases: u64) -> Wish {
    let named = some(rng, slots);
    if rng.percent(releases) {
        if rng.percent(25) {
            // Somebody ends what runs now, perhaps before its successor is ready.
            return Wish::Command(Command::Signal { slots: named, signal: 9 });
        }
        let slots = if rng.percent(50) { slots.to_vec() } else { named };
        return Wish::Command(Command::Reload { slots, parallel: parallel(rng) });
    }
    Wish::Command(match rng.below(100) {
        0..26 => Command::Start { slots: named, settle: settle(rng) },
        26..40 => Command::Stop { slots: named },
        40..50 => Command::Restart { slots: named, settle: settle(rng) },
        50..66 => Command::Reload { slots: named, parallel: parallel(rng) },
        66..70 => Command::Delete { slots: named },
        70..72 => Command::Retire { slots: named },
        72..76 => Command::Reset { slots: named },
        76..84 => Command::Signal { slots: named, signal: rng.pick(&[0, 1, 2, 9, 10, 15, -7, i32::MAX]) },
        84..91 => return Wish::Add(app(rng), policy(rng)),
        91..99 => return Wish::Redefine(named.first().copied().unwrap_or(SlotId(0)), policy(rng)),
        _ => Command::Shutdown,
    })
}

/// How long until the next wish, ms.
pub fn pause(rng: &mut Rng) -> u64 {
    rng.pick(&[0, 0, 0, 1, 2, 20, 400, 900, 1600, 2000, 5000, 31_000])
}

/// Some of the slots in any order; sometimes one twice, sometimes one that is not there, sometimes none.
fn some(rng: &mut Rng, slots: &[SlotId]) -> Vec<SlotId> {
    if rng.percent(15) {
        return slots.to_vec();
    }
    let count = rng.pick(&[0, 1, 1, 1, 1, 1, 2, 2, 3]);
    (0..count)
        .map(|_| {
            if slots.is_empty() || rng.percent(3) {
                SlotId(rng.pick(&[0, 1, 7, u32::MAX]))
            } else {
                slots[rng.index(slots.len())]
            }
        })
        .collect()
}

fn parallel(rng: &mut Rng) -> usize {
    rng.pick(&[0, 1, 1, 1, 2, 2, 3, usize::MAX])
}

fn settle(rng: &mut Rng) -> u64 {
    rng.pick(&[0, 0, 0, 1, 100, 1000, 30_000, u64::MAX])
}

fn time(rng: &mut Rng) -> u64 {
    rng.pick(&[0, 1, 100, 100, 500, 1000, 1000, 1600, 3000, 20_000, 1 << 40, u64::MAX])
}
