//! What the keeper reports, as facts for the core. Descriptors are taken over here; nothing is decided.

use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use rewake_core::{ExitStatus, Fact, Input, RunId, SlotId};
use rewake_keeper::link::Link;
use rewake_nodeipc::{Happening, Mode};
use rewake_unix::proc;
use rewake_wire::keeper::{Exit, FdKind, KEEPER_PROTOCOL, Order, Report, Role, UpdateOutcome};
use rewake_wire::{Event, Message};
use serde_json::value::RawValue;

use crate::clock::epoch_ms;
use crate::engine::{Engine, EngineError};
use crate::ipc::Ipc;
use crate::output::Output;
use crate::words;

const SIGKILL: i32 = 9;

/// Reports taken before commands get their turn.
const AT_ONCE: usize = 64;

/// What the keeper said before the loop began.
pub(crate) struct Hello {
    pub(crate) keeper_pid: u32,
    pub(crate) role: Role,
    pub(crate) updates: Vec<UpdateOutcome>,
    pub(crate) listener: Option<OwnedFd>,
    pub(crate) held: Vec<HeldRun>,
    /// Sockets that an earlier daemon gave to keep.
    pub(crate) kept: Vec<(String, OwnedFd)>,
    /// Above every number that an earlier daemon used.
    pub(crate) next_run: u64,
}

/// A run of an earlier daemon.
pub(crate) struct HeldRun {
    pub(crate) run: RunId,
    pub(crate) tag: String,
    pub(crate) pid: u32,
    pub(crate) started_at_ms: u64,
    pub(crate) fds: Vec<(FdKind, OwnedFd)>,
    pub(crate) exit: Option<Exit>,
    pub(crate) tree_gone: bool,
}

impl Engine {
    pub(crate) async fn hear_hello(&mut self) -> Result<Hello, EngineError> {
        let mut hello = Hello {
            keeper_pid: 0,
            role: Role::default(),
            updates: Vec::new(),
            listener: None,
            held: Vec::new(),
            kept: Vec::new(),
            next_run: 0,
        };
        loop {
            let mut ready = self.link.readable().await.map_err(EngineError::Link)?;
            let (report, fds) = match ready.try_io(|link| link.get_ref().try_recv()) {
                Ok(Ok(Some(packet))) => packet,
                Ok(Ok(None)) => return Err(EngineError::KeeperGone),
                Ok(Err(error)) => return Err(EngineError::Link(error)),
                Err(_would_block) => continue,
            };
            match report {
                Report::Ready { protocol, .. } if protocol != KEEPER_PROTOCOL => {
                    return Err(EngineError::Keeper("it speaks another version of the protocol"));
                }
                Report::Ready { keeper_pid, role, updates, .. } => {
                    hello.keeper_pid = keeper_pid;
                    hello.role = role;
                    hello.updates = updates;
                    hello.listener = fds.into_iter().next();
                }
                Report::Held { run, tag, pid, started_at_ms, fds: kinds, exit, tree_gone } => {
                    let fds = kinds.into_iter().zip(fds).collect();
                    hello.held.push(HeldRun { run: RunId(run), tag, pid, started_at_ms, fds, exit, tree_gone });
                }
                Report::Kept { name } => hello.kept.extend(fds.into_iter().next().map(|fd| (name, fd))),
                Report::HeldAll { next_run } => {
                    hello.next_run = next_run;
                    return Ok(hello);
                }
                Report::Spawned { .. }
                | Report::SpawnFailed { .. }
                | Report::Exited { .. }
                | Report::TreeGone { .. }
                | Report::UpdateChecked { .. } => {
                    return Err(EngineError::Keeper("it reported before it had said hello"));
                }
            }
        }
    }

    /// Takes the reports that have come.
    pub(crate) fn take_reports(&mut self) -> Result<(), EngineError> {
        for _ in 0..AT_ONCE {
            let received = self.link.try_io(tokio::io::Interest::READABLE, Link::try_recv);
            match received {
                Ok(Some((report, fds))) => self.take_report(report, fds),
                Ok(None) => return Err(EngineError::KeeperGone),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(EngineError::Link(error)),
            }
        }
        Ok(())
    }

