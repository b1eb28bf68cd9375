//! The keeper is gone: nobody can make or reap processes any more. Ends what runs, by pidfd, so that nothing is left behind
//! uncontrolled; the list still says what ought to run, and the next daemon starts it.

use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use rewake_unix::pidfd;
use rewake_wire::StopWith;
use tokio::io::Interest;
use tokio::time::timeout;

use crate::engine::Engine;
use crate::run::Run;
use crate::watched::watched;

const SIGINT: i32 = 2;
pub(crate) const SIGKILL: i32 = 9;

impl Engine {
    /// Stops every process by the rules of its app.
    pub(crate) async fn end_what_is_left(&mut self) {
        tracing::error!("the keeper has ended; stopping {} processes", self.runs.len());
        let runs = std::mem::take(&mut self.runs);
        let ends: Vec<_> =
            runs.into_values().filter_map(|run| self.ending_of(run)).map(tokio::task::spawn_local).collect();
        for end in ends {
            // It cannot panic; were it aborted, the process would be as before.
            let _ = end.await;
        }
        self.sockets.close_all();
    }

    fn ending_of(&self, run: Run) -> Option<impl Future<Output = ()> + use<>> {
        let policy = &self.sheets.get(&run.slot)?.spec.policy;
        let stop = match policy.stop_with {
            StopWith::Signal(signal) => signal,
            StopWith::Message => SIGINT,
        };
        let patience = Duration::from_millis(policy.kill_timeout_ms);
        let pidfd = run.pidfd().map(Rc::clone);
        pidfd.map(|pidfd| end_one(pidfd, stop, patience))
    }
}

async fn end_one(pidfd: Rc<OwnedFd>, stop: i32, patience: Duration) {
    signal(&pidfd, stop, true);
    let Ok(process) = watched(pidfd, Interest::READABLE) else { return };
    if timeout(patience, process.readable()).await.is_err() {
        signal(process.get_ref(), SIGKILL, true);
    }
}

/// To the process; or to its group where the kernel can, for the tree. Never by number.
pub(crate) fn signal(process: &OwnedFd, signal: i32, tree: bool) {
    let one = || pidfd::send(process.as_fd(), signal);
    let sent = if tree { pidfd::send_group(process.as_fd(), signal).or_else(|_| one()) } else { one() };
    if let Err(error) = sent {
        tracing::info!("a process could not be signalled, it has probably ended: {error}");
    }
}
