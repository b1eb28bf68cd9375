//! Memory and CPU of one process, looked up when somebody asks and never otherwise.

use std::time::Duration;

use rewake_unix::proc;

use crate::clock::epoch_ms;

/// The last look at a run, for the CPU share since then.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LastLook {
    at_ms: u64,
    cpu: Duration,
    percent: f32,
}

/// What a process uses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) memory_bytes: u64,
    pub(crate) cpu_percent: f32,
}

/// Two looks closer than this would show the share of a moment, and each other's: the last figure is told again.
const CLOSEST_LOOKS_MS: u64 = 200;

/// Looks at a process; `None` when it is gone. The share is that since the last look, or since the process started.
pub(crate) fn look(pid: u32, started_at_ms: u64, last: &mut Option<LastLook>) -> Option<Usage> {
    let memory_bytes = proc::resident_bytes(pid).ok()?;
    let now = epoch_ms();
    let (from_ms, from_cpu) = match last {
        Some(look) if now.saturating_sub(look.at_ms) < CLOSEST_LOOKS_MS => {
            return Some(Usage { memory_bytes, cpu_percent: look.percent });
        }
        Some(look) => (look.at_ms, look.cpu),
        None => (started_at_ms, Duration::ZERO),
    };
    let cpu = proc::cpu_time(pid).ok()?;
    let percent = share(cpu.saturating_sub(from_cpu), now.saturating_sub(from_ms));
    *last = Some(LastLook { at_ms: now, cpu, percent });
    Some(Usage { memory_bytes, cpu_percent: percent })
}

/// Percent of one CPU, to one decimal.
#[expect(clippy::cast_precision_loss, reason = "a percentage to one decimal needs far less than 2^52")]
#[expect(clippy::cast_possible_truncation, reason = "a percentage fits an f32")]
fn share(cpu: Duration, over_ms: u64) -> f32 {
    let part = cpu.as_secs_f64() * 1000.0 / over_ms.max(1) as f64;
    ((part * 1000.0).round() / 10.0) as f32
}
