//! An update: the new executable is asked whether it can go on from here, the daemon ends, the keeper becomes the new executable; when
//! its daemon does not come up, the keeper becomes the former one again. Never stops anything before the new one has said yes.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rewake_unix::reap::{self, Ended};
use rewake_unix::spawn::{Command, Progress, Spawned, Streams, progress, spawn};
use rewake_unix::{fd, file, pidfd, pipe};
use rewake_wire::handover::{HANDOVER, Versions};
use rewake_wire::keeper::{Report, UpdateOutcome};

use crate::config::{CAN_GO_ON, CHECK_FLAG, LINK_FD, STATE_FD_FLAG};
use crate::daemon::DaemonState;
use crate::handover::{path_of, to_memfd};
use crate::keeper::Keeper;
use crate::log;
use crate::tree::KILL;

/// How long the new executable may think about it. It takes milliseconds; the bound is for a disk that hangs.
const CHECK_WITHIN: Duration = Duration::from_secs(10);

/// How long the daemon may take to end, once it may: it waits for commands that have just come.
const DAEMON_LEAVES_WITHIN: Duration = Duration::from_secs(60);

/// Of how many updates it is remembered how they ended: the next may be over before a client has asked about its own.
const MOST_REMEMBERED: usize = 8;

/// Longest reason of a refusal, bytes. It is one sentence.
const MAX_REASON_BYTES: usize = 1 << 10;

/// An update under way.
pub(crate) struct Update {
    path: String,
    token: u64,
    versions: Versions,
    exe: OwnedFd,
    /// The executable that this process runs now.
    pub(crate) former: OwnedFd,
    step: Step,
    until: Instant,
}

enum Step {
    /// The new executable looks at what it would take over.
    Check { process: Spawned, output: OwnedFd },
    /// The daemon is to end.
    Leave,
}

/// The new executable's daemon has not served yet.
pub(crate) struct Trial {
    pub(crate) former: OwnedFd,
    pub(crate) until: Instant,
}

impl Update {
    /// Whether it only waits for the daemon to be gone.
    pub(crate) fn waits_for_daemon(&self) -> bool {
        matches!(self.step, Step::Leave)
    }
}

impl Keeper {
    pub(crate) fn begin_update(&mut self, path: String, token: u64, versions: Versions) {
        if self.update.is_some() || self.trial.is_some() {
            return self.refuse("an update is under way");
        }
        let versions = Versions { handover: HANDOVER, ..versions };
        match self.start_check(path, token, versions) {
            Ok(update) => self.update = Some(update),
            Err(reason) => self.refuse(&reason),
        }
    }

    fn start_check(&self, path: String, token: u64, versions: Versions) -> Result<Update, String> {
        let no = |error: std::io::Error| error.to_string();
        let exe = file::open_program(Path::new(&path)).map_err(|error| format!("cannot open `{path}`: {error}"))?;
        let former = file::open_program(Path::new("/proc/self/exe")).map_err(no)?;
        let outcome = self.outcome(token, None);
        let handover = self.handover(versions, outcome, Some(former.as_fd()));
        let handover = handover.ok_or("an embedded supervisor is updated with its program")?;
        let state = to_memfd(&serde_json::to_vec(&handover).map_err(|error| error.to_string())?).map_err(no)?;
        let (output, input) = pipe::new().map_err(no)?;
        fd::set_nonblocking(&output).map_err(no)?;
        let number = LINK_FD.to_string();
        let argv = [path.as_bytes(), CHECK_FLAG.as_bytes(), STATE_FD_FLAG.as_bytes(), number.as_bytes()];
        let command =
            Command::new(path_of(exe.as_fd()).as_bytes(), &argv, &[], b"/").map_err(|error| error.to_string())?;
        let streams = Streams {
            stdin: self.tools.null.as_fd(),
            stdout: input.as_fd(),
            stderr: input.as_fd(),
            extra: &[state.as_fd()],
        };
        let process = spawn(&command, streams).map_err(|error| error.to_string())?;
        let step = Step::Check { process, output };
        Ok(Update { path, token, versions, exe, former, step, until: Instant::now() + CHECK_WITHIN })
    }

    /// A child has ended: whether it was the check, which is reaped then.
    pub(crate) fn check_ended(&mut self, pid: u32) -> bool {
        let Some(Update { path, step: Step::Check { process, output }, .. }) = &self.update else { return false };
        if process.pid != pid {
            return false;
        }
        let Ok(Some(ended)) = reap::one(pid) else { return true };
        let refused = match (progress(process.status.as_fd()), ended) {
            (Progress::Failed(error), _) => Some(format!("`{path}` cannot be run: {error}")),
            (Progress::Pending | Progress::Running, Ended::Code(code)) => {
                let said = said(output);
                let goes_on = code == 0 && said == CAN_GO_ON.trim_end();
                (!goes_on).then(|| format!("`{path}` refuses (exit code {code}): {said}"))
            }
            (Progress::Pending | Progress::Running, Ended::Signal { number, .. }) => {
                Some(format!("`{path}` was ended by signal {number} when asked whether it can go on from here"))
            }
        };
        match (refused, &mut self.update) {
            (Some(reason), _) => {
                self.update = None;
                self.refuse(&reason);
            }
            (None, Some(update)) => {
                update.step = Step::Leave;
                update.until = Instant::now() + DAEMON_LEAVES_WITHIN;
                self.report(&Report::UpdateChecked { refused: None }, Vec::new());
            }
            (None, None) => {}
        }
        true
    }

