//! One command's way to the daemon and to the user: connects when first needed, unwraps answers, gathers results.

use std::path::{Path, PathBuf};

use rewake_client::{Client, ClientError, Home};
use rewake_wire::{Done, ErrorCode, Reply, Request, SlotInfo, SlotResult};
use serde_json::json;

use super::{Failure, apps};
use crate::args::Options;
use crate::ui::{Ui, done};

/// What a verb works with.
#[derive(Debug)]
pub(super) struct Session<'a> {
    pub(super) ui: &'a Ui,
    pub(super) options: Options,
    pub(super) home: Home,
    client: Option<Client>,
}

impl<'a> Session<'a> {
    pub(super) fn new(ui: &'a Ui, options: Options) -> Result<Self, Failure> {
        Ok(Self::at(ui, options, Home::of_process()?))
    }

    /// One for another home than that of the commands.
    pub(super) fn at(ui: &'a Ui, options: Options, home: Home) -> Self {
        Self { ui, options, home, client: None }
    }

    /// The connection, made (and the daemon started) when first asked for.
    pub(super) async fn client(&mut self) -> Result<Client, Failure> {
        if let Some(client) = &self.client {
            return Ok(client.clone());
        }
        let client = match Client::connect(&self.home).await {
            Err(error) if error.is_nobody_listening() => {
                let client = Client::connect_or_start(&self.home, &executable()).await?;
                self.ui.say(&format!("started the daemon in {}", self.home.path().display()));
                client
            }
            result => result?,
        };
        self.client = Some(client.clone());
        Ok(client)
    }

    /// The connection to a daemon that runs already, or `None`.
    pub(super) async fn running_client(&self) -> Result<Option<Client>, Failure> {
        match Client::connect(&self.home).await {
            Err(error) if error.is_nobody_listening() => Ok(None),
            result => Ok(Some(result?)),
        }
    }

    /// As [`Session::running_client`], of whatever version.
    pub(super) async fn client_for_update(&self) -> Result<Option<Client>, Failure> {
        match Client::connect_for_update(&self.home).await {
            Err(error) if error.is_nobody_listening() => Ok(None),
            result => Ok(Some(result?)),
        }
    }

    /// A new connection in place of one that was lost, to a daemon that runs; `None` when none does.
    pub(super) async fn reconnect(&mut self) -> Result<Option<Client>, Failure> {
        self.client = self.running_client().await?;
        Ok(self.client.clone())
    }

