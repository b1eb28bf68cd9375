//! Memory and CPU of one process, looked up when somebody asks and never otherwise.

use rewake_unix::proc;

use crate::clock::epoch_ms;

/// The last look at a run, for the CPU share since then.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LastLook {
    at_ms: u64,
    ticks: u64,
    percent: f32,
}

/// What a process uses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) memory_bytes: u64,
    pub(crate) cpu_percent: f32,
}

/// Two looks closer than this would only show the clock's own steps (one tick is 10 ms), so the last figure is told again.
const CLOSEST_LOOKS_MS: u64 = 200;

/// Looks at a process; `None` when it is gone. The share is that since the last look, or since the process started.
pub(crate) fn look(pid: u32, started_at_ms: u64, last: &mut Option<LastLook>) -> Option<Usage> {
    let stat = proc::stat(pid).ok()?;
    let now = epoch_ms();
    let ticks = stat.cpu_ticks;
    let memory_bytes = stat.rss_bytes();
    let (from_ms, from_ticks) = match last {
        Some(look) if now.saturating_sub(look.at_ms) < CLOSEST_LOOKS_MS => {
            return Some(Usage { memory_bytes, cpu_percent: look.percent });
        }
        Some(look) => (look.at_ms, look.ticks),
        None => (started_at_ms, 0),
    };
    let percent = share(ticks.saturating_sub(from_ticks), now.saturating_sub(from_ms));
    *last = Some(LastLook { at_ms: now, ticks, percent });
    Some(Usage { memory_bytes, cpu_percent: percent })
}

/// Percent of one CPU, to one decimal.
#[expect(clippy::cast_precision_loss, reason = "a percentage to one decimal needs far less than 2^52")]
#[expect(clippy::cast_possible_truncation, reason = "a percentage fits an f32")]
fn share(ticks: u64, over_ms: u64) -> f32 {
    let busy_ms = ticks as f64 * 1000.0 / proc::ticks_per_second() as f64;
    ((busy_ms / over_ms.max(1) as f64 * 1000.0).round() / 10.0) as f32
}