    fn refuse(&mut self, reason: &str) {
        log::line(format_args!("no update: {reason}"));
        self.report(&Report::UpdateChecked { refused: Some(reason.to_owned()) }, Vec::new());
    }

    /// When [`Keeper::go_on_with_update`] has something to do.
    pub(crate) fn update_deadline(&self) -> Option<Instant> {
        let update = self.update.as_ref().map(|update| update.until);
        update.or_else(|| self.trial.as_ref().map(|trial| trial.until))
    }

    pub(crate) fn go_on_with_update(&mut self, now: Instant) {
        if self.ending.is_some() {
            // What is to end needs no newer executable.
            self.trial = None;
            if self.update.as_ref().is_some_and(Update::waits_for_daemon) {
                self.update = None;
            }
            return;
        }
        if self.trial.as_ref().is_some_and(|trial| trial.until <= now) {
            log::line(format_args!("the daemon of the new executable does not serve and is killed"));
            // Its end is the sign to go back.
            self.trial.iter_mut().for_each(|trial| trial.until = now + CHECK_WITHIN);
            self.signal_daemon();
        }
        let daemon_is_up = self.daemon_pid().is_some();
        let settled = self.is_settled();
        match &mut self.update {
            Some(update) if update.until <= now => {
                // Both are told by their ends; nothing waits for ever that can be killed.
                update.until = now + CHECK_WITHIN;
                match &update.step {
                    Step::Check { process, .. } => end_check(process, self.tools.group_signals),
                    Step::Leave => self.signal_daemon(),
                }
            }
            Some(Update { step: Step::Leave, .. }) if !daemon_is_up && settled => self.hand_over(),
            Some(_) | None => {}
        }
        if self.trial.is_some() && self.update.is_none() && self.has_failed_trial() && settled {
            self.go_back();
        }
    }

    /// The daemon serves.
    pub(crate) fn trial_passed(&mut self) {
        if self.trial.take().is_some() {
            log::line(format_args!("updated"));
        }
    }

    fn has_failed_trial(&self) -> bool {
        let state = self.home.as_ref().map(|home| &home.daemon);
        state.is_some_and(|daemon| !matches!(daemon.state, DaemonState::Up(_)) && daemon.has_died())
    }

    fn signal_daemon(&self) {
        if let Some(home) = &self.home {
            home.daemon.signal(KILL);
        }
    }

    fn outcome(&self, token: u64, failed: Option<String>) -> UpdateOutcome {
        UpdateOutcome { token, from: env!("CARGO_PKG_VERSION").to_owned(), failed }
    }

    /// What is remembered of updates, with this one.
    pub(crate) fn updates_with(&self, outcome: UpdateOutcome) -> Vec<UpdateOutcome> {
        let mut all = self.updates.clone();
        all.retain(|other| other.token != outcome.token);
        all.push(outcome);
        all.split_off(all.len().saturating_sub(MOST_REMEMBERED))
    }

    /// Becomes the new executable; when the kernel refuses, the present one goes on.
    fn hand_over(&mut self) {
        let Some(Update { path, token, versions, exe, former, .. }) = &self.update else { return };
        log::line(format_args!("going on as `{path}`"));
        let error = match self.handover(*versions, self.outcome(*token, None), Some(former.as_fd())) {
            Some(handover) => self.become_executable(exe.as_fd(), &handover).to_string(),
            None => return,
        };
        let failed = format!("`{path}` cannot be run: {error}");
        log::line(format_args!("no update: {failed}"));
        self.updates = self.updates_with(self.outcome(*token, Some(failed)));
        self.update = None;
    }

    /// Becomes the former executable again.
    fn go_back(&mut self) {
        let Some(Trial { former, .. }) = self.trial.take() else { return };
        let failed = "the daemon of the new executable ended before it served; the log says why";
        log::line(format_args!("{failed}; going back to the former executable"));
        let Some(outcome) = self.updates.last().cloned() else { return };
        let outcome = UpdateOutcome { failed: Some(failed.to_owned()), ..outcome };
        self.updates = self.updates_with(outcome.clone());
        if let Some(handover) = self.handover(Versions::OURS, outcome, None) {
            let error = self.become_executable(former.as_fd(), &handover);
            log::line(format_args!("the former executable cannot be run: {error}"));
        }
    }
}

/// Ends a check that takes too long, with what it has started.
fn end_check(process: &Spawned, group_signals: bool) {
    let in_group = group_signals && pidfd::send_group(process.pidfd.as_fd(), KILL).is_ok();
    if !in_group {
        // It has ended by itself, then.
        let _ = pidfd::send(process.pidfd.as_fd(), KILL);
    }
}

/// What the check had to say, as one line.
fn said(output: &OwnedFd) -> String {
    let mut buffer = [0; MAX_REASON_BYTES];
    let length = fd::read(output.as_fd(), &mut buffer).unwrap_or(0);
    let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned();
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("it does not say why");
    line.trim().trim_start_matches("error: ").to_owned()
}
