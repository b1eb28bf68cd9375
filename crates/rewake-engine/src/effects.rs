//! Carries out the core's orders: to the keeper, to apps, to clients, to the disk. Decides nothing; what fails comes back as a fact.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use rewake_core::{Change, Effect, Fact, ReloadFailure, RunId, SlotId};
use rewake_unix::fd;
use rewake_wire::keeper::{Adopted, Order, Passed, Plan};
use rewake_wire::{Event, ProcessEvent, ProcessEventKind};
use tokio::time::Instant;

use crate::clock::epoch_ms;
use crate::engine::{Engine, EngineError};
use crate::holding;
use crate::inspect;
use crate::ipc_out::Once;
use crate::lost;
use crate::plan::{self, Beside};
use crate::run::Run;
use crate::{verbs, words};

/// Descriptors that a new process takes here (pidfd, three streams, two spools, channel, copies of those five that are read, the channel's
/// journal twice, two logs), and those that are left for clients and files: without them nobody could even ask what is wrong.
const ROOM: usize = 16 + 22;

/// What is to be carried out, in order, once it is on record: most of it by the keeper.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Order(Order),
    Spawn {
        slot: SlotId,
        run: RunId,
        plan: Box<Plan>,
    },
    Keep {
        name: String,
        socket: Rc<OwnedFd>,
    },
    Adopt {
        adopted: Box<Adopted>,
        fds: Vec<Rc<OwnedFd>>,
    },
    /// To an app: the message `'shutdown'`.
    Shutdown {
        run: RunId,
    },
    /// To a worker: accept nothing any more.
    Drain {
        run: RunId,
    },
}

