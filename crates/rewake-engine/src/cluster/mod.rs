//! Node's `cluster` for apps in cluster mode: the protocol's machine decides, this carries its orders out. The listening sockets are
//! ours and outlive every worker; no byte of traffic comes through here.

mod bind;
mod workers;

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use rewake_core::SlotId;
use rewake_nodeipc::cluster::{GroupId, Primary, Sharing};
use rewake_unix::listen::FileId;
use tokio::time::Instant;

/// How long after a worker has left or closed a server the sockets that nobody holds are looked for: its successor has asked
/// for its own by then.
const SETTLE: Duration = Duration::from_secs(10);

/// Name and namespace of an app: its workers share one primary.
pub(crate) type AppKey = (String, String);

/// The primaries of all apps.
#[derive(Debug, Default)]
pub(crate) struct Clusters {
    apps: BTreeMap<AppKey, App>,
    /// Sockets of an earlier daemon, by the name under which the keeper has them, until their app asks for them.
    inherited: BTreeMap<String, OwnedFd>,
}

/// One app's primary and its sockets.
#[derive(Debug)]
struct App {
    primary: Primary,
    sockets: BTreeMap<GroupId, Sockets>,
    check_at: Option<Instant>,
    /// It has workers of an earlier daemon, which hold sockets that this primary does not know of.
    adopted: bool,
}

/// The sockets of one listening address: one for all slots.
#[derive(Debug)]
struct Sockets {
    /// The keeper's name for it.
    name: String,
    shared: Rc<OwnedFd>,
    /// The socket file to remove with the group.
    path: Option<(PathBuf, FileId)>,
}

impl Sockets {
    /// The socket that a slot listens on.
    fn of(&self, _slot: SlotId) -> Rc<OwnedFd> {
        Rc::clone(&self.shared)
    }
}

impl Clusters {
    /// When sockets that nobody holds are next looked for.
    pub(crate) fn check_at(&self) -> Option<Instant> {
        self.apps.values().filter_map(|app| app.check_at).min()
    }

    /// Takes over what an earlier daemon has left with the keeper.
    pub(crate) fn inherit(&mut self, kept: Vec<(String, OwnedFd)>) {
        self.inherited.extend(kept);
    }

    fn app(&mut self, key: AppKey) -> &mut App {
        self.apps.entry(key).or_insert_with(|| App {
            primary: Primary::new(Sharing::Sockets),
            sockets: BTreeMap::new(),
            check_at: None,
            adopted: false,
        })
    }
}

/// The keeper's name for a socket of an app.
fn socket_name(app: &AppKey, key: &str) -> String {
    format!("{}{key}", prefix(app))
}

/// What the names of all sockets of an app begin with. Names are free text; the separator is none that a name may hold.
fn prefix((name, namespace): &AppKey) -> String {
    format!("{namespace}\0{name}\0")
}

impl App {
    fn check_soon(&mut self) {
        self.check_at = Some(Instant::now() + SETTLE);
    }
}
