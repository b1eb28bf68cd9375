//! The loop: wait for one happening, let the core decide, carry out what it orders, wait again. The one owner of all state.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use rewake_core::{Core, Fact, Input, RunId, SlotId};
use rewake_keeper::link::Link;
use rewake_unix::double::Double;
use rewake_unix::{proc, user};
use rewake_wire::keeper::{Notice, Order};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use crate::clock::Clock;
use crate::cluster::Clusters;
use crate::drain;
use crate::effects::Outgoing;
use crate::ending::Ending;
use crate::handle::{Ask, Handle};
use crate::holding::Holding;
use crate::journals::Journals;
use crate::logs::{self, Logs, Said};
pub use crate::options::{Begin, Options};
use crate::pending::{Held, Requests};
use crate::record::{Record, Undescribed};
use crate::run::Run;
use crate::sheet::Sheet;
use crate::sockets::AppSockets;
use crate::store::Store;
use crate::subscribers::Subscribers;
use crate::verbs::Updating;
use crate::watched::watched;
use crate::words::user_name;

/// How long the keeper may take to say hello, and to end. It does both in milliseconds; the bound is for a machine that swaps.
pub(crate) const KEEPER_PATIENCE: Duration = Duration::from_secs(10);
/// When a table that could not be written (disk full) is tried again.
const SAVE_RETRY: Duration = Duration::from_secs(10);

/// The engine of a daemon. Run it in a `LocalSet` of a current-thread runtime.
///
/// # Errors
/// When the link cannot be watched.
pub fn daemon(link: Link, options: Options) -> Result<(Handle, Engine), EngineError> {
    Engine::new(options, link)
}

/// The engine inside a host program, over an embedded keeper.
///
/// # Errors
/// When the link cannot be watched.
pub fn embed(link: Link, options: Options) -> Result<(Handle, Engine), EngineError> {
    Engine::new(options, link)
}

