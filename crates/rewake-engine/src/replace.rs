//! The keeper has died: another one is started, and gets copies of everything. Processes of apps are not touched, and none is ever made
//! twice. Never gives up while there is something to supervise: without a keeper apps go on, without a daemon nobody looks after them.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use rewake_keeper::launch_successor;
use rewake_unix::{pidfd, reap};
use rewake_wire::keeper::RoleOf;
use tokio::io::Interest;
use tokio::task::spawn_local;
use tokio::time::Instant;

use crate::effects::is_end;
use crate::engine::{Ended, Engine, EngineError};
use crate::strays;
use crate::watched::watched;

/// Keepers in a row that end without a word, or cannot be started, before the daemon waits between them: then the machine has no memory or
/// no processes left, and needs time.
const AT_ONCE: u32 = 3;

/// The first pause; each is twice as long as the one before, up to the longest. Commands that need a keeper wait as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

impl Engine {
    /// Starts another keeper in the place of one that has gone, now or after a pause.
    ///
    /// # Errors
    /// `KeeperGone` where there cannot be another: embedded, in the foreground, or because everything is to end anyway.
    pub(crate) fn replace_keeper(&mut self) -> Result<(), EngineError> {
        let died = self.holding.next_try.take().is_none();
        if died {
            self.hear_the_dead();
        }
        let home = self.home.clone().filter(|_| self.may_be_replaced()).ok_or(EngineError::KeeperGone)?;
        if died {
            tracing::error!(keeper = self.holding.keeper_pid.get(), "the keeper has died; another one is started");
            strays::end_unheard(&home, &self.holding.ordered, &self.known_pids());
            if self.holding.failures >= AT_ONCE {
                return self.try_later();
            }
        }
        self.start_keeper(&home).or_else(|error| {
            tracing::error!("a keeper cannot be started: {error}");
            self.try_later()
        })
    }

    /// What a dead keeper said last is still there.
    fn hear_the_dead(&mut self) {
        while let Ok(Some((report, fds))) = self.link.get_ref().try_recv() {
            self.take_report(report, fds);
        }
    }

    fn start_keeper(&mut self, home: &Path) -> io::Result<()> {
        self.holding.failures = self.holding.failures.saturating_add(1);
        let listener = self.holding.listener.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        // The very file that this process runs: a newer one may speak otherwise.
        let (link, child) = launch_successor(Path::new("/proc/self/exe"), home, listener.as_fd())?;
        spawn_local(reap_at_its_end(child));
        self.holding.succeeded = true;
        self.link = watched(link, Interest::READABLE | Interest::WRITABLE)?;
        for untold in std::mem::take(&mut self.holding.first) {
            self.holding.sent(untold);
        }
        self.holding.first = self.all_held();
        self.holding.ordered.clear();
        Ok(())
    }

    /// Until then orders wait in line.
    fn try_later(&mut self) -> Result<(), EngineError> {
        if self.ending.as_ref().is_some_and(|ending| ending.ended != Ended::HandedOver) {
            // Processes are ended without a keeper, too.
            return Err(EngineError::KeeperGone);
        }
        let doublings = self.holding.failures.saturating_sub(AT_ONCE);
        let pause = FIRST_PAUSE.saturating_mul(2u32.saturating_pow(doublings)).min(LONGEST_PAUSE);
        tracing::error!("there is no keeper; trying again in {} ms", pause.as_millis());
        self.holding.next_try = Some(Instant::now() + pause);
        Ok(())
    }

    fn may_be_replaced(&self) -> bool {
        match &self.holding.role.of {
            RoleOf::Background => true,
            // One that is told takes the new keeper for the service; any other waits for the end of the old one.
            RoleOf::Service(manager) => manager.socket.is_some(),
            RoleOf::Foreground => false,
        }
    }

    /// Tells a new keeper what it is to hold, as far as it takes it.
    pub(crate) fn tell_new_keeper(&mut self) -> Result<(), EngineError> {
        while let Some(next) = self.holding.first.front() {
            match self.tell(next) {
                Ok(()) => {
                    if let Some(told) = self.holding.first.pop_front() {
                        self.holding.sent(told);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let _ = self.link.try_io(Interest::WRITABLE, |_| Err::<(), _>(io::ErrorKind::WouldBlock.into()));
                    return Ok(());
                }
                Err(error) if is_end(&error) => return Err(EngineError::KeeperGone),
                Err(error) => {
                    let failed = self.holding.first.pop_front();
                    self.given_up(failed, &error)?;
                }
            }
        }
        Ok(())
    }

    /// Nothing waits for the keeper any more, or it takes nothing.
    pub(crate) async fn until_orders_are_sent(&mut self) {
        while !(self.outgoing.is_empty() && self.holding.first.is_empty()) && self.send_orders().is_ok() {
            let Ok(_) = self.link.writable().await else { return };
        }
    }

    /// Processes that are no strays.
    pub(crate) fn known_pids(&self) -> Vec<u32> {
        self.runs.values().filter_map(|run| run.pid).collect()
    }
}

/// A keeper that this process has started is its child. Its link is closed some time before it has ended.
async fn reap_at_its_end(keeper: u32) {
    let process = pidfd::open(keeper).and_then(|process| watched(process, Interest::READABLE));
    if let Ok(process) = process {
        // Fails only when the loop ends; the child is init's then.
        let _ = process.readable().await;
    }
    let _ = reap::one(keeper);
}
