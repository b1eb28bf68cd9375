//! Output of apps: where it goes, how it gets there, and who else sees it. Bytes are never decoded on their way to the file.

mod compress;
pub(crate) mod file;
mod files;
mod history;
mod ledger;
mod lines;
pub(crate) mod paths;
pub(crate) mod render;
mod rotate;
mod spool;
mod stream;
mod system;
mod system_form;
mod thread;
mod watched;

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rewake_unix::events::Waker;
use rewake_unix::this;
use rewake_wire::ExitRecord;
use tokio::sync::oneshot;
use tokio::time::timeout;

use self::history::History;
pub(crate) use self::ledger::Key;
use self::ledger::Ledger;
pub(crate) use self::rotate::Rules;
pub(crate) use self::stream::NewStream;
use self::stream::Tools;
pub(crate) use self::thread::Said;
use self::thread::{Carrier, Order};
use crate::subscribers::Subscribers;

/// The keeper's name for the ledger. Names of sockets hold a NUL, so it is none of theirs.
pub(crate) const LEDGER: &str = "logs";
/// How long the last output may take at the end. A disk that needs longer hangs.
pub(crate) const LAST_WORDS: Duration = Duration::from_secs(10);

/// The loop's side of the thread that carries output.
#[derive(Debug)]
pub(crate) struct Logs {
    orders: Option<mpsc::Sender<Order>>,
    waker: Arc<Waker>,
    /// Ended runs whose output is still being carried.
    draining: BTreeSet<u64>,
    /// Of these, those that are to be released then.
    to_release: BTreeSet<u64>,
}

impl Logs {
    /// Starts the thread. `inherited`: the ledger of an earlier daemon; without one, the new ledger is given back for the keeper.
    ///
    /// # Errors
    /// For want of descriptors, memory or threads.
    pub(crate) fn start(
        inherited: Option<OwnedFd>,
        subscribers: Subscribers,
        said: tokio::sync::mpsc::UnboundedSender<Said>,
        home: Option<&Path>,
    ) -> io::Result<(Self, Option<OwnedFd>)> {
        let (ledger, found, fresh) = match inherited.map(Ledger::inherited) {
            Some(Ok((ledger, found))) => (ledger, found, None),
            Some(Err(error)) => return Err(error),
            None => {
                let ledger = Ledger::new()?;
                let fd = ledger.as_fd().try_clone_to_owned()?;
                (ledger, Vec::new(), Some(fd))
            }
        };
        let waker = Arc::new(Waker::new()?);
        let (orders, inbox) = mpsc::channel();
        let carrier =
            Carrier::new(Tools::new(ledger, subscribers), found, Arc::clone(&waker), inbox, said, History::new(home))?;
        std::thread::Builder::new().name("rewake-logs".into()).spawn(|| {
            // Programs that write faster than they are read push their own oldest output out.
            this::higher_priority();
            carrier.run();
        })?;
        let logs = Self { orders: Some(orders), waker, draining: BTreeSet::new(), to_release: BTreeSet::new() };
        Ok((logs, fresh))
    }

    /// Carries one more stream.
    pub(crate) fn carry(&self, stream: NewStream) {
        self.order(Order::Carry(Box::new(stream)));
    }

    /// All runs of an earlier daemon have been taken up.
    pub(crate) fn settled(&self) {
        self.order(Order::Settled);
    }

    /// Begins to carry: whoever is to see all output is there.
    pub(crate) fn begin(&self) {
        self.order(Order::Begin);
    }

    /// A run has ended, and its end is about to be dealt with: the keeper may not forget it before its output is in the logs.
    pub(crate) fn run_ends(&mut self, run: u64) {
        self.draining.insert(run);
    }

    /// To be remembered of a run that ends, with its last lines; before [`Logs::run_ended`].
    pub(crate) fn remember(&self, record: ExitRecord) {
        self.order(Order::Remember(Box::new(record)));
    }

    /// The end has been dealt with; [`Said::Drained`] follows when its output is in the logs.
    pub(crate) fn run_ended(&self, run: u64) {
        self.order(Order::Ended { run });
    }

    /// The keeper was told to forget a run.
    pub(crate) fn released(&self, run: u64) {
        self.order(Order::Released { run });
    }

    /// How runs have ended, the newest first.
    pub(crate) fn history(&self) -> oneshot::Receiver<Vec<ExitRecord>> {
        let (answer, answered) = oneshot::channel();
        self.order(Order::History(answer));
        answered
    }

    /// Whether the keeper may let go of a run now. If not, [`Logs::drained`] says so when it may: until then a daemon that dies
    /// must leave the output to the next.
    pub(crate) fn may_release(&mut self, run: u64) -> bool {
        let may = !self.draining.contains(&run);
        if !may {
            self.to_release.insert(run);
        }
        may
    }

    /// A run's output is in the logs. Whether the keeper is to let go of the run now.
    pub(crate) fn drained(&mut self, run: u64) -> bool {
        self.draining.remove(&run);
        self.to_release.remove(&run)
    }

    /// Comes when all output of ended runs is in the logs, as far as those can be written; `None`: it is.
    pub(crate) fn last_words(&self) -> Option<oneshot::Receiver<()>> {
        let (answer, answered) = oneshot::channel();
        let runs = Some(&self.draining).filter(|runs| !runs.is_empty())?;
        self.order(Order::Await(runs.clone(), answer));
        Some(answered)
    }

    /// Puts files aside; the new names of those that are.
    pub(crate) fn rotate(&self, paths: Vec<(PathBuf, Rules)>) -> oneshot::Receiver<Vec<PathBuf>> {
        let (answer, answered) = oneshot::channel();
        self.order(Order::Rotate(paths, answer));
        answered
    }

    /// Opens all files anew.
    pub(crate) fn reopen(&self) -> oneshot::Receiver<()> {
        let (answer, answered) = oneshot::channel();
        self.order(Order::Reopen(answer));
        answered
    }

    /// Carries what there is, and ends the thread. Within a bound: a hanging disk must not keep the supervisor.
    pub(crate) async fn close(&mut self) {
        let (answer, answered) = oneshot::channel();
        self.order(Order::Close(answer));
        if timeout(LAST_WORDS, answered).await.is_err() {
            tracing::error!("the last output of apps could not be written in time");
        }
        self.orders = None;
    }

    /// Ends the thread between two writes; the next daemon goes on from there.
    pub(crate) async fn leave(&mut self) {
        let (answer, answered) = oneshot::channel();
        self.order(Order::Leave(answer));
        if timeout(LAST_WORDS, answered).await.is_err() {
            tracing::error!("a write to a log hangs; the next daemon looks what has become of it");
        }
        self.orders = None;
    }

    fn order(&self, order: Order) {
        // The thread ends only when it was told to.
        if self.orders.as_ref().is_some_and(|orders| orders.send(order).is_ok()) {
            self.waker.wake();
        }
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        self.orders = None;
        self.waker.wake();
    }
}

/// Where output waits: in memory where there is such a folder, else in the home.
pub(crate) fn spool_folder(home: Option<&Path>) -> Option<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    let in_memory = runtime.into_iter().chain([PathBuf::from("/dev/shm")]).find(|path| usable(path));
    in_memory.or_else(|| home.map(Path::to_owned))
}

/// Whether unnamed files can be made there; found out by making one.
fn usable(folder: &Path) -> bool {
    rewake_unix::spool::is_in_memory(folder) && rewake_unix::spool::create(folder).is_ok()
}
