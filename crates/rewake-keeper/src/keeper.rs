//! The main loop: wait, then do what is due. One thread; sleeps without a timer when nothing is under way.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rewake_unix::limits::OpenFiles;
use rewake_unix::poll::{self, Interest, Signals};
use rewake_unix::reap::Ended;
use rewake_unix::{pidfd, reap, signal};
use rewake_wire::keeper::{KEEPER_PROTOCOL, Notice, Report, UpdateOutcome};

use crate::config::NOT_AGAIN;
use crate::daemon::{Daemon, DaemonState, Up};
use crate::ending::{Ending, How};
use crate::home::{Door, Home};
use crate::log;
use crate::orders::LinkState;
use crate::outbox::{Flushed, Outbox};
use crate::runs::{Rest, Run, Runs, Stage};
use crate::service::Service;
use crate::tree::KILL;
use crate::update::{Trial, Update};

/// How soon a report is tried again that the kernel did not take for a reason that it does not tell the end of.
const SEND_AGAIN: Duration = Duration::from_millis(20);

/// How soon it waits again where the kernel refused to.
const WAIT_AGAIN: Duration = Duration::from_secs(1);

/// How soon a daemon that is told to end must say that it does. It does so at once; below the 10 s that containers are given.
const DAEMON_HEARS_WITHIN: Duration = Duration::from_secs(8);

/// How long a daemon that ordered the end may take for its own.
const DAEMON_LEAVES_WITHIN: Duration = Duration::from_secs(5);

/// What is set up before the loop and stays.
pub(crate) struct Tools {
    pub(crate) signals: Signals,
    pub(crate) null: OwnedFd,
    /// The limit of open descriptors that the keeper was started with.
    pub(crate) open_files: OpenFiles,
    pub(crate) group_signals: bool,
    /// Signals that are the daemon's matter.
    pub(crate) passed_on: Vec<i32>,
}

/// Everything a keeper knows.
pub(crate) struct Keeper {
    pub(crate) tools: Tools,
    pub(crate) runs: Runs,
    pub(crate) outbox: Outbox,
    pub(crate) link: Option<OwnedFd>,
    pub(crate) ending: Option<Ending>,
    /// The other end of the link has been told what there is.
    introduced: bool,
    /// Above every number that was ever ordered: a daemon that has lost count must not give one twice.
    pub(crate) next_run: u64,
    /// Descriptors that outlive daemons, by name.
    pub(crate) kept: BTreeMap<String, Rc<OwnedFd>>,
    send_again: Option<Instant>,
    /// Who started this keeper, if it wants to know how things are.
    pub(crate) service: Service,
    /// How the last updates ended, the newest at the end.
    pub(crate) updates: Vec<UpdateOutcome>,
    pub(crate) update: Option<Update>,
    pub(crate) trial: Option<Trial>,
    /// Beside `Ready`; the daemon's only, so absent when embedded.
    pub(crate) home: Option<Home>,
}

/// What a watched descriptor is.
#[derive(Debug, Clone, Copy)]
enum Watched {
    Signals,
    Link,
    Listener,
    Daemon,
    Status(u64),
    Rest(u64),
    Foreign(u64),
}

impl Keeper {
    pub(crate) fn of_home(tools: Tools, door: Door, daemon: Daemon, service: Service) -> Self {
        log::follow(&door.home);
        let mut keeper = Self::new(tools, None, Some(Home::new(Some(door), daemon, false)));
        keeper.service = service;
        keeper
    }

    pub(crate) fn in_foreground(tools: Tools, door: Option<Door>, daemon: Daemon) -> Self {
        Self::new(tools, None, Some(Home::new(door, daemon, true)))
    }

    /// Goes on with a daemon that has lost its keeper and knows what there is.
    pub(crate) fn with_daemon(mut self, link: OwnedFd) -> Self {
        self.link = Some(link);
        self.introduced = true;
        self.outbox.push(&self.ready(), Vec::new());
        self
    }

    pub(crate) fn embedded(tools: Tools, link: OwnedFd) -> Self {
        Self::new(tools, Some(link), None)
    }

    fn new(tools: Tools, link: Option<OwnedFd>, home: Option<Home>) -> Self {
        let (runs, outbox) = (Runs::new(), Outbox::default());
        Self {
            tools,
            runs,
            outbox,
            link,
            ending: None,
            introduced: false,
            next_run: 0,
            kept: BTreeMap::new(),
            send_again: None,
            service: Service::default(),
            updates: Vec::new(),
            update: None,
            trial: None,
            home,
        }
    }

