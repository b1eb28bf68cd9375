//! The daemon's side of `runtime`: starts the apps, passes their output on, answers signals, and ends when nothing is left to run.

use std::collections::{BTreeSet, VecDeque};
use std::io::IsTerminal as _;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::pin::pin;

use rewake_client::Home;
use rewake_daemon::{Begin, DaemonError, Handle, Options};
use rewake_wire::{
    AppSpec, ErrorReply, Event, LogFilter, LogTarget, ProcessEventKind, Reply, Request, Subscribe, WhenKnown,
};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::at_rest;
use super::output::{Chunk, Output};
use crate::args::runtime::Runtime;
use crate::args::{Command, Line};
use crate::commands::session::{Session, is_failure};
use crate::commands::{Failure, apps};
use crate::ui::Ui;
use crate::ui::streams::Written;

/// Runs the apps of this line to their end; gives the exit code.
///
/// # Errors
/// When there can be no daemon.
pub(crate) fn host(home: Option<&Path>, line: Line, ui: &Ui, link: OwnedFd) -> Result<u8, DaemonError> {
    let Line { command, options, script_args } = line;
    let Command::Runtime(args) = command else { return Ok(1) };
    let Ok(place) = Home::at(home.unwrap_or(Path::new("/"))) else { return Ok(1) };
    let session = Session::at(ui, options, place);
    let begin = Options { home: home.map(Path::to_path_buf), begin: Begin::Empty, sign_every: None };
    rewake_daemon::run_with(begin, link, async |handle, first| {
        // A daemon that takes over from one that died finds its apps.
        let apps = if first { load(&session, &args, &script_args.unwrap_or_default()) } else { Ok(Vec::new()) };
        run(&handle, ui, &args, apps).await.unwrap_or_else(|error| {
            ui.error(&error);
            1
        })
    })
}

/// The apps that the line names. Reads files and may run Node, before there is anything to keep waiting.
fn load(session: &Session<'_>, args: &Runtime, script_args: &[String]) -> Result<Vec<AppSpec>, Failure> {
    for option in session.options.later.without_effect().into_iter().filter(|option| *option != "--no-daemon") {
        session.ui.warn(&format!("`{option}` has no effect in this version"));
    }
    for option in args.without_effect() {
        session.ui.warn(&format!("`{option}` has no effect in this version"));
    }
    let default = if args.targets.is_empty() { vec![apps::default_file()?] } else { Vec::new() };
    let mut found = Vec::new();
    for target in args.targets.iter().chain(&default) {
        found.extend(if apps::is_process_file(target) {
            apps::of_file(session, target)?
        } else {
            apps::of_script(session, target, script_args)?
        });
    }
    for logs in found.iter_mut().map(|app| &mut app.logs) {
        // What they write is on our stdout already; a file is kept where one was asked for.
        for target in [&mut logs.out, &mut logs.error] {
            if matches!(target, LogTarget::Default) {
                *target = LogTarget::Null;
            }
        }
    }
    Ok(found)
}

async fn run(handle: &Handle, ui: &Ui, args: &Runtime, apps: Result<Vec<AppSpec>, Failure>) -> Result<u8, ErrorReply> {
    let wants = Subscribe { events: true, logs: Some(LogFilter::default()), ..Subscribe::default() };
    let mut feed = handle.subscribe(wants).await?;
    let mut signals = Signals::new().map_err(|error| internal("take signals", &error))?;
    let written = Written::start().map_err(|error| internal("write output", &error))?;
    let mut foreground = Foreground {
        handle,
        ui,
        output: Output::new(ui, args),
        auto_exit: !args.no_auto_exit,
        stopped_by_command: BTreeSet::new(),
        asked_to_end: false,
        code: None,
    };
    let mut chunks: VecDeque<Chunk> = VecDeque::new();
    let mut starting = pin!(foreground.start(apps).await);
    let mut is_starting = true;
    loop {
        let may_read = chunks.is_empty() || foreground.is_ending();
        tokio::select! {
            biased;
            asked = signals.next() => foreground.asked(asked).await,
            // The feed is read on when this is written: what a slow reader misses is counted there. Only the end does not wait for it.
            Some(room) = written.room(), if !chunks.is_empty() => {
                if let Some(chunk) = chunks.pop_front() {
                    room.send(chunk);
                }
            }
            events = feed.next(), if may_read => {
                let Some(events) = events else { break };
                foreground.output.render(&events, &mut chunks);
                if foreground.note(&events) && !is_starting {
                    foreground.end_if_at_rest().await;
                }
            }
            reply = &mut starting, if is_starting => {
                is_starting = false;
                foreground.started(reply);
                foreground.end_if_at_rest().await;
            }
        }
    }
    written.finish(chunks).await;
    Ok(foreground.code.unwrap_or(0))
}

struct Foreground<'a> {
    handle: &'a Handle,
    ui: &'a Ui,
    output: Output,
    auto_exit: bool,
    stopped_by_command: BTreeSet<u32>,
    asked_to_end: bool,
    code: Option<u8>,
}