    pub(crate) fn take_report(&mut self, report: Report, fds: Vec<OwnedFd>) {
        match report {
            Report::Spawned { run, pid, fds: kinds } => {
                self.holding.ordered.remove(&RunId(run));
                let lost = fds.len() < kinds.len();
                let fds = kinds.into_iter().zip(fds).collect();
                self.take_over(RunId(run), pid, fds);
                if lost {
                    self.end_unwatched(RunId(run));
                }
                self.step(Input::Fact(Fact::Spawned { run: RunId(run) }));
            }
            Report::SpawnFailed { run, error } => {
                self.holding.ordered.remove(&RunId(run));
                self.note_reason(RunId(run), words::spawn_error(&error));
                let retry = words::may_pass(&error);
                self.step(Input::Fact(Fact::SpawnFailed { run: RunId(run), retry }));
            }
            Report::Exited { run, exit, tree_gone } => self.exited(RunId(run), exit, tree_gone),
            Report::TreeGone { run } if !self.runs.contains_key(&RunId(run)) => self.release_stranger(RunId(run), true),
            Report::TreeGone { run } => self.step(Input::Fact(Fact::TreeGone { run: RunId(run) })),
            Report::UpdateChecked { refused } => self.update_checked(refused),
            Report::Ready { keeper_pid, .. } if self.holding.succeeded => {
                tracing::warn!(keeper = keeper_pid, "another keeper has taken over");
                self.holding.keeper_pid.set(keeper_pid);
                self.holding.failures = 0;
                // An update that was asked of the last one is forgotten with it.
                self.end_update("the keeper died meanwhile");
            }
            Report::Ready { .. } | Report::Held { .. } | Report::Kept { .. } | Report::HeldAll { .. } => {
                tracing::error!("bug: the keeper said hello twice");
            }
        }
    }

    /// What the app said last comes before its end: `'ready'` and then a crash is a crash of a ready app.
    pub(crate) fn exited(&mut self, run: RunId, exit: Exit, tree_gone: bool) {
        if !self.runs.contains_key(&run) {
            return self.release_stranger(run, tree_gone);
        }
        self.read_ipc(run, true);
        self.worker_ended(run);
        let asked = self.was_asked_to_end(run);
        if let Some(state) = self.runs.get_mut(&run) {
            state.exited = true;
            state.asked = asked;
            state.exit = Some(exit);
        }
        self.output_ends(run);
        let status = match exit {
            Exit::Code(code) => ExitStatus::Code(code),
            Exit::Signal { number, .. } => ExitStatus::Signal(number),
            Exit::Unknown => ExitStatus::Unknown,
        };
        self.step(Input::Fact(Fact::Exited { run, status, tree_gone }));
        self.output_ended(run);
    }

    /// A run that no slot has taken has ended: nobody else will let it go.
    fn release_stranger(&mut self, run: RunId, gone: bool) {
        if gone {
            self.order(Order::Release { run: run.0 });
        }
    }

    /// Takes over a process's descriptors.
    pub(crate) fn take_over(&mut self, run: RunId, pid: u32, fds: Vec<(FdKind, OwnedFd)>) {
        let Some(slot) = self.runs.get(&run).map(|run| run.slot) else { return };
        let mut output = Output::default();
        let start_ticks = proc::stat(pid).map_or(0, |stat| stat.start_ticks);
        self.with_run(run, |state| state.start_ticks = start_ticks);
        self.runs_changed = true;
        for (kind, fd) in fds {
            self.hold(run, kind, &fd);
            let Some(fd) = output.take(kind, fd) else { continue };
            let taken = match kind {
                FdKind::Stdout | FdKind::Stderr | FdKind::StdoutSpool | FdKind::StderrSpool => Ok(()),
                FdKind::Ipc => self.open_ipc(slot, run, fd),
                // Only held, so that a process that reads from its stdin waits instead of meeting its end.
                FdKind::Stdin | FdKind::Pid => {
                    self.with_run(run, |state| state.held.push((kind, Rc::new(fd))));
                    Ok(())
                }
            };
            if let Err(error) = taken {
                tracing::error!(run = run.0, "{kind:?} of a process cannot be watched: {error}");
            }
        }
        self.carry_output(slot, run, output);
        self.with_run(run, |state| state.pid = Some(pid));
        self.worker_came(slot, run);
    }

