//! The daemon's orders, carried out one by one. Never trusts a packet, and never answers twice.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use rewake_unix::{fdpass, signal};
use rewake_wire::keeper::{MAX_PACKET_BYTES, Order, Report};

use crate::ending::How;
use crate::exits::release_zombie;
use crate::keeper::Keeper;
use crate::log;
use crate::spawn::{self, Given, bad_plan};
use crate::tree;

/// Runs whose output pipes are enlarged. With two of 1 MiB each they take half of the 64 MiB of pipe memory that Linux grants a user
/// (`fs.pipe-user-pages-soft`), beyond which new pipes would shrink to two pages.
const RUNS_WITH_LARGE_PIPES: usize = 16;

/// Descriptors kept for daemons to come: one for each listening address. A machine with more has other worries.
const MAX_KEPT: usize = 4096;

/// Whether the link is still good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkState {
    Open,
    Ended,
}

impl Keeper {
    /// Carries out the orders that have come, until there are none or a report has to wait.
    pub(crate) fn read_orders(&mut self) -> LinkState {
        let mut buffer = [0; MAX_PACKET_BYTES];
        // Each pass takes one packet; the daemon sends no more than its own work produces.
        while self.outbox.is_empty() && self.ending.is_none() {
            let Some(link) = &self.link else { return LinkState::Ended };
            let received = match fdpass::recv(link.as_fd(), &mut buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return LinkState::Open,
                // The other end closed with reports of ours unread; its orders before that come after this error.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => continue,
                Err(error) => {
                    log::line(format_args!("cannot read orders: {error}"));
                    return LinkState::Ended;
                }
            };
            if received.bytes == 0 {
                return LinkState::Ended;
            }
            let packet = buffer.get(..received.bytes).unwrap_or_default();
            match serde_json::from_slice(packet) {
                Ok(order) if !received.cut => self.carry_out(order, received.fds),
                Ok(_) => log::line(format_args!("an order longer than agreed was ignored")),
                Err(error) => log::line(format_args!("an order was not understood: {error}")),
            }
            self.flush();
        }
        LinkState::Open
    }

    fn carry_out(&mut self, order: Order, fds: Vec<OwnedFd>) {
        match order {
            Order::Spawn { run, tag } => self.spawn(run, tag, fds.first()),
            Order::Signal { run, signal, tree } => {
                let group_signals = self.tools.group_signals;
                match self.runs.get_mut(&run) {
                    Some(_) if !signal::is_signal(signal) => log::line(format_args!("there is no signal {signal}")),
                    Some(run) if tree => tree::signal_tree(run, signal, group_signals),
                    Some(run) => tree::signal_process(run, signal),
                    // It was released, or never came to be: the daemon finds that in its reports.
                    None => {}
                }
            }
            Order::Release { run } => {
                if self.runs.get(&run).is_some_and(|run| !run.has_ended()) {
                    return log::line(format_args!("run {run} was not released: it has not ended"));
                }
                if let Some(mut run) = self.runs.remove(&run) {
                    release_zombie(&mut run);
                }
            }
            Order::Keep { name } => self.keep(name, fds),
            Order::LetGo { name } => drop(self.kept.remove(&name)),
            Order::Shutdown => self.begin_ending(How::AtOnce),
            Order::Notify { notice } => self.noticed(notice),
            Order::Succeed { next_run, role } => {
                self.next_run = self.next_run.max(next_run);
                self.take_role(role);
            }
            Order::Adopt(adopted) => self.adopt(adopted, fds),
            Order::Update { path, token, versions } => self.begin_update(path, token, versions),
            Order::Up => self.trial_passed(),
        }
    }

    fn keep(&mut self, name: String, fds: Vec<OwnedFd>) {
        let Some(fd) = fds.into_iter().next() else {
            return log::line(format_args!("{name:?} came without a descriptor to keep"));
        };
        if self.kept.len() < MAX_KEPT || self.kept.contains_key(&name) {
            self.kept.insert(name, Rc::new(fd));
        } else {
            log::line(format_args!("{name:?} is not kept: there are {MAX_KEPT} already"));
        }
    }

    fn spawn(&mut self, run: u64, tag: String, plan: Option<&OwnedFd>) {
        self.next_run = self.next_run.max(run.saturating_add(1));
        let made = if self.runs.contains_key(&run) {
            Err(bad_plan("there is a run of this number"))
        } else {
            let given = Given {
                null: &self.tools.null,
                open_files: self.tools.open_files,
                large_pipes: self.runs.len() < RUNS_WITH_LARGE_PIPES,
                kept: &self.kept,
            };
            spawn::make(given, tag, plan)
        };
        match made {
            Ok(made) => drop(self.runs.insert(run, made)),
            Err(error) => self.report(&Report::SpawnFailed { run, error }, Vec::new()),
        }
    }
}
