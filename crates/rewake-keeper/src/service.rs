//! What the service manager that started the keeper is told, and the daemon's signs of life. Never waits for the manager.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::time::{Duration, Instant};

use rewake_unix::notify::{Notify, SOCKET_VARIABLE};
use rewake_wire::keeper::{Manager, Notice};

use crate::log;

/// How soon it is tried again when the manager does not keep up.
const AGAIN: Duration = Duration::from_millis(50);

/// Said and not yet heard, at most. A manager that far behind has lost interest.
const MOST_UNHEARD: usize = 32;

/// The manager, if there is one, and the watch that it asked for.
#[derive(Default)]
pub(crate) struct Service {
    /// As it told of itself; `None`: nobody started this keeper as a service.
    told: Option<Manager>,
    manager: Option<Notify>,
    unheard: VecDeque<String>,
    again: Option<Instant>,
    /// Within which time the manager wants to hear of us.
    watchdog: Option<Duration>,
    last_sign: Option<Instant>,
}

impl Service {
    /// As the variables of this process tell. They are about this process alone, and go no further.
    pub(crate) fn of_process() -> Self {
        let variable = |name: &str| std::env::var(name).ok();
        Self::from_variables(
            std::env::var_os(SOCKET_VARIABLE),
            variable("WATCHDOG_USEC").as_deref(),
            variable("WATCHDOG_PID").as_deref(),
        )
    }

    fn from_variables(socket: Option<OsString>, watchdog_us: Option<&str>, watchdog_pid: Option<&str>) -> Self {
        let for_us = watchdog_pid.is_none_or(|pid| pid == std::process::id().to_string());
        let watchdog_us = watchdog_us.and_then(|text| text.parse().ok()).filter(|us| *us > 0 && for_us);
        // An address that is not UTF-8 is none of a manager that is known.
        let socket = socket.and_then(|address| address.into_string().ok()).filter(|address| !address.is_empty());
        Self::of(Manager { socket, watchdog_us, has_seen_one_die: false })
    }

    /// For this manager, which has started us or a keeper before us.
    pub(crate) fn of(told: Manager) -> Self {
        let manager = told.socket.as_deref().and_then(|address| listener(OsStr::new(address)));
        let watchdog = told.watchdog_us.map(Duration::from_micros).filter(|_| manager.is_some());
        Self { told: Some(told), manager, watchdog, ..Self::default() }
    }

    /// The manager, if this keeper is one's service.
    pub(crate) fn manager(&self) -> Option<&Manager> {
        self.told.as_ref()
    }

    /// The process that was the service's main one has died, and this one is it now.
    pub(crate) fn is_main_process(&mut self, now: Instant) {
        self.say(format!("MAINPID={}", std::process::id()), now);
    }

    /// How often the daemon is to give a sign of life: often enough for three to be late before it is replaced.
    pub(crate) fn sign_every(&self) -> Option<Duration> {
        self.watchdog.map(|time| time / 4)
    }

    /// A daemon was started: its time begins.
    pub(crate) fn daemon_started(&mut self, now: Instant) {
        self.last_sign = self.watchdog.map(|_| now);
    }

    /// There is none to watch.
    pub(crate) fn daemon_gone(&mut self) {
        self.last_sign = None;
    }

    /// When the daemon is taken for hung. A new one then has the last quarter of the time to give its first sign, before the manager
    /// would end everything.
    pub(crate) fn hung_at(&self) -> Option<Instant> {
        Some(self.last_sign? + self.watchdog? * 3 / 4)
    }

    pub(crate) fn noticed(&mut self, notice: Notice, now: Instant) {
        match notice {
            Notice::Starting { within_ms } => self.say(extend(within_ms), now),
            Notice::Up => self.say("READY=1".to_owned(), now),
            Notice::Alive => {
                if self.watchdog.is_some() {
                    self.last_sign = Some(now);
                    self.say("WATCHDOG=1".to_owned(), now);
                }
            }
            Notice::Stopping { within_ms } => self.say(format!("STOPPING=1\n{}", extend(within_ms)), now),
        }
    }

    /// Says again what was not heard.
    pub(crate) fn say_unheard(&mut self, now: Instant) {
        self.again = None;
        while let Some((manager, text)) = self.manager.as_ref().zip(self.unheard.front()) {
            match manager.say(text) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    self.again = Some(now + AGAIN);
                    return;
                }
                // Whoever started us may be gone; the apps stay.
                Ok(()) | Err(_) => drop(self.unheard.pop_front()),
            }
        }
    }

    /// When [`Service::say_unheard`] has something to do.
    pub(crate) fn again(&self) -> Option<Instant> {
        self.again
    }

    fn say(&mut self, text: String, now: Instant) {
        if self.manager.is_some() && self.unheard.len() < MOST_UNHEARD {
            self.unheard.push_back(text);
            self.say_unheard(now);
        }
    }
}

fn listener(address: &OsStr) -> Option<Notify> {
    Notify::to(address)
        .inspect_err(|error| log::line(format_args!("the service manager cannot be told anything: {error}")))
        .ok()
}

/// The manager's own limit must not come before ours.
fn extend(within_ms: u64) -> String {
    format!("EXTEND_TIMEOUT_USEC={}", within_ms.saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_is_only_kept_for_a_manager_that_asked_this_process() {
        let of = |socket: Option<&str>, us, pid: Option<&str>| {
            Service::from_variables(socket.map(Into::into), us, pid).sign_every()
        };
        let me = std::process::id().to_string();
        assert_eq!(of(Some("@x"), Some("4000000"), None), Some(Duration::from_secs(1)));
        assert_eq!(of(Some("@x"), Some("4000000"), Some(&me)), Some(Duration::from_secs(1)));
        assert_eq!(of(Some("@x"), Some("4000000"), Some("1")), None);
        assert_eq!(of(Some("@x"), Some("0"), None), None);
        assert_eq!(of(Some("@x"), Some("soon"), None), None);
        assert_eq!(of(None, Some("4000000"), None), None);
        assert_eq!(of(Some(""), Some("4000000"), None), None);
    }
}