impl Foreground<'_> {
    /// Hands the apps over; gives what waits until they are up. What is wrong with them is the end.
    async fn start(
        &mut self,
        apps: Result<Vec<AppSpec>, Failure>,
    ) -> impl Future<Output = Result<Reply, ErrorReply>> + use<> {
        let submitted = match apps {
            Ok(apps) if apps.is_empty() => None,
            Ok(apps) => {
                Some(self.handle.submit(Request::Start { apps, when_known: WhenKnown::Replace, settle_ms: 0 }).await)
            }
            Err(failure) => {
                match failure {
                    Failure::Untold(error) => self.ui.error(&error),
                    Failure::Several(errors) => errors.iter().for_each(|error| self.ui.error(error)),
                    Failure::Told => {}
                }
                self.end(1).await;
                None
            }
        };
        async {
            match submitted {
                None => Ok(Reply::Pong),
                Some(Ok(answer)) => answer.await,
                Some(Err(error)) => Err(error),
            }
        }
    }

    /// Tells what could not be started; it is `errored`, and so counts for the exit code.
    fn started(&self, reply: Result<Reply, ErrorReply>) {
        match reply {
            Ok(Reply::Done(done)) => {
                done.warnings.iter().for_each(|warning| self.ui.warn(warning));
                let failures = done.slots.iter().filter(|slot| is_failure(slot) && !self.asked_to_end);
                failures.filter_map(|slot| slot.error.as_ref()).for_each(|error| self.ui.error(error));
            }
            Ok(_) => {}
            Err(error) => self.ui.error(&error),
        }
    }

    /// Remembers what was stopped by a command. `true`: something may have come to rest.
    fn note(&mut self, events: &[Event]) -> bool {
        let mut may_rest = false;
        for event in events {
            let event = match event {
                Event::Process(event) => event,
                Event::Missed { .. } => {
                    may_rest = true;
                    continue;
                }
                Event::Log(_) | Event::Message(_) => continue,
            };
            match event.event {
                ProcessEventKind::Start | ProcessEventKind::Restart | ProcessEventKind::Online => {
                    self.stopped_by_command.remove(&event.id);
                }
                ProcessEventKind::Stop if event.manually => {
                    self.stopped_by_command.insert(event.id);
                    may_rest = true;
                }
                ProcessEventKind::Stop
                | ProcessEventKind::Exit
                | ProcessEventKind::Delete
                | ProcessEventKind::RestartOverlimit
                | ProcessEventKind::SpawnFailed
                | ProcessEventKind::CannotBeKilled => may_rest = true,
                ProcessEventKind::ReadyTimeout | ProcessEventKind::Reload | ProcessEventKind::ReloadFailed => {}
            }
        }
        may_rest
    }

    async fn end_if_at_rest(&mut self) {
        if !self.auto_exit || self.is_ending() {
            return;
        }
        // An engine that ends already will say so in the feed.
        let Ok(Reply::List(slots)) = self.handle.request(Request::List { target: None }).await else { return };
        if let Some(code) = at_rest::exit_code(&slots, &self.stopped_by_command) {
            self.end(code).await;
        }
    }

    fn is_ending(&self) -> bool {
        self.asked_to_end || self.code.is_some()
    }

    async fn end(&mut self, code: u8) {
        self.code = Some(code);
        self.handle.terminate().await;
    }

    async fn asked(&mut self, asked: Asked) {
        match asked {
            Asked::End if self.asked_to_end => self.handle.hurry().await,
            Asked::End => {
                self.asked_to_end = true;
                self.handle.terminate().await;
            }
            Asked::Reload => {
                let handle = self.handle.clone();
                let target = "all".to_owned();
                tokio::task::spawn_local(async move {
                    // What does not come up is told as an event.
                    let _ = handle.request(Request::Reload { target, env: None, parallel: None, no_wait: false }).await;
                });
            }
            Asked::Nothing => {}
        }
    }
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy)]
enum Asked {
    End,
    Reload,
    Nothing,
}

/// The signals that the keeper passes on, and those that reach this process by itself.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    users: [Signal; 2],
    hangup_ends: bool,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            users: [signal(SignalKind::user_defined1())?, signal(SignalKind::user_defined2())?],
            // A terminal that is closed says so with this signal; where there is none, it is for us to give a meaning.
            hangup_ends: std::io::stderr().is_terminal(),
        })
    }

    async fn next(&mut self) -> Asked {
        let [first, second] = &mut self.users;
        tokio::select! {
            _ = self.terminate.recv() => Asked::End,
            _ = self.interrupt.recv() => Asked::End,
            _ = self.hangup.recv() => if self.hangup_ends { Asked::End } else { Asked::Reload },
            // PM2 opens its log files anew for the second. They must not end us.
            _ = first.recv() => Asked::Nothing,
            _ = second.recv() => Asked::Nothing,
        }
    }
}

fn internal(what: &str, error: &std::io::Error) -> ErrorReply {
    ErrorReply::new(rewake_wire::ErrorCode::Internal, format!("failed to {what}: {error}"))
}
