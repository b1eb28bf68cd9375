//! From the loop to the thread that carries output: what a run writes, that it has ended, and when the keeper may forget it.
//! Touches no byte of it.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;

use rewake_core::{Phase, RunId, Second, SlotId};
use rewake_wire::keeper::{FdKind, Order};
use rewake_wire::{ExitRecord, ProcessEvent, Stream};

use crate::effects::Outgoing;
use crate::engine::Engine;
use crate::holding::copies;
use crate::logs::render::Format;
use crate::logs::{Key, LEDGER, Logs, NewStream, Rules, Said};
use crate::reports::HeldRun;
use crate::run::Run;
use crate::sheet::Sheet;

/// Where a run's output is found.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) out: Ends,
    pub(crate) err: Ends,
}

/// The descriptors of one stream.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    pub(crate) pipe: Option<OwnedFd>,
    pub(crate) spool: Option<OwnedFd>,
}

impl Output {
    /// Takes a descriptor that is one of these; gives any other back.
    pub(crate) fn take(&mut self, kind: FdKind, fd: OwnedFd) -> Option<OwnedFd> {
        let place = match kind {
            FdKind::Stdout => &mut self.out.pipe,
            FdKind::Stderr => &mut self.err.pipe,
            FdKind::StdoutSpool => &mut self.out.spool,
            FdKind::StderrSpool => &mut self.err.spool,
            FdKind::Ipc | FdKind::Stdin | FdKind::Pid => return Some(fd),
        };
        *place = Some(fd);
        None
    }
}

impl Engine {
    /// Starts the thread that carries output, from where an earlier daemon has left it; what the keeper kept for others is given back.
    pub(crate) fn start_logs(&mut self, kept: Vec<(String, OwnedFd)>) -> std::io::Result<Vec<(String, OwnedFd)>> {
        let (ours, others): (Vec<_>, Vec<_>) = kept.into_iter().partition(|(name, _)| name == LEDGER);
        let ledger = ours.into_iter().next().map(|(_, fd)| fd);
        let subscribers = self.subscribers.borrow().clone();
        let (logs, fresh) = Logs::start(ledger, subscribers, self.said.clone(), self.home.as_deref())?;
        self.logs = Some(logs);
        if let Some(ledger) = fresh {
            self.outgoing.push_back(Outgoing::Keep { name: LEDGER.to_owned(), socket: Rc::new(ledger) });
        }
        Ok(others)
    }

    /// Hands a run's output over to be carried to its logs.
    pub(crate) fn carry_output(&mut self, slot: SlotId, run: RunId, output: Output) {
        let Some(sheet) = self.sheets.get(&slot) else { return };
        let over = self.adopting_ended;
        let rules = self.log_rules(sheet);
        let streams = [(Stream::Out, output.out, &sheet.out_log), (Stream::Err, output.err, &sheet.error_log)];
        for (stream, ends, own) in streams {
            let Some(spool) = ends.spool else { continue };
            let mut targets: Vec<_> = own.iter().chain(&sheet.combined_log).cloned().collect();
            targets.dedup();
            let new = NewStream {
                key: Key { run: run.0, err: stream == Stream::Err },
                id: slot.0,
                name: sheet.spec.name.clone(),
                spool,
                pipe: ends.pipe,
                targets,
                format: Format::of(&sheet.spec.logs, slot.0, &sheet.spec.name, stream),
                rules: rules.clone(),
                system: sheet.spec.logs.system.clone(),
                over,
            };
            if let Some(logs) = &self.logs {
                logs.carry(new);
            }
        }
    }

    /// The core has done with a run that an earlier daemon has left: only its output is to be carried to the end.
    pub(crate) fn carry_last_output(&mut self, slot: SlotId, held: HeldRun) {
        let run = held.run;
        let state = Run {
            pid: Some(held.pid),
            held: copies(&held.fds),
            exit: held.exit,
            ..Run::ordered(slot, held.started_at_ms)
        };
        let mut output = Output::default();
        for (kind, fd) in held.fds {
            drop(output.take(kind, fd));
        }
        self.adopting_ended = true;
        self.output_ends(run);
        self.carry_output(slot, run, output);
        self.output_ended(run);
        self.adopting_ended = false;
        self.release(run, Some(state));
    }

    /// When the logs of an app are put aside, and which share the room for old ones: those of all its slots.
    pub(crate) fn log_rules(&self, sheet: &Sheet) -> Rules {
        let is_same =
            |other: &&Sheet| (&other.spec.name, &other.spec.namespace) == (&sheet.spec.name, &sheet.spec.namespace);
        let logs: BTreeSet<PathBuf> = self.sheets.values().filter(is_same).flat_map(Sheet::logs).cloned().collect();
        Rules { rotation: sheet.spec.logs.rotate.clone(), logs: logs.into_iter().collect() }
    }

    /// A run has ended, and the core is about to hear of it.
    pub(crate) fn output_ends(&mut self, run: RunId) {
        if let Some(logs) = &mut self.logs {
            logs.run_ends(run.0);
        }
    }

    /// The core has heard of it.
    pub(crate) fn output_ended(&mut self, run: RunId) {
        if let Some(logs) = &self.logs {
            logs.run_ended(run.0);
        }
    }

    /// Whether a run that has ended, and of which the core has not heard yet, was on its way out.
    pub(crate) fn was_asked_to_end(&self, run: RunId) -> bool {
        let slot = self.runs.get(&run).and_then(|state| self.core.slot(state.slot));
        let Some(slot) = slot else { return true };
        let own = matches!(&slot.phase, Phase::Stopping(stopping) if stopping.run == run);
        own || matches!(&slot.second, Some(second @ Second::Leaving(_)) if second.run() == run)
    }

    /// Remembers the end of a run.
    pub(crate) fn remember(&self, event: &ProcessEvent, how: String) {
        let asked = event.run.and_then(|run| self.runs.get(&RunId(run))).is_some_and(|state| state.asked);
        if let (Some(logs), Some(run), Some(exit)) = (&self.logs, event.run, &event.exit) {
            logs.remember(ExitRecord {
                run,
                id: event.id,
                name: event.name.clone(),
                namespace: event.namespace.clone(),
                pid: event.pid,
                asked,
                reason: if asked { format!("{how}, as asked") } else { how },
                exit: exit.clone(),
                out: Vec::new(),
                error: Vec::new(),
            });
        }
    }

    /// Lets the keeper forget a run, as soon as its output is in the logs: until then a daemon that dies must leave it to the next.
    pub(crate) fn release(&mut self, run: RunId, state: Option<Run>) {
        if self.logs.as_mut().is_none_or(|logs| logs.may_release(run.0)) {
            return self.order(Order::Release { run: run.0 });
        }
        // Another keeper must not forget it before that, either.
        let adoption = state.as_ref().and_then(|state| self.adoption(run, state));
        self.holding.draining.extend(adoption.map(|adopted| (run, adopted)));
    }

    /// Something was told to the keeper. A run that it forgets no other daemon will ask about.
    pub(crate) fn output_released(&self, sent: &Outgoing) {
        if let (Outgoing::Order(Order::Release { run }), Some(logs)) = (sent, &self.logs) {
            logs.released(*run);
        }
    }

    /// Takes what the thread says.
    pub(crate) fn take_said(&mut self, said: Said) {
        match said {
            Said::Drained { run } => {
                self.holding.draining.remove(&RunId(run));
                if self.logs.as_mut().is_some_and(|logs| logs.drained(run)) {
                    self.order(Order::Release { run });
                }
            }
        }
    }
}