    /// Runs until the end; gives the exit code for this process.
    pub(crate) fn run(mut self) -> u8 {
        loop {
            let now = Instant::now();
            self.do_what_is_due(now);
            if self.has_finished(now) {
                self.leave();
                self.remove_files();
                return self.exit_code();
            }
            self.flush();
            let happened = self.wait(now).unwrap_or_else(|error| {
                // Out of memory: to end would orphan every run, so it tries again, slowly.
                log::line(format_args!("cannot wait for events: {error}"));
                std::thread::sleep(WAIT_AGAIN);
                Vec::new()
            });
            for what in happened {
                match what {
                    Watched::Signals => self.read_signals(),
                    Watched::Link => {
                        self.flush();
                        if self.read_orders() == LinkState::Ended {
                            self.link_ended();
                        }
                    }
                    Watched::Listener => self.client_came(),
                    Watched::Status(run) => self.settle(run),
                    Watched::Rest(run) => self.look_at_rest(run, Instant::now()),
                    Watched::Foreign(run) => self.look_at_foreign(run, Instant::now()),
                    Watched::Daemon => self.foreign_daemon_ended(),
                }
            }
        }
    }

    /// Queues a report, if somebody is there to get it; else it is in the runs' state for the next one.
    pub(crate) fn report(&mut self, report: &Report, fds: Vec<Rc<OwnedFd>>) {
        if self.introduced {
            self.outbox.push(report, fds);
        }
    }

    pub(crate) fn flush(&mut self) {
        let Some(link) = &self.link else { return };
        self.send_again = match self.outbox.flush(link.as_fd()) {
            Flushed::All | Flushed::Full | Flushed::Closed => None,
            Flushed::Later => Some(Instant::now() + SEND_AGAIN),
        };
    }

    pub(crate) fn daemon_pid(&self) -> Option<u32> {
        match &self.home.as_ref()?.daemon.state {
            DaemonState::Up(up) => Some(up.pid),
            DaemonState::StartAt(_) | DaemonState::Rests(_) | DaemonState::Down => None,
        }
    }

    /// The daemon has ended and is reaped.
    pub(crate) fn daemon_ended(&mut self, ended: Option<Ended>) {
        // What it ordered last is carried out; what it was to be told is kept in the runs' state.
        self.introduced = false;
        self.outbox.clear();
        self.read_orders();
        self.link = None;
        let Some(home) = &mut self.home else { return };
        home.give_up_daemon_at = None;
        home.daemon_end = ended;
        self.service.daemon_gone();
        if self.ending.is_some() {
            home.daemon.state = DaemonState::Down;
            return;
        }
        if self.update.as_ref().is_some_and(Update::waits_for_daemon) {
            // As it was asked to; what follows is done when every process on its way has settled.
            home.daemon.state = DaemonState::StartAt(Instant::now());
        } else {
            home.daemon.died(Instant::now());
            home.turn_away_if_down();
        }
        // In the foreground somebody else starts everything anew.
        let lost = home.foreground && matches!(home.daemon.state, DaemonState::Rests(_));
        if home.told_to_end || lost {
            self.begin_ending(How::Politely);
        }
    }

    /// A daemon that is no child of ours has no other sign of its end.
    fn foreign_daemon_ended(&mut self) {
        let ended = |up: &Up| matches!(pidfd::has_ended(up.pidfd.as_fd()), Ok(true));
        if matches!(&self.home, Some(Home { daemon: Daemon { state: DaemonState::Up(up), .. }, .. }) if ended(up)) {
            self.daemon_ended(None);
        }
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.runs.values().all(|run| !matches!(run.stage, Stage::Starting { .. }))
    }

    fn do_what_is_due(&mut self, now: Instant) {
        self.go_on_with_update(now);
        if let Some(home) = &mut self.home
            && self.ending.is_none()
            && home.daemon.starts_at().is_some_and(|at| at <= now)
            && !self.update.as_ref().is_some_and(Update::waits_for_daemon)
        {
            self.link = home.daemon.start(&self.tools.null);
            home.turn_away_if_down();
            self.service.daemon_started(now);
        }
        if self.service.again().is_some_and(|at| at <= now) {
            self.service.say_unheard(now);
        }
        if self.service.hung_at().is_some_and(|at| at <= now)
            && self.ending.is_none()
            && let Some(home) = &self.home
        {
            log::line(format_args!("the daemon hangs and is killed; another one takes over"));
            home.daemon.signal(KILL);
            self.service.daemon_gone();
        }
        if let Some(home) = &mut self.home
            && self.ending.is_none()
            && home.give_up_daemon_at.is_some_and(|at| at <= now)
        {
            home.give_up_daemon();
        }
        self.introduce();
        self.kill_overdue(now);
        self.look_at_due_foreign(now);
        let again = |stage: &Stage| matches!(stage, Stage::Ended { rest: Rest::LookAgain(at), .. } if *at <= now);
        let due: Vec<u64> = self.runs.iter().filter(|(_, run)| again(&run.stage)).map(|(&id, _)| id).collect();
        for run in due {
            self.look_at_rest(run, now);
        }
    }