    /// Keeps a copy, for another keeper, of what is read here. Without one that keeper goes without it.
    fn hold(&mut self, run: RunId, kind: FdKind, fd: &OwnedFd) {
        let is_read = !matches!(kind, FdKind::Stdin | FdKind::Pid);
        if is_read && self.home.is_some() {
            let copy = fd.try_clone().map(Rc::new);
            self.with_run(run, |state| state.held.extend(copy.ok().map(|copy| (kind, copy))));
        }
    }

    /// A process whose output or channel nobody can hold is not one we keep: the policy starts another when there is room.
    fn end_unwatched(&mut self, run: RunId) {
        tracing::error!(run = run.0, "too many open files to supervise a new process; ending it");
        self.order(Order::Signal { run: run.0, signal: SIGKILL, tree: true });
    }

    fn with_run(&mut self, run: RunId, act: impl FnOnce(&mut crate::run::Run)) {
        if let Some(state) = self.runs.get_mut(&run) {
            act(state);
        }
    }

    fn open_ipc(&mut self, slot: SlotId, run: RunId, fd: OwnedFd) -> io::Result<()> {
        let advanced = self.sheets.get(&slot).is_some_and(|sheet| sheet.spec.launch.ipc_advanced);
        let mode = if advanced { Mode::Advanced } else { Mode::Json };
        let journal = self.journal(run);
        let ipc = Ipc::start(fd, mode, run, self.readable.clone(), journal)?;
        self.with_run(run, |state| state.ipc = Some(ipc));
        Ok(())
    }

    /// Reads what an app has sent; `to_the_end` once it has exited.
    pub(crate) fn read_ipc(&mut self, run: RunId, to_the_end: bool) {
        let Some(state) = self.runs.get_mut(&run) else { return };
        let slot = state.slot;
        let Some(ipc) = &mut state.ipc else { return };
        let was_open = ipc.is_open();
        let mut garbage = 0;
        for happening in ipc.read(to_the_end) {
            match happening {
                Happening::Ready => self.step(Input::Fact(Fact::Ready { run })),
                Happening::Message(text) => self.message(slot, run, text.into_string()),
                Happening::Garbage { bytes, sample } => {
                    // Once a read: an app that floods its channel must not flood our log.
                    if garbage == 0 {
                        tracing::warn!(run = run.0, bytes, sample, "an app sent what is not a message");
                    }
                    garbage += 1;
                }
                Happening::TooLong => tracing::warn!(run = run.0, "an app sent a message that is too long"),
                Happening::Internal { cmd, text } => self.worker_said(run, &cmd, text.as_str()),
                Happening::Answer(_) | Happening::TakeDescriptor { .. } => {}
            }
        }
        self.heard.insert(run);
        let is_open = self.runs.get(&run).and_then(|run| run.ipc.as_ref()).is_some_and(Ipc::is_open);
        if was_open && !is_open && !to_the_end {
            self.channel_ended(run);
        }
    }

    /// What was heard is on record, and its answers are on their way: the next daemon need not hear it again.
    pub(crate) fn heard_is_done(&mut self) {
        for run in std::mem::take(&mut self.heard) {
            if let Some(ipc) = self.runs.get_mut(&run).and_then(|run| run.ipc.as_mut()) {
                ipc.acted();
            }
        }
    }

    /// The app has closed its channel: a worker does so when it has served what it had.
    fn channel_ended(&mut self, run: RunId) {
        self.step(Input::Fact(Fact::Drained { run }));
    }

    fn message(&mut self, slot: SlotId, run: RunId, text: String) {
        let wanted = self.subscribers.borrow_mut().want_messages(slot.0);
        let (true, Some(sheet)) = (wanted, self.sheets.get(&slot)) else { return };
        let Ok(data) = RawValue::from_string(text) else {
            tracing::warn!(run = run.0, "a message is not JSON for us and is not passed on");
            return;
        };
        let (name, namespace) = (sheet.spec.name.clone(), sheet.spec.namespace.clone());
        let message = Message { at_ms: epoch_ms(), id: slot.0, name, namespace, run: run.0, data };
        self.subscribers.borrow_mut().publish(&Event::Message(message));
    }
}
