//! Listening sockets of apps in fork mode, handed to their processes by systemd's protocol. Made before an app's first process and kept
//! while it is wanted up, whatever becomes of its processes and of this daemon. Never accepts, and never reads a byte.

mod asked;
mod holder;
mod open;

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;

use rewake_core::{Change, Fact, Phase, RunId, Slot, SlotId};
use rewake_unix::errno::{EMFILE, ENFILE, ENOBUFS, ENOMEM};
use rewake_wire::keeper::{Order, Passed};
use rewake_wire::{SocketInfo, SocketSpec};

pub(crate) use asked::check;
use open::Open;

use crate::effects::Outgoing;
use crate::engine::Engine;
use crate::plan::runs_node;
use crate::sheet::Sheet;

/// Name and namespace of an app: its slots share their sockets.
type AppKey = (String, String);

/// The sockets of all apps.
#[derive(Debug, Default)]
pub(crate) struct AppSockets {
    apps: BTreeMap<AppKey, Vec<Open>>,
    /// What each run was given, by the keeper's names. A run that is not here was made by an earlier daemon, and may have any.
    given: BTreeMap<RunId, Vec<String>>,
}

impl AppSockets {
    /// Takes over what an earlier daemon left with the keeper. The rest of what it left is returned: others' descriptors.
    pub(crate) fn inherit(&mut self, kept: Vec<(String, OwnedFd)>) -> Vec<(String, OwnedFd)> {
        let mut others = Vec::new();
        for (name, socket) in kept {
            match open::read_name(&name) {
                Some((app, key, file)) => {
                    self.apps.entry(app).or_default().push(Open::inherited(key, name, socket, file));
                }
                None => others.push((name, socket)),
            }
        }
        others
    }

    /// Closes everything: nobody is left to serve.
    pub(crate) fn close_all(&mut self) {
        for open in std::mem::take(&mut self.apps).into_values().flatten() {
            open.close();
        }
    }

    fn of(&self, app: &AppKey) -> &[Open] {
        self.apps.get(app).map_or(&[], Vec::as_slice)
    }
}

impl Engine {
    /// What a new process of the slot is given; sockets that are not there yet are made first. `None`: one cannot be made, so there
    /// is no process, as was told.
    pub(crate) fn sockets_for(&mut self, slot: SlotId, run: RunId) -> Option<Vec<Passed>> {
        let sheet = self.sheets.get(&slot).filter(|sheet| !sheet.spec.launch.sockets.is_empty());
        let Some(sheet) = sheet else {
            self.sockets.given.insert(run, Vec::new());
            return Some(Vec::new());
        };
        let (app, specs) = (key_of(sheet), sheet.spec.launch.sockets.clone());
        let node = runs_node(&sheet.spec.launch);
        let made = match self.make_missing(&app, &specs, node) {
            Ok(made) => made,
            Err(refused) => {
                self.refuse(slot, run, refused);
                return None;
            }
        };
        for open in made {
            self.keep(&app, open);
        }
        if self.has_no_run(&app) {
            self.sockets.of(&app).iter().for_each(|open| open.wait_or_not(node));
        }
        let passed: Vec<Passed> = self.opened(&app, &specs).map(|(open, spec)| open.passed(&spec.name)).collect();
        self.sockets.given.insert(run, passed.iter().map(|passed| passed.kept.clone()).collect());
        Some(passed)
    }

    /// The sockets among these that an app has not; all or none.
    fn make_missing(&self, app: &AppKey, specs: &[SocketSpec], node: bool) -> Result<Vec<Open>, Refused> {
        let mut made: Vec<Open> = Vec::new();
        for (key, spec) in asked::with_keys(specs) {
            let there = self.sockets.of(app).iter().find(|open| open.key == key && open.serves());
            if let Some(open) = there {
                open.give_mode(&spec.address);
                continue;
            }
            match Open::make(app, key, &spec.address) {
                Ok(open) => {
                    open.wait_or_not(node);
                    made.push(open);
                }
                Err(error) => {
                    let reason = self.why_not(app, &made, &spec.address, &error);
                    made.iter().for_each(Open::close);
                    let retry = [EMFILE, ENFILE, ENOBUFS, ENOMEM].map(Some).contains(&error.raw_os_error());
                    return Err(Refused { reason, retry });
                }
            }
        }
        Ok(made)
    }

    fn refuse(&mut self, slot: SlotId, run: RunId, refused: Refused) {
        if let Some(sheet) = self.sheets.get_mut(&slot) {
            sheet.reason = Some(refused.reason);
        }
        self.facts.push_back(Fact::SpawnFailed { run, retry: refused.retry });
    }

    /// The keeper has a copy before any process can ask for it: orders go in order.
    fn keep(&mut self, app: &AppKey, open: Open) {
        self.outgoing.push_back(Outgoing::Keep { name: open.kept.clone(), socket: open.shared() });
        let sockets = self.sockets.apps.entry(app.clone()).or_default();
        // One that has gone deaf gives its place to the new one.
        let deaf: Vec<Open> = sockets.extract_if(.., |other| other.key == open.key).collect();
        // Under the same name the keeper has replaced it by itself.
        let let_go: Vec<String> = deaf.into_iter().map(|deaf| deaf.kept).filter(|kept| *kept != open.kept).collect();
        sockets.push(open);
        for name in let_go {
            self.order(Order::LetGo { name });
        }
    }

