//! Node's `cluster` for apps in cluster mode: the protocol's machine decides, this carries its orders out. The listening sockets are
//! ours and outlive every worker; no byte of traffic comes through here.

mod accept;
mod arrivals;
mod bind;
mod info;
mod looks;
mod record;
mod seats;
mod steer;
mod workers;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use rewake_core::{Balancer, RunId};
use rewake_nodeipc::cluster::{Bound, ConnectionId, GroupId, Primary, Sharing};
use rewake_unix::listen::{Arrivals, FileId, group};
use rewake_wire::ClusterBalance;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

use crate::ipc_out::Once;
use crate::watched::watched;
use bind::Made;
use seats::Seats;

/// How long after a worker has left or closed a server the sockets that nobody holds are looked for: its successor has asked
/// for its own by then.
const SETTLE: Duration = Duration::from_secs(10);

/// Name and namespace of an app: its workers share one primary.
pub(crate) type AppKey = (String, String);

/// The primaries of all apps.
#[derive(Debug)]
pub(crate) struct Clusters {
    apps: BTreeMap<AppKey, App>,
    /// Sockets of an earlier daemon, by the name under which the keeper has them, until their app asks for them.
    inherited: BTreeMap<String, OwnedFd>,
    /// Tells of connections at sockets that we look after ourselves.
    pub(crate) arrivals: AsyncFd<Arrivals>,
    /// Whose a watch's number is.
    watches: BTreeMap<u32, (AppKey, GroupId)>,
    next_watch: u32,
    /// Whether this kernel chooses among sockets as it is told; tried when first asked for.
    kernel_chooses: OnceCell<bool>,
    next_connection: u64,
    /// What is to be sent to workers as soon as it is on record.
    letters: VecDeque<Letter>,
    /// Something that the next daemon must know is not on record yet.
    unrecorded: bool,
}

/// One app's primary and its sockets.
#[derive(Debug)]
struct App {
    primary: Primary,
    balance: ClusterBalance,
    addresses: BTreeMap<GroupId, Address>,
    /// Connections that we have accepted and no worker has taken yet.
    connections: BTreeMap<ConnectionId, Rc<OwnedFd>>,
    /// Addresses at which connections may wait that no worker could be given.
    starved: BTreeSet<GroupId>,
    check_at: Option<Instant>,
    /// It has workers of an earlier daemon that has left no record of what they hold.
    strangers: bool,
}

/// One listening address.
#[derive(Debug)]
struct Address {
    /// The keeper's name for its socket, and what the names of its seats begin with.
    name: String,
    watch: u32,
    /// Host and port, where it has them.
    bound: Bound,
    is_datagram: bool,
    /// The socket file to remove with it.
    path: Option<(PathBuf, FileId)>,
    sockets: Sockets,
    /// Accepting has failed for want of descriptors, or all workers have refused; when it is tried again.
    retry_at: Option<Instant>,
    balancer: Balancer,
    next_look: NextLook,
    /// The seats that new connections go to.
    live: Vec<u16>,
}

/// A message for a worker, and what goes with it.
#[derive(Debug)]
struct Letter {
    to: RunId,
    json: String,
    descriptor: Option<Rc<OwnedFd>>,
    /// To be noted with it.
    once: Option<Once>,
}

#[derive(Debug)]
enum Sockets {
    /// One for all: each worker accepts from it.
    Shared(Rc<OwnedFd>),
    /// One from which we accept and give out.
    GivenOut(Rc<OwnedFd>),
    /// One for each worker; the kernel chooses.
    Seats(Seats),
}

/// When the queues of seats are looked at next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NextLook {
    /// When a connection arrives.
    OnArrival,
    /// When a connection arrives after this.
    OnArrivalAfter(Instant),
    At(Instant),
}