    pub(super) async fn ask(&mut self, request: Request) -> Result<Reply, Failure> {
        if self.client.is_none() && request.changes_nothing() {
            match Client::connect_asking(&self.home, request.clone()).await {
                Ok((client, answer)) => {
                    self.client = Some(client);
                    return Ok(answer?);
                }
                // It is started, then.
                Err(error) if error.is_nobody_listening() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(self.client().await?.request(request).await?)
    }

    /// A request whose answer is a result for each slot.
    pub(super) async fn ask_done(&mut self, request: Request) -> Result<Done, Failure> {
        let Reply::Done(done) = self.ask(request).await? else { return Err(unexpected("a command")) };
        Ok(done)
    }

    pub(super) async fn ask_list(&mut self, target: Option<String>) -> Result<Vec<SlotInfo>, Failure> {
        let Reply::List(slots) = self.ask(Request::List { target }).await? else { return Err(unexpected("list")) };
        Ok(slots)
    }

    /// The same request for each target: all are tried, the first refusal does not keep the others from being heard.
    pub(super) async fn ask_each(
        &mut self,
        targets: Vec<String>,
        request: impl Fn(String) -> Request,
    ) -> Result<Results, Failure> {
        let mut results = Results::default();
        for target in targets {
            for target in self.resolved(target).await? {
                results.add(self.ask_done(request(target)).await)?;
            }
        }
        Ok(results)
    }

    /// The target, or the ids of the slots that run the script it is the path of: the daemon does not know from which folder
    /// a path is meant.
    pub(super) async fn resolved(&mut self, target: String) -> Result<Vec<String>, Failure> {
        if !apps::may_be_path(&target) {
            return Ok(vec![target]);
        }
        let path = apps::context()?.cwd.join(&target);
        let path = path.canonicalize().unwrap_or(path);
        let slots = self.ask_list(None).await?;
        let runs_it = |slot: &&SlotInfo| {
            let script = Path::new(&slot.spec.launch.script);
            script == path || script.canonicalize().is_ok_and(|script| script == path)
        };
        // A name wins over a path.
        let is_name = slots.iter().any(|slot| slot.name == target || slot.namespace == target);
        let ids: Vec<String> = slots.iter().filter(runs_it).map(|slot| slot.id.to_string()).collect();
        Ok(if is_name || ids.is_empty() { vec![target] } else { ids })
    }

    /// Tells what a command did, then shows the list, then the errors.
    pub(super) async fn finish(&mut self, past: &str, results: Results) -> Result<(), Failure> {
        let Results { slots, warnings, errors } = results;
        for warning in &warnings {
            self.ui.warn(warning);
        }
        for slot in slots.iter().filter(|slot| slot.error.is_none()) {
            self.ui.say(&done::line(past, slot));
        }
        if self.ui.json {
            self.ui.json_data(&json!(slots));
        } else if !slots.iter().all(is_failure) && !self.ui.is_silent() {
            match self.ask_list(None).await {
                Ok(list) => self.ui.list(list),
                // What runs in the foreground ends with its last app; the command is done all the same.
                Err(Failure::Untold(error))
                    if matches!(error.code, ErrorCode::ShuttingDown | ErrorCode::Unreachable) => {}
                Err(failure) => return Err(failure),
            }
        }
        let failures =
            slots.iter().filter(|slot| is_failure(slot)).filter_map(|slot| slot.error.as_ref()).chain(&errors);
        let mut failure = Ok(());
        for error in failures {
            self.ui.error(error);
            failure = Err(Failure::Told);
        }
        failure
    }
}

/// Results of one or several requests of a command.
#[derive(Debug, Default)]
pub(super) struct Results {
    pub(super) slots: Vec<SlotResult>,
    pub(super) warnings: Vec<String>,
    pub(super) errors: Vec<rewake_wire::ErrorReply>,
}

impl Results {
    /// Takes a request's result. A refusal is kept; a lost connection ends the command.
    pub(super) fn add(&mut self, result: Result<Done, Failure>) -> Result<(), Failure> {
        match result {
            Ok(done) => {
                self.slots.extend(done.slots);
                self.warnings.extend(done.warnings);
                Ok(())
            }
            Err(Failure::Untold(error)) if error.code != ErrorCode::Unreachable => {
                self.errors.push(error);
                Ok(())
            }
            Err(Failure::Several(errors)) => {
                self.errors.extend(errors);
                Ok(())
            }
            Err(failure @ (Failure::Untold(_) | Failure::Told)) => Err(failure),
        }
    }

    /// Whether everything so far went well.
    pub(super) fn is_good(&self) -> bool {
        self.errors.is_empty() && !self.slots.iter().any(is_failure)
    }
}

/// Whether the command failed for this slot. An app that ended soon after its start has been started (PM2's exit code says so
/// too); it is told as a warning.
pub(super) fn is_failure(slot: &SlotResult) -> bool {
    slot.error.as_ref().is_some_and(|error| error.code != ErrorCode::ExitedEarly)
}

/// The daemon answered something else than was asked.
pub(super) fn unexpected(asked: &'static str) -> Failure {
    ClientError::Unexpected { asked }.into()
}

/// This executable, also when its file has been replaced since.
pub(super) fn executable() -> PathBuf {
    let path = std::env::current_exe().ok().filter(|path| path.exists());
    path.unwrap_or_else(|| PathBuf::from("/proc/self/exe"))
}