    /// Tells a new daemon what there is, once it is settled for each run whether there is one.
    fn introduce(&mut self) {
        if self.introduced || self.link.is_none() || self.ending.is_some() || !self.is_settled() {
            return;
        }
        self.introduced = true;
        let ready = self.ready();
        let doors = self.home.iter().filter_map(|home| home.door.as_ref());
        let listener = doors.map(|door| Rc::clone(&door.listener)).collect();
        self.outbox.push(&ready, listener);
        for (&id, run) in &self.runs {
            if let Some(held) = run.held(id) {
                self.outbox.push(&held, run.descriptors());
            }
        }
        for (name, fd) in &self.kept {
            self.outbox.push(&Report::Kept { name: name.clone() }, vec![Rc::clone(fd)]);
        }
        self.outbox.push(&Report::HeldAll { next_run: self.next_run }, Vec::new());
    }

    fn ready(&self) -> Report {
        Report::Ready {
            protocol: KEEPER_PROTOCOL,
            keeper_pid: std::process::id(),
            embedded: self.home.is_none(),
            role: self.role(),
            updates: self.updates.clone(),
        }
    }

    /// Waits until something happens or is due.
    fn wait(&self, now: Instant) -> io::Result<Vec<Watched>> {
        let mut fds: Vec<(BorrowedFd<'_>, Interest)> = Vec::new();
        let mut what: Vec<Watched> = Vec::new();
        let mut watch = |fd, interest, is| {
            fds.push((fd, interest));
            what.push(is);
        };
        watch(self.tools.signals.as_fd(), Interest::Read, Watched::Signals);
        if let Some(link) = &self.link
            && self.ending.is_none()
        {
            let interest = if self.send_again.is_some() || !self.introduced {
                Interest::End
            } else if self.outbox.is_empty() {
                Interest::Read
            } else {
                Interest::Write
            };
            watch(link.as_fd(), interest, Watched::Link);
        }
        if let Some(Home { door: Some(door), daemon, .. }) = &self.home
            && matches!(daemon.state, DaemonState::Rests(_))
            && self.ending.is_none()
        {
            watch(door.listener.as_fd(), Interest::Read, Watched::Listener);
        }
        if let Some(Home { daemon: Daemon { state: DaemonState::Up(up), .. }, .. }) = &self.home
            && up.foreign
        {
            watch(up.pidfd.as_fd(), Interest::Read, Watched::Daemon);
        }
        for (&id, run) in &self.runs {
            match &run.stage {
                Stage::Running if run.is_watched() => watch(run.pidfd(), Interest::Read, Watched::Foreign(id)),
                Stage::Starting { status, .. } => watch(status.as_fd(), Interest::Read, Watched::Status(id)),
                Stage::Ended { rest: Rest::Watched(members), .. } => {
                    for member in members {
                        watch(member.as_fd(), Interest::Read, Watched::Rest(id));
                    }
                }
                Stage::Running | Stage::Ended { rest: Rest::Gone | Rest::LookAgain(_), .. } => {}
            }
        }
        let timeout = self.deadline().map(|at| at.saturating_duration_since(now));
        let ready = poll::wait(&fds, timeout)?;
        Ok(what.into_iter().zip(ready).filter_map(|(what, ready)| ready.then_some(what)).collect())
    }

    /// When there is something to do even if nothing happens; `None` for an idle keeper.
    fn deadline(&self) -> Option<Instant> {
        let start = self.home.as_ref().filter(|_| self.ending.is_none()).and_then(|home| home.daemon.starts_at());
        let looks = self.runs.values().filter_map(|run| match run.stage {
            Stage::Ended { rest: Rest::LookAgain(at), .. } => Some(at),
            Stage::Ended { rest: Rest::Gone | Rest::Watched(_), .. } | Stage::Starting { .. } | Stage::Running => None,
        });
        let give_up = self.home.as_ref().and_then(|home| home.give_up_daemon_at.filter(|_| self.ending.is_none()));
        let hung = self.service.hung_at().filter(|_| self.ending.is_none());
        let asks = self.runs.values().filter_map(Run::asks_again_at);
        looks
            .chain(asks)
            .chain(self.update_deadline())
            .chain(start)
            .chain(give_up)
            .chain(hung)
            .chain(self.service.again())
            .chain(self.send_again)
            .chain(self.ending_deadline())
            .min()
    }

    fn read_signals(&mut self) {
        let mut children = false;
        let mut end = false;
        loop {
            match self.tools.signals.next() {
                Ok(Some(number)) if Some(number) == signal::number("CHLD") => children = true,
                Ok(Some(number)) if self.tools.passed_on.contains(&number) => {
                    self.home.iter().for_each(|home| home.daemon.signal(number));
                }
                Ok(Some(_)) => end = true,
                Ok(None) => break,
                Err(error) => break log::line(format_args!("cannot read signals: {error}")),
            }
        }
        if end {
            self.asked_to_end();
        }
        if children {
            self.reap();
        }
    }

    /// SIGTERM, SIGINT or SIGHUP; the second one hurries. Embedded, the host gets the same (a terminal's Ctrl-C) and decides.
    fn asked_to_end(&mut self) {
        let Some(home) = &mut self.home else { return };
        home.told_to_end = true;
        match home.daemon.state {
            DaemonState::Up(_) => {
                home.daemon.signal(signal::number("TERM").unwrap_or(KILL));
                home.give_up_daemon_at.get_or_insert(Instant::now() + DAEMON_HEARS_WITHIN);
            }
            DaemonState::StartAt(_) | DaemonState::Rests(_) | DaemonState::Down => {
                let how = if self.ending.is_none() { How::Politely } else { How::AtOnce };
                self.begin_ending(how);
            }
        }
    }

    /// The daemon has told how it is.
    pub(crate) fn noticed(&mut self, notice: Notice) {
        self.service.noticed(notice, Instant::now());
        let Some(home) = &mut self.home else { return };
        match notice {
            Notice::Stopping { within_ms } => {
                home.give_up_daemon_at = Instant::now().checked_add(Duration::from_millis(within_ms));
            }
            Notice::Starting { .. } | Notice::Up | Notice::Alive => {}
        }
    }

    fn link_ended(&mut self) {
        self.link = None;
        self.introduced = false;
        self.outbox.clear();
        match &self.home {
            // It was asked to end, and may give its clients their last answers.
            Some(_) if self.update.as_ref().is_some_and(Update::waits_for_daemon) => {}
            // Without its link it can do nothing any more; its end is told by itself.
            Some(home) => home.daemon.signal(KILL),
            None => self.begin_ending(How::Politely),
        }
    }

    /// A client connects while the daemon is down for having died too often: one more try.
    fn client_came(&mut self) {
        let Some(home) = &mut self.home else { return };
        if matches!(home.daemon.state, DaemonState::Rests(_)) {
            home.daemon.state = DaemonState::StartAt(Instant::now());
        }
    }

    /// The runs are gone: closes the link, which tells the daemon, and waits for it.
    fn leave(&mut self) {
        self.link = None;
        let Some(Home { daemon: Daemon { state: DaemonState::Up(up), .. }, .. }) = &self.home else { return };
        let end = [(up.pidfd.as_fd(), Interest::Read)];
        let deadline = Instant::now() + DAEMON_LEAVES_WITHIN;
        while !matches!(pidfd::has_ended(up.pidfd.as_fd()), Ok(true)) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || poll::wait(&end, Some(left)).is_err() {
                log::line(format_args!("the daemon (process {}) does not end and is killed", up.pid));
                let _ = pidfd::send(up.pidfd.as_fd(), KILL);
                break;
            }
        }
        let ended = reap::one(up.pid).ok().flatten();
        if let Some(home) = &mut self.home {
            home.daemon_end = ended;
        }
    }

    /// In the foreground the daemon's; without one it is a failure, unless the end was asked for. As a service: a manager that has seen
    /// a keeper die takes an end in order for a failure, too, and would start another one.
    fn exit_code(&self) -> u8 {
        if self.service.manager().is_some_and(|manager| manager.has_seen_one_die) {
            return NOT_AGAIN;
        }
        let Some(home) = self.home.as_ref().filter(|home| home.foreground) else { return 0 };
        match home.daemon_end {
            Some(Ended::Code(code)) => u8::try_from(code).unwrap_or(1),
            Some(Ended::Signal { .. }) | None => u8::from(!home.told_to_end),
        }
    }
}