impl Engine {
    pub(crate) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Spawn { slot, run } => self.spawn(slot, run),
            Effect::Signal { run, signal, tree } => self.order(Order::Signal { run: run.0, signal, tree }),
            // New connections have been steered before.
            Effect::Serve { .. } => {}
            Effect::Drain { run } => self.outgoing.push_back(Outgoing::Drain { run }),
            Effect::SendShutdown { run } => self.outgoing.push_back(Outgoing::Shutdown { run }),
            Effect::Release { run } => {
                self.worker_gone(run);
                self.drop_journal(run);
                let state = self.runs.remove(&run);
                self.runs_changed = true;
                let slot = state.as_ref().map(|state| state.slot);
                self.sockets_released(slot, run);
                self.release(run, state);
            }
            Effect::Reply { call, slots } => self.reply(call, slots),
            Effect::Changed { slot, run, change, manually } => {
                self.changed(slot, run, change, manually);
                self.sockets_after(slot, change);
            }
            Effect::Save => self.save(),
            Effect::Removed { slot } => {
                self.sheets.remove(&slot);
            }
            Effect::Never { what } => {
                debug_assert!(false, "{what}");
                tracing::error!("bug: {what}");
            }
        }
    }

    /// Carries out what waits, as far as the keeper takes it.
    ///
    /// # Errors
    /// `KeeperGone`, also when it is time to try for another one.
    pub(crate) fn send_orders(&mut self) -> Result<(), EngineError> {
        let alone = match self.holding.next_try {
            Some(at) if at <= Instant::now() => return Err(EngineError::KeeperGone),
            Some(_) => true,
            None => {
                self.tell_new_keeper()?;
                if !self.holding.first.is_empty() {
                    return Ok(());
                }
                false
            }
        };
        while let Some(next) = self.outgoing.front() {
            if alone && !self.needs_no_keeper(next) {
                return Ok(());
            }
            let sent = match next {
                Outgoing::Order(_) | Outgoing::Spawn { .. } | Outgoing::Keep { .. } | Outgoing::Adopt { .. } => {
                    self.tell(next)
                }
                Outgoing::Shutdown { run } => {
                    let run = *run;
                    self.send_shutdown(run);
                    Ok(())
                }
                Outgoing::Drain { run } => {
                    let run = *run;
                    self.drain_worker(run);
                    // It counts as carried out when the worker has been told.
                    self.record();
                    self.post_letters();
                    Ok(())
                }
            };
            match sent {
                Ok(()) => {
                    if let Some(sent) = self.outgoing.pop_front() {
                        self.output_released(&sent);
                        self.holding.sent(sent);
                    }
                    self.order_done();
                    if !self.facts.is_empty() {
                        self.step_facts();
                        self.record();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // Clears what tokio believes, so that waiting for it to be writable really waits.
                    let _ = self.link.try_io(tokio::io::Interest::WRITABLE, |_| -> io::Result<()> { Err(error) });
                    return Ok(());
                }
                Err(error) => self.order_failed(&error)?,
            }
        }
        Ok(())
    }

    /// Says it to the keeper, if it is the keeper's matter. A signal to one process is sent from here: whoever asked for it hears that it is
    /// done, not that it is under way.
    pub(crate) fn tell(&self, what: &Outgoing) -> io::Result<()> {
        let link = self.link.get_ref();
        match what {
            Outgoing::Order(Order::Signal { run, signal, tree })
                if (!tree || self.holding.next_try.is_some())
                    && let Some(process) = self.process(*run) =>
            {
                lost::signal(process, *signal, *tree);
                Ok(())
            }
            Outgoing::Order(order) => link.order(order),
            Outgoing::Spawn { slot, run, plan } => link.spawn(run.0, &slot.to_string(), plan),
            Outgoing::Keep { name, socket } => link.keep(name, socket.as_fd()),
            Outgoing::Adopt { adopted, fds } => link.adopt(adopted, &holding::borrowed(fds)),
            Outgoing::Shutdown { .. } | Outgoing::Drain { .. } => Ok(()),
        }
    }

    /// What this process does by itself. A stop is as polite without a keeper as with one; but only a keeper finds all of a tree, and SIGKILL
    /// must spare none of it.
    fn needs_no_keeper(&self, what: &Outgoing) -> bool {
        match what {
            Outgoing::Shutdown { .. } | Outgoing::Drain { .. } => true,
            Outgoing::Order(Order::Signal { signal: lost::SIGKILL, tree: true, .. }) => false,
            Outgoing::Order(Order::Signal { run, .. }) => self.process(*run).is_some(),
            Outgoing::Order(_) | Outgoing::Spawn { .. } | Outgoing::Keep { .. } | Outgoing::Adopt { .. } => false,
        }
    }

    /// The pidfd of a run's process.
    fn process(&self, run: u64) -> Option<&Rc<OwnedFd>> {
        self.runs.get(&RunId(run)).and_then(Run::pidfd)
    }

    pub(crate) fn order(&mut self, order: Order) {
        self.outgoing.push_back(Outgoing::Order(order));
    }

    /// Has a process made, with the sockets that it listens on.
    pub(crate) fn spawn(&mut self, slot: SlotId, run: RunId) {
        if let Some(sockets) = self.sockets_for(slot, run) {
            self.spawn_with(slot, run, sockets);
        }
    }

    fn spawn_with(&mut self, slot: SlotId, run: RunId, sockets: Vec<Passed>) {
        let taken = self.inspect_ports_of(slot);
        let (Some(state), Some(sheet)) = (self.core.slot(slot), self.sheets.get_mut(&slot)) else {
            tracing::error!("bug: a slot without a sheet was to be started");
            self.facts.push_back(Fact::SpawnFailed { run, retry: false });
            return;
        };
        if !has_room(self.link.get_ref().as_fd()) {
            sheet.reason = Some("too many open files; raise the limit (`ulimit -n`) and start the daemon anew".into());
            self.facts.push_back(Fact::SpawnFailed { run, retry: true });
            return;
        }
        sheet.refused = None;
        let now = epoch_ms();
        // The new process of a reload is not yet the one that is shown.
        if state.run() == Some(run) {
            sheet.started_at_ms = Some(now);
        }
        let inspect_port = plan::debugger(slot, &sheet.spec.launch, &taken);
        let beside = Beside { drain: self.drain_helper.as_deref(), inspect_port: inspect_port.as_deref() };
        let plan = plan::plan(state, run, sheet, self.home.as_deref(), beside);
        let spool_folder = self.spools.as_deref().map(|path| path.display().to_string());
        let plan = Box::new(Plan { sockets, spool_folder, ..plan });
        self.runs_changed = true;
        self.runs.insert(run, Run { inspect_port, ..Run::ordered(slot, now) });
        self.outgoing.push_back(Outgoing::Spawn { slot, run, plan });
    }

    /// Ports of debuggers that runs of a slot have now: there are some in a reload only.
    fn inspect_ports_of(&self, slot: SlotId) -> Vec<String> {
        let of = |run: &Run| match (&run.inspect_port, run.pid) {
            (Some(port), _) => vec![port.clone()],
            // An earlier daemon may have given it one.
            (None, Some(pid)) => {
                inspect::ports_in(&fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()).collect()
            }
            (None, None) => Vec::new(),
        };
        self.runs.values().filter(|run| run.slot == slot).flat_map(of).collect()
    }

    /// The order at the front could not even be sent. A spawn (no descriptor for its plan) fails alone; the link's own end is seen
    /// by reading it.
    fn order_failed(&mut self, error: &io::Error) -> Result<(), EngineError> {
        if is_end(error) {
            // It stays in line for the next keeper.
            return Err(EngineError::KeeperGone);
        }
        let failed = self.outgoing.pop_front();
        self.order_done();
        self.given_up(failed, error)
    }

    /// Something that the keeper could not even be told.
    pub(crate) fn given_up(&mut self, failed: Option<Outgoing>, error: &io::Error) -> Result<(), EngineError> {
        match failed {
            Some(Outgoing::Spawn { run, .. }) => {
                self.note_reason(run, format!("the process could not be ordered: {error}"));
                self.step(rewake_core::Input::Fact(Fact::SpawnFailed { run, retry: true }));
                self.record();
                Ok(())
            }
            Some(
                Outgoing::Keep { .. }
                | Outgoing::Order(_)
                | Outgoing::Adopt { .. }
                | Outgoing::Shutdown { .. }
                | Outgoing::Drain { .. },
            )
            | None => {
                tracing::error!("the keeper cannot be reached: {error}");
                Err(EngineError::KeeperGone)
            }
        }
    }

    fn send_shutdown(&mut self, run: RunId) {
        let channel = self.runs.get_mut(&run).and_then(|run| run.ipc.as_mut());
        let sent = channel.is_some_and(|ipc| ipc.send_once("\"shutdown\"", Some(Once::Shutdown)).is_ok());
        if !sent {
            self.facts.push_back(Fact::ShutdownUndeliverable { run });
        }
    }

    pub(crate) fn note_reason(&mut self, run: RunId, reason: String) {
        let slot = self.runs.get(&run).map(|run| run.slot);
        if let Some(sheet) = slot.and_then(|slot| self.sheets.get_mut(&slot)) {
            sheet.reason = Some(reason);
        }
    }

    fn changed(&mut self, id: SlotId, run: Option<RunId>, change: Change, manually: bool) {
        let (Some(slot), Some(sheet)) = (self.core_slot(id), self.sheets.get_mut(&id)) else { return };
        let (name, namespace) = (sheet.spec.name.clone(), sheet.spec.namespace.clone());
        let (event, exit) = match change {
            Change::Start => (ProcessEventKind::Start, None),
            Change::Online => {
                sheet.reason = None;
                let started = run.and_then(|run| self.runs.get(&run)).map(|run| run.started_at_ms);
                sheet.started_at_ms = started.or(sheet.started_at_ms);
                (ProcessEventKind::Online, None)
            }
            Change::ReadyTimeout => (ProcessEventKind::ReadyTimeout, None),
            Change::Exit(exit) => (ProcessEventKind::Exit, Some(words::exit_info(exit, &self.clock))),
            Change::Stop => (ProcessEventKind::Stop, None),
            Change::Restart => (ProcessEventKind::Restart, None),
            Change::Reload => (ProcessEventKind::Reload, None),
            Change::ReloadFailed { why, alone } => {
                // What kept a process from being made is there already, and says more.
                if why != ReloadFailure::SpawnFailed {
                    sheet.reason = Some(words::reload_failure(why, alone, None));
                }
                (ProcessEventKind::ReloadFailed, None)
            }
            Change::Delete => (ProcessEventKind::Delete, None),
            Change::RestartOverlimit => {
                if let Some(exit) = slot.last_exit {
                    let how = words::ended_how(exit.status);
                    let times = slot.unstable.max(1);
                    sheet.reason = Some(format!("given up after {times} unstable starts in a row; the last {how}"));
                }
                (ProcessEventKind::RestartOverlimit, None)
            }
            Change::SpawnFailed => (ProcessEventKind::SpawnFailed, None),
            Change::CannotBeKilled => (ProcessEventKind::CannotBeKilled, None),
        };
        let pid = run.and_then(|run| self.runs.get(&run)).and_then(|run| run.pid);
        log_change(&name, id, event, pid, change, sheet.reason.as_deref());
        let run = run.map(|run| run.0);
        let event = ProcessEvent { event, manually, at_ms: epoch_ms(), id: id.0, name, namespace, run, pid, exit };
        if let Change::Exit(exit) = change {
            self.remember(&event, words::ended_how(exit.status));
        }
        self.subscribers.borrow_mut().publish(&Event::Process(event));
        if matches!(change, Change::ReloadFailed { .. }) {
            // Now and not with the answer, which may wait for other slots: what follows may be a restart.
            verbs::give_back(self, id);
        }
    }

    /// What `changed` needs of a slot. A slot that is being forgotten is no longer in the core when its last change is told.
    fn core_slot(&self, id: SlotId) -> Option<SlotGlance> {
        let slot = self.core.slot(id);
        let glance = slot.map(|slot| SlotGlance { last_exit: slot.last_exit, unstable: slot.streak.unstable });
        glance.or_else(|| self.sheets.contains_key(&id).then_some(SlotGlance { last_exit: None, unstable: 0 }))
    }
}

