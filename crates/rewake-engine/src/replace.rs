//! The keeper has died: another one is started, and gets copies of everything. Processes of apps are not touched, and none is ever made
//! twice.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rewake_keeper::launch_successor;
use rewake_unix::reap;
use rewake_wire::keeper::RoleOf;
use tokio::io::Interest;

use crate::effects::is_end;
use crate::engine::{Engine, EngineError};
use crate::strays;
use crate::watched::watched;

/// Keepers in a row that end without a word before this is given up: then there is something wrong with the executable or the machine.
const TRIES: u32 = 3;

impl Engine {
    /// Starts another keeper in the place of one that has gone.
    ///
    /// # Errors
    /// `KeeperGone` where there cannot be another: embedded, in the foreground, or because none stays.
    pub(crate) fn replace_keeper(&mut self) -> Result<(), EngineError> {
        // What it said last is still there.
        while let Ok(Some((report, fds))) = self.link.get_ref().try_recv() {
            self.take_report(report, fds);
        }
        let may_be_replaced = match &self.holding.role.of {
            RoleOf::Background => true,
            // One that is told takes the new keeper for the service; any other waits for the end of the old one.
            RoleOf::Service(manager) => manager.socket.is_some(),
            RoleOf::Foreground => false,
        };
        let home = self.home.clone().filter(|_| may_be_replaced);
        let Some(home) = home else { return Err(EngineError::KeeperGone) };
        if let Some(child) = self.holding.child.take() {
            // Ours to reap; it has closed its link and is gone, or will be taken by init after us.
            let _ = reap::one(child);
        }
        let last = self.holding.keeper_pid.get();
        tracing::error!(keeper = last, "the keeper has died; starting another one");
        strays::end_unheard(&home, &self.holding.ordered, &self.known_pids());
        loop {
            self.holding.failures += 1;
            if self.holding.failures > TRIES {
                return Err(EngineError::KeeperGone);
            }
            let Some(listener) = &self.holding.listener else { return Err(EngineError::KeeperGone) };
            // The very file that this process runs: a newer one may speak otherwise.
            match launch_successor(Path::new("/proc/self/exe"), &home, listener.as_fd()) {
                Ok((link, child)) => {
                    self.holding.child = Some(child);
                    self.link = watched(link, Interest::READABLE | Interest::WRITABLE).map_err(EngineError::Link)?;
                    break;
                }
                Err(error) => tracing::error!("a keeper cannot be started: {error}"),
            }
        }
        for untold in std::mem::take(&mut self.holding.first) {
            self.holding.sent(untold);
        }
        self.holding.first = self.all_held();
        self.holding.ordered.clear();
        Ok(())
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