/// Why an engine ended otherwise than in order.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("watch the keeper's link")]
    Link(#[source] io::Error),
    #[error("watch listening sockets")]
    Arrivals(#[source] io::Error),
    #[error("hear from the keeper: {0}")]
    Keeper(&'static str),
    #[error("start what carries the output of apps")]
    Logs(#[source] io::Error),
    #[error("go on without the keeper, which has ended")]
    KeeperGone,
}

/// How an engine ended in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Everything was stopped and forgotten.
    Killed,
    /// Everything was stopped; what was wanted is remembered.
    Terminated,
    /// Nothing was stopped: the daemon of another executable goes on.
    HandedOver,
}

/// All state, and the loop over it.
#[derive(Debug)]
pub struct Engine {
    pub(crate) core: Core,
    pub(crate) clock: Clock,
    pub(crate) sheets: BTreeMap<SlotId, Sheet>,
    pub(crate) runs: BTreeMap<RunId, Run>,
    pub(crate) requests: Requests,
    pub(crate) subscribers: Rc<RefCell<Subscribers>>,
    /// Facts that carrying out effects has brought; each gets a step of its own.
    pub(crate) facts: VecDeque<Fact>,
    /// The primary's side of Node's `cluster`, for each app that has workers.
    pub(crate) clusters: Clusters,
    /// For the next daemon.
    pub(crate) record: Option<Record>,
    pub(crate) cluster_record: Option<Double>,
    pub(crate) undescribed: Undescribed,
    pub(crate) journals: Journals,
    /// Everything that an earlier daemon has left is taken over: what is known now may be on record.
    pub(crate) caught_up: bool,
    /// Runs whose channels were read since what followed was last carried out.
    pub(crate) heard: BTreeSet<RunId>,
    /// What apps in fork mode listen on.
    pub(crate) sockets: AppSockets,
    pub(crate) link: AsyncFd<Link>,
    pub(crate) outgoing: VecDeque<Outgoing>,
    /// How much of what was outgoing has been carried out so far.
    pub(crate) orders_done: u64,
    pub(crate) home: Option<PathBuf>,
    /// The drain helper as a file; `None` without a home, or when it could not be written.
    pub(crate) drain_helper: Option<PathBuf>,
    /// Where the output of apps waits to be carried to the logs.
    pub(crate) spools: Option<PathBuf>,
    pub(crate) begin: Begin,
    pub(crate) user: String,
    pub(crate) saving: Saving,
    /// Set once the keeper has said hello.
    pub(crate) logs: Option<Logs>,
    pub(crate) said: mpsc::UnboundedSender<Said>,
    /// While runs are taken back: the one at hand has ended.
    pub(crate) adopting_ended: bool,
    pub(crate) readable: mpsc::UnboundedSender<RunId>,
    pub(crate) ending: Option<Ending>,
    /// The last daemon was about to end, and this one is to do so in its place.
    pub(crate) resume_ending: Option<Ended>,
    pub(crate) holding: Holding,
    pub(crate) updating: Option<Updating>,
    /// The file of processes is not what it should be.
    pub(crate) runs_changed: bool,
    /// The kernel's name for this boot.
    pub(crate) boot: String,
    greeted: bool,
    sign: Option<Sign>,
    inbox: mpsc::Receiver<Ask>,
    readables: mpsc::UnboundedReceiver<RunId>,
    pub(crate) saves: mpsc::UnboundedReceiver<Saved>,
    hears: mpsc::UnboundedReceiver<Said>,
}

/// What the table's writing has come to.
#[derive(Debug)]
pub(crate) struct Saving {
    pub(crate) store: Option<Store>,
    /// The newest state, and the newest on disk.
    pub(crate) wanted: u64,
    pub(crate) written: u64,
    pub(crate) in_flight: bool,
    pub(crate) retry_at: Option<Instant>,
    pub(crate) held: Vec<Held>,
    pub(crate) saved: mpsc::UnboundedSender<Saved>,
}

/// A write has ended.
#[derive(Debug)]
pub(crate) struct Saved {
    pub(crate) generation: u64,
    pub(crate) result: io::Result<()>,
}

/// What the keeper brought to its hello.
#[derive(Debug)]
pub struct Greeting {
    /// The keeper of the moment: another one takes its place when it dies.
    pub keeper_pid: Rc<Cell<u32>>,
    /// The listening RPC socket; none when embedded, or without a home.
    pub listener: Option<OwnedFd>,
    /// No engine was there before this one: the keeper is new.
    pub first: bool,
}

/// The loop's signs of life.
#[derive(Debug)]
struct Sign {
    every: Duration,
    next: Instant,
}

enum Wake {
    Keeper,
    KeeperWritable,
    Ask(Option<Ask>),
    Readable(RunId),
    Saved(Saved),
    Arrivals,
    Said(Said),
    Deadline,
}

impl Engine {
    fn new(options: Options, link: Link) -> Result<(Handle, Self), EngineError> {
        let (handle, inbox) = Handle::new();
        let (readable, readables) = mpsc::unbounded_channel();
        let (saved, saves) = mpsc::unbounded_channel();
        let (said, hears) = mpsc::unbounded_channel();
        let store = options.home.as_deref().map(|home| Store::new(home, options.begin));
        let saving = Saving { store, wanted: 0, written: 0, in_flight: false, retry_at: None, held: Vec::new(), saved };
        let link = watched(link, Interest::READABLE | Interest::WRITABLE).map_err(EngineError::Link)?;
        let engine = Self {
            core: Core::default(),
            clock: Clock::start(),
            sheets: BTreeMap::new(),
            runs: BTreeMap::new(),
            requests: Requests::default(),
            subscribers: Rc::default(),
            facts: VecDeque::new(),
            clusters: Clusters::new().map_err(EngineError::Arrivals)?,
            record: None,
            cluster_record: None,
            undescribed: Undescribed::new(),
            journals: Journals::new(),
            caught_up: false,
            heard: BTreeSet::new(),
            sockets: AppSockets::default(),
            link,
            outgoing: VecDeque::new(),
            orders_done: 0,
            drain_helper: options.home.as_deref().and_then(drain::write_helper),
            spools: logs::spool_folder(options.home.as_deref()),
            home: options.home,
            begin: options.begin,
            user: user_name(user::effective()),
            saving,
            logs: None,
            said,
            adopting_ended: false,
            readable,
            ending: None,
            resume_ending: None,
            holding: Holding::default(),
            updating: None,
            runs_changed: false,
            boot: proc::boot_id().unwrap_or_default(),
            greeted: false,
            sign: options.sign_every.map(|every| Sign { every, next: Instant::now() }),
            inbox,
            readables,
            saves,
            hears,
        };
        Ok((handle, engine))
    }

    /// Waits for the keeper's hello, takes back what it holds, and starts what ought to run.
    ///
    /// # Errors
    /// When the keeper is silent, of another version, or gone.
    pub async fn greet(&mut self) -> Result<Greeting, EngineError> {
        self.greeted = true;
        let hello = timeout(KEEPER_PATIENCE, self.hear_hello()).await;
        let hello = hello.map_err(|_| EngineError::Keeper("it has not said hello in time"))??;
        self.holding.keeper_pid.set(hello.keeper_pid);
        self.holding.role = hello.role;
        self.holding.updates = hello.updates;
        let listener = hello.listener;
        self.holding.listener = listener.as_ref().and_then(|listener| listener.try_clone().ok());
        let mut kept = hello.kept;
        let copy = |(name, fd): &(String, OwnedFd)| Some((name.clone(), Rc::new(fd.try_clone().ok()?)));
        self.holding.kept.extend(kept.iter().filter_map(copy));
        let record = self.take_record(&mut kept);
        let clusters = self.take_cluster_record(&mut kept);
        self.take_journals(&mut kept);
        let kept = self.start_logs(kept).map_err(EngineError::Logs)?;
        let others = self.sockets.inherit(kept);
        self.clusters.inherit(others);
        self.clusters.restore(clusters.unwrap_or_default());
        let first = hello.held.is_empty() && hello.next_run == 0;
        let (mut snapshot, done) = record.unzip();
        let orders = snapshot.as_mut().map(|snapshot| std::mem::take(&mut snapshot.orders)).unwrap_or_default();
        if snapshot.is_some_and(|snapshot| self.resume_from(snapshot)) {
            let left = orders.into_iter().filter(|(number, _)| done.is_some_and(|done| *number >= done));
            self.catch_up(hello.held, left.map(|(_, order)| order).collect(), hello.next_run);
        } else {
            self.core.use_runs_from(hello.next_run);
            self.take_back(hello.held, first);
        }
        self.settle_clusters();
        self.close_all_unneeded();
        if let Some(logs) = &self.logs {
            logs.settled();
            // In the foreground the host passes all output on, and says so by its subscription.
            if self.begin != Begin::Empty {
                logs.begin();
            }
        }
        self.drop_journals_left();
        self.caught_up = true;
        Ok(Greeting { keeper_pid: Rc::clone(&self.holding.keeper_pid), listener, first })
    }

    /// Runs until told to end. Also ends when every [`Handle`] is gone, as on `terminate`.
    ///
    /// # Errors
    /// When the keeper is lost for good, or cannot be understood.
    pub async fn run(mut self) -> Result<Ended, EngineError> {
        if !self.greeted {
            self.greet().await?;
        }
        self.order(Order::Up);
        match self.live().await {
            Ok(ending) => self.finish(ending).await,
            Err(error) => Err(self.fail(error).await),
        }
    }

    async fn live(&mut self) -> Result<Ending, EngineError> {
        self.follow_up(Ok(()))?;
        loop {
            let mut keeper = Ok(());
            match self.wait().await {
                Wake::Keeper => keeper = self.take_reports(),
                Wake::KeeperWritable => {}
                Wake::Ask(Some(ask)) => self.take_ask(ask),
                Wake::Ask(None) => self.end(Ended::Terminated, None),
                Wake::Readable(run) => self.read_ipc(run, false),
                Wake::Saved(saved) => self.saved(saved),
                Wake::Arrivals => self.take_arrivals(),
                Wake::Said(said) => self.take_said(said),
                Wake::Deadline => self.meet_deadlines(),
            }
            self.follow_up(keeper)?;
            if let Some(ending) = self.ending.take_if(|ending| ending.empty) {
                return Ok(ending);
            }
        }
    }

    /// What follows from a happening: it is written down, then carried out; then what it was about need not be heard again.
    /// `keeper`: what has become of hearing from it.
    fn follow_up(&mut self, keeper: Result<(), EngineError>) -> Result<(), EngineError> {
        self.go_on_with_update();
        self.record();
        self.write_runs_ahead();
        match keeper.and_then(|()| self.send_orders()) {
            Err(EngineError::KeeperGone) => self.replace_keeper()?,
            other => other?,
        }
        self.post_letters();
        self.heard_is_done();
        self.write_runs();
        Ok(())
    }

    /// One happening. The keeper comes first: its news decide what a command finds.
    async fn wait(&mut self) -> Wake {
        let deadline = self.next_deadline();
        let open = !self.inbox.is_closed() || !self.inbox.is_empty();
        let keeper = self.holding.next_try.is_none();
        let untold = keeper && (!self.outgoing.is_empty() || !self.holding.first.is_empty());
        tokio::select! {
            biased;
            ready = self.link.readable(), if keeper => {
                if let Ok(mut ready) = ready {
                    ready.retain_ready();
                }
                Wake::Keeper
            }
            _ = self.link.writable(), if untold => Wake::KeeperWritable,
            Some(saved) = self.saves.recv() => Wake::Saved(saved),
            ready = self.clusters.arrivals.readable() => {
                if let Ok(mut ready) = ready {
                    ready.retain_ready();
                }
                Wake::Arrivals
            }
            Some(said) = self.hears.recv() => Wake::Said(said),
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => Wake::Deadline,
            ask = self.inbox.recv(), if open || self.ending.is_none() => Wake::Ask(ask),
            Some(run) = self.readables.recv() => Wake::Readable(run),
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let core = self.core.next_deadline().map(|time| Instant::from_std(self.clock.instant(time)));
        let sign = self.sign.as_ref().map(|sign| sign.next);
        let update = self.updating.as_ref().and_then(Updating::due);
        let others = sign.into_iter().chain(update).chain(self.saving.retry_at).chain(self.clusters.due());
        core.into_iter().chain(others).chain(self.holding.next_try).min()
    }

    fn meet_deadlines(&mut self) {
        if self.saving.retry_at.is_some_and(|at| at <= Instant::now()) {
            self.saving.retry_at = None;
            self.write_table();
        }
        self.give_sign();
        self.meet_cluster_deadlines();
        self.step(Input::Tick);
    }

    /// Tells the keeper that the loop turns, if it is time to.
    fn give_sign(&mut self) {
        let now = Instant::now();
        let Some(sign) = self.sign.as_mut().filter(|sign| sign.next <= now) else { return };
        sign.next = now + sign.every;
        self.order(Order::Notify { notice: Notice::Alive });
    }

    /// Gives one input to the core and carries out what follows, then what follows from that.
    pub(crate) fn step(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.core.step(self.clock.now(), input, &mut effects);
        self.steer_for(&effects);
        for effect in effects {
            self.carry_out(effect);
        }
        self.step_facts();
    }

    /// Gives the facts that have come up to the core.
    pub(crate) fn step_facts(&mut self) {
        while let Some(fact) = self.facts.pop_front() {
            self.step(Input::Fact(fact));
        }
    }

    /// A failed write is tried again later, also when nothing changes any more.
    pub(crate) fn note_save_failure(&mut self) {
        self.saving.retry_at = Some(Instant::now() + SAVE_RETRY);
    }
}