/// Whether an error says that the keeper is gone.
pub(crate) fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

/// Whether one more process may take its descriptors. Tried, not counted: others of this program open files, too.
fn has_room(any: BorrowedFd<'_>) -> bool {
    let copies: Vec<OwnedFd> = (0..ROOM).map_while(|_| fd::copy_above(any, 0).ok()).collect();
    copies.len() == ROOM
}

struct SlotGlance {
    last_exit: Option<rewake_core::Exit>,
    unstable: u32,
}

fn log_change(name: &str, id: SlotId, event: ProcessEventKind, pid: Option<u32>, change: Change, reason: Option<&str>) {
    let pid = pid.unwrap_or(0);
    match change {
        Change::Exit(exit) => {
            tracing::info!(app = name, id = id.0, pid, lived_ms = exit.lived, "{}", words::ended_how(exit.status));
        }
        Change::SpawnFailed | Change::RestartOverlimit | Change::CannotBeKilled | Change::ReloadFailed { .. } => {
            tracing::warn!(app = name, id = id.0, pid, reason, "{event:?}");
        }
        Change::Start
        | Change::Online
        | Change::ReadyTimeout
        | Change::Stop
        | Change::Restart
        | Change::Reload
        | Change::Delete => {
            tracing::info!(app = name, id = id.0, pid, "{event:?}");
        }
    }
}