impl Clusters {
    /// None yet.
    ///
    /// # Errors
    /// When the kernel gives no descriptor.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            apps: BTreeMap::new(),
            inherited: BTreeMap::new(),
            arrivals: watched(Arrivals::new()?, Interest::READABLE)?,
            watches: BTreeMap::new(),
            next_watch: 0,
            kernel_chooses: OnceCell::new(),
            next_connection: 0,
            letters: VecDeque::new(),
            unrecorded: false,
        })
    }

    /// When something is next due by itself.
    pub(crate) fn due(&self) -> Option<Instant> {
        let of_app = |app: &App| app.check_at.into_iter().chain(app.addresses.values().filter_map(Address::due)).min();
        self.apps.values().filter_map(of_app).min()
    }

    /// Takes over what an earlier daemon has left with the keeper.
    pub(crate) fn inherit(&mut self, kept: Vec<(String, OwnedFd)>) {
        self.inherited.extend(kept);
    }

    /// The app of this name. `balance` counts for one that is not there yet: another one counts when the app has been stopped.
    fn app(&mut self, key: &AppKey, balance: ClusterBalance) -> &mut App {
        self.apps.entry(key.clone()).or_insert_with(|| App::new(balance))
    }

    fn kernel_chooses(&self) -> bool {
        *self.kernel_chooses.get_or_init(|| {
            let chooses = group::supported();
            if !chooses {
                tracing::warn!("this kernel does not spread connections over sockets; all workers of an app share one");
            }
            chooses
        })
    }

    fn watch(&mut self, app: &AppKey, group: GroupId) -> u32 {
        self.next_watch += 1;
        self.watches.insert(self.next_watch, (app.clone(), group));
        self.next_watch
    }

    fn number_connection(&mut self) -> ConnectionId {
        self.next_connection += 1;
        ConnectionId(self.next_connection)
    }
}

/// The keeper's name for a socket of an app.
fn socket_name(app: &AppKey, key: &str) -> String {
    format!("{}{key}", prefix(app))
}

/// The keeper's name for one of several sockets of an address.
fn seat_name(address: &str, index: u16) -> String {
    format!("{address}\0{index}")
}

/// What the names of all sockets of an app begin with. Names are free text; the separator is none that a name may hold.
fn prefix((name, namespace): &AppKey) -> String {
    format!("{namespace}\0{name}\0")
}

impl App {
    fn new(balance: ClusterBalance) -> Self {
        let sharing = match balance {
            ClusterBalance::RoundRobin => Sharing::RoundRobin,
            ClusterBalance::Kernel | ClusterBalance::ClientIp | ClusterBalance::Shared => Sharing::Sockets,
        };
        Self {
            primary: Primary::new(sharing),
            balance,
            addresses: BTreeMap::new(),
            connections: BTreeMap::new(),
            starved: BTreeSet::new(),
            check_at: None,
            strangers: false,
        }
    }

    fn check_soon(&mut self) {
        self.check_at = Some(Instant::now() + SETTLE);
    }
}

impl Address {
    fn new(name: String, watch: u32, made: Made) -> Self {
        Self {
            name,
            watch,
            bound: made.bound,
            is_datagram: made.is_datagram,
            path: made.path,
            sockets: made.sockets,
            retry_at: None,
            balancer: Balancer::default(),
            next_look: NextLook::OnArrival,
            live: Vec::new(),
        }
    }

    /// Whether a run was found not to accept what waits for it.
    fn is_blocked(&self, run: RunId) -> bool {
        match &self.sockets {
            Sockets::Shared(_) | Sockets::GivenOut(_) => false,
            Sockets::Seats(seats) => seats.of(run).is_some_and(|seat| self.balancer.is_out(seat)),
        }
    }

    fn due(&self) -> Option<Instant> {
        let look = match self.next_look {
            NextLook::OnArrival => None,
            NextLook::OnArrivalAfter(at) | NextLook::At(at) => Some(at),
        };
        look.into_iter().chain(self.retry_at).min()
    }

    /// All sockets, by their number.
    fn sockets(&self) -> Vec<(u16, BorrowedFd<'_>)> {
        match &self.sockets {
            Sockets::Shared(socket) | Sockets::GivenOut(socket) => vec![(0, socket.as_fd())],
            Sockets::Seats(seats) => {
                seats.indexes().filter_map(|index| seats.socket(index).map(|socket| (index, socket))).collect()
            }
        }
    }

    /// What the keeper calls each of its sockets.
    fn names(&self) -> Vec<String> {
        match &self.sockets {
            Sockets::Shared(_) | Sockets::GivenOut(_) => vec![self.name.clone()],
            Sockets::Seats(seats) => seats.indexes().map(|index| seat_name(&self.name, index)).collect(),
        }
    }

    /// What stands for one of its sockets among all that are watched.
    fn token(&self, index: u16) -> u64 {
        u64::from(self.watch) << 16 | u64::from(index)
    }
}
