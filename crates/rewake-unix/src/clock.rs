//! The clock that goes on from one daemon to the next. Never the wall's.

use nix::time::{ClockId, clock_gettime};

/// Milliseconds since some moment before this machine's start, as every process on it counts them. Stands still while the machine sleeps,
/// as `Instant` does.
#[must_use]
pub fn monotonic_ms() -> u64 {
    // It cannot fail: every Linux has this clock.
    let Ok(time) = clock_gettime(ClockId::CLOCK_MONOTONIC) else { return 0 };
    time.tv_sec().unsigned_abs() * 1000 + time.tv_nsec().unsigned_abs() / 1_000_000
}
