//! The two clocks: the core's, which only goes forward, and the wall's, for people. Never used for decisions here.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rewake_core::Time;

/// A monotonic origin and what the wall said then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    origin: Instant,
    origin_epoch_ms: u64,
}

impl Clock {
    /// A clock that begins now, one hour in, so that moments before the daemon's start can be told, too.
    pub(crate) fn start() -> Self {
        Self { origin: Instant::now(), origin_epoch_ms: epoch_ms().saturating_sub(HEAD_START) }
    }

    /// Now, for the core.
    pub(crate) fn now(&self) -> Time {
        Time(HEAD_START + u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX - HEAD_START))
    }

    /// The instant of a core's moment, for a timer.
    pub(crate) fn instant(&self, time: Time) -> Instant {
        // A deadline beyond a year is as good as none, and keeps the sum within what `Instant` can hold.
        self.origin + std::time::Duration::from_millis(time.0.saturating_sub(HEAD_START).min(YEAR))
    }

    /// A core's moment as ms since the epoch. Steady even when somebody sets the wall clock.
    pub(crate) fn epoch_of(&self, time: Time) -> u64 {
        self.origin_epoch_ms.saturating_add(time.0)
    }

    /// A wall-clock moment of the past as the core's.
    pub(crate) fn time_of(&self, epoch_ms: u64) -> Time {
        Time(epoch_ms.saturating_sub(self.origin_epoch_ms).min(self.now().0))
    }
}

/// A process that ran before this daemon started is given its true age up to this many ms (the core's longest look back
/// is 30 s, the health rule of the back-off; uptime shown to people comes from the wall clock).
const HEAD_START: u64 = 3_600_000;
const YEAR: u64 = 366 * 86_400_000;

/// Now, as ms since the Unix epoch.
pub(crate) fn epoch_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