    /// The open ones among these, in their order.
    fn opened<'a>(&'a self, app: &AppKey, specs: &'a [SocketSpec]) -> impl Iterator<Item = (&'a Open, &'a SocketSpec)> {
        let open = self.sockets.of(app);
        asked::with_keys(specs)
            .filter_map(move |(key, spec)| open.iter().find(|open| open.key == key).map(|open| (open, spec)))
    }

    /// The sockets of a slot as clients see them.
    pub(crate) fn shown_sockets(&self, sheet: &Sheet) -> Vec<SocketInfo> {
        if sheet.spec.launch.sockets.is_empty() {
            return Vec::new();
        }
        let app = key_of(sheet);
        let opened = self.opened(&app, &sheet.spec.launch.sockets);
        opened
            .map(|(open, spec)| SocketInfo { name: spec.name.clone(), address: open.address(&spec.address) })
            .collect()
    }

    /// Something has changed with a slot after which its app may be at rest.
    pub(crate) fn sockets_after(&mut self, slot: SlotId, change: Change) {
        match change {
            Change::Stop | Change::Delete | Change::RestartOverlimit => self.close_unneeded_of(slot),
            Change::Start
            | Change::Online
            | Change::ReadyTimeout
            | Change::Exit(_)
            | Change::Restart
            | Change::SpawnFailed
            | Change::CannotBeKilled
            | Change::Reload
            | Change::ReloadFailed { .. } => {}
        }
    }

    /// Nothing is left of a run of this slot.
    pub(crate) fn sockets_released(&mut self, slot: Option<SlotId>, run: RunId) {
        self.sockets.given.remove(&run);
        if let Some(slot) = slot {
            self.close_unneeded_of(slot);
        }
    }

    /// As [`Self::close_unneeded`], for the app of a slot.
    pub(crate) fn close_unneeded_of(&mut self, slot: SlotId) {
        if self.sockets.apps.is_empty() {
            return;
        }
        if let Some(app) = self.sheets.get(&slot).map(key_of) {
            self.close_unneeded(&app);
        }
    }

    /// As [`Self::close_unneeded`], for every app.
    pub(crate) fn close_all_unneeded(&mut self) {
        let apps: Vec<AppKey> = self.sockets.apps.keys().cloned().collect();
        for app in apps {
            self.close_unneeded(&app);
        }
    }

    /// Closes what an app does not need: all its sockets when it is at rest, so that clients are refused and do not wait for nobody;
    /// else those that neither a description nor a process of it has.
    fn close_unneeded(&mut self, app: &AppKey) {
        if self.sockets.of(app).is_empty() {
            return;
        }
        let slots: Vec<&Slot> =
            self.core.slots().filter(|slot| slot.name == app.0 && slot.namespace == app.1).collect();
        let rests = |slot: &&Slot| matches!(slot.phase, Phase::Stopped | Phase::Errored) && slot.second.is_none();
        let needed = if slots.iter().all(rests) { Some(BTreeSet::new()) } else { self.needed(app, &slots) };
        let Some(needed) = needed else { return };
        let Some(sockets) = self.sockets.apps.get_mut(app) else { return };
        let closed: Vec<Open> = sockets.extract_if(.., |open| !needed.contains(&open.kept)).collect();
        if sockets.is_empty() {
            self.sockets.apps.remove(app);
        }
        for open in closed {
            open.close();
            self.order(Order::LetGo { name: open.kept });
        }
    }

    /// The keeper's names of what a description or a process of an app has. `None`: a process of an earlier daemon may have any.
    fn needed(&self, app: &AppKey, slots: &[&Slot]) -> Option<BTreeSet<String>> {
        let mut needed = BTreeSet::new();
        for slot in slots {
            for run in slot.runs().filter(|run| self.runs.contains_key(run)) {
                needed.extend(self.sockets.given.get(&run)?.iter().cloned());
            }
            let Some(sheet) = self.sheets.get(&slot.id) else { continue };
            let specs = [Some(&sheet.spec), sheet.before_reload.as_deref()];
            for spec in specs.into_iter().flatten() {
                needed.extend(self.opened(app, &spec.launch.sockets).map(|(open, _)| open.kept.clone()));
            }
        }
        Some(needed)
    }

    /// Whether no process of an app can have set a flag that is shared by all copies of a socket.
    fn has_no_run(&self, app: &AppKey) -> bool {
        let is_of = |sheet: &Sheet| sheet.spec.name == app.0 && sheet.spec.namespace == app.1;
        !self.runs.values().any(|run| self.sheets.get(&run.slot).is_some_and(is_of))
    }
}

/// Why a socket cannot be had, and whether it may be had a moment later.
struct Refused {
    reason: String,
    retry: bool,
}

fn key_of(sheet: &Sheet) -> AppKey {
    (sheet.spec.name.clone(), sheet.spec.namespace.clone())
}
