//! What clients ask, handed to the verb it names; and the core's replies, handed back. No verb's own logic is here.

use std::collections::BTreeMap;

use rewake_core::{CallId, Command, Input, SlotId, SlotOutcome, Target};
use rewake_wire::keeper::{Notice, Order};
use rewake_wire::{Done, ErrorCode, ErrorReply, Reply, Request, SlotResult, Subscribe};
use tokio::sync::oneshot;
use tokio::task::spawn_local;
use tokio::time::timeout;

use crate::engine::{Ended, Engine};
use crate::handle::{Ask, Subscription};
use crate::logs::{LAST_WORDS, Logs};
use crate::pending::{Answer, Held, Pending, Then, has_reason, tell};
use crate::verbs;
use crate::words;

impl Engine {
    pub(crate) fn take_ask(&mut self, ask: Ask) {
        match ask {
            Ask::Request(request, answer) => self.request(request, answer),
            Ask::Subscribe(wants, answer) => self.subscribe(wants, answer),
            Ask::Terminate => self.end(Ended::Terminated, None),
            Ask::Hurry => self.hurry(),
        }
    }

    fn request(&mut self, request: Request, answer: Answer) {
        if self.ending.is_some() && !matches!(request, Request::Kill | Request::List { .. } | Request::Ping) {
            let refusal = ErrorReply::new(ErrorCode::ShuttingDown, "the supervisor is shutting down");
            return tell(answer, Err(refusal));
        }
        match request {
            Request::Ping => tell(answer, Ok(Reply::Pong)),
            Request::Start { apps, when_known, settle_ms } => verbs::start(self, apps, when_known, settle_ms, answer),
            Request::StartKnown { target, env, settle_ms } | Request::Restart { target, env, settle_ms } => {
                verbs::restart(self, &target, env, settle_ms, answer);
            }
            Request::Stop { target } => {
                self.command_for(&target, answer, |slots| Command::Stop { slots });
            }
            Request::Delete { target } => {
                self.command_for(&target, answer, |slots| Command::Delete { slots });
            }
            Request::Reset { target } => {
                self.command_for(&target, answer, |slots| Command::Reset { slots });
            }
            Request::Reload { target, env, parallel, no_wait } => {
                verbs::reload(self, &target, env, verbs::ReloadWay { parallel, no_wait }, answer);
            }
            Request::Scale { target, to } => verbs::scale(self, &target, to, answer),
            Request::Signal { target, signal } => verbs::signal(self, &target, &signal, answer),
            Request::Send { target, message } => tell(answer, verbs::send(self, &target, &message)),
            Request::List { target } => tell(answer, verbs::list(self, target.as_deref())),
            Request::Env { target } => tell(answer, verbs::env(self, &target)),
            Request::Flush { target } => tell(answer, verbs::flush(self, target.as_deref())),
            Request::History { target } => verbs::history(self, target, answer),
            Request::Rotate { target } => verbs::rotate(self, target.as_deref(), answer),
            Request::ReloadLogs => verbs::reload_logs(self, answer),
            Request::Save { force } => tell(answer, verbs::save(self, force)),
            Request::Resurrect => verbs::resurrect(self, answer),
            Request::Update { path, token } => verbs::update(self, path, token, answer),
            Request::Updated { token } => tell(answer, verbs::updated(self, token)),
            Request::Kill => self.end(Ended::Killed, Some(answer)),
        }
    }

    fn subscribe(&mut self, wants: Subscribe, answer: oneshot::Sender<Result<Subscription, ErrorReply>>) {
        let slots = match wants.target.as_deref() {
            None | Some("all") => Ok(None),
            Some(target) => self.find(target).map(|ids| Some(ids.into_iter().map(|id| id.0).collect())),
        };
        let subscription = slots.map(|slots| {
            let queue = self.subscribers.borrow_mut().add(wants, slots);
            if let Some(logs) = &self.logs {
                logs.begin();
            }
            Subscription { queue }
        });
        // A client that has gone drops the subscription, which ends it.
        let _ = answer.send(subscription);
    }

    /// The slots of a target, at least one.
    pub(crate) fn find(&self, target: &str) -> Result<Vec<SlotId>, ErrorReply> {
        let parsed = Target::parse(target).map_err(|bad| words::bad_target(target, &bad))?;
        let slots = self.core.find(&parsed);
        if slots.is_empty() { Err(words::not_found(target)) } else { Ok(slots) }
    }

    /// One command for a target.
    pub(crate) fn command_for(&mut self, target: &str, answer: Answer, command: impl FnOnce(Vec<SlotId>) -> Command) {
        match self.find(target) {
            Ok(slots) => {
                let commands = vec![command(slots.clone())];
                self.open(commands, &slots, Then::Answer, answer);
            }
            Err(error) => tell(answer, Err(error)),
        }
    }

    /// Opens commands whose replies become one answer.
    pub(crate) fn open(&mut self, commands: Vec<Command>, slots: &[SlotId], then: Then, answer: Answer) {
        if commands.is_empty() {
            return tell(answer, Ok(Reply::Done(Done::default())));
        }
        let name = |id: &SlotId| self.core.slot(*id).map(|slot| (*id, slot.name.clone()));
        let names: BTreeMap<SlotId, String> = slots.iter().filter_map(name).collect();
        let pending = Pending { answer, calls_open: commands.len(), outcomes: Vec::new(), names, then };
        let calls = self.requests.open(pending);
        for (call, command) in calls.into_iter().zip(commands) {
            if matches!(command, Command::Reload { .. }) {
                self.requests.is_reload(call);
            }
            self.step(Input::Command(call, command));
        }
    }

    /// The core has answered a call.
    pub(crate) fn reply(&mut self, call: CallId, outcomes: Vec<SlotOutcome>) {
        if self.requests.was_reload(call) {
            for outcome in &outcomes {
                verbs::settle_reload(self, outcome);
            }
        }
        let Some(mut pending) = self.requests.replied(call, outcomes) else { return };
        if pending.then == Then::End {
            if let Some(ending) = &mut self.ending {
                ending.empty = true;
            }
            return;
        }
        if pending.then == Then::Booted {
            self.order(Order::Notify { notice: Notice::Up });
        }
        pending.outcomes.sort_by_key(|outcome| outcome.slot);
        let slots = pending.outcomes.iter().map(|outcome| self.slot_result(outcome, &pending.names)).collect();
        let done = Done { slots, warnings: Vec::new() };
        let is_about_an_end = |outcome: &SlotOutcome| outcome.result.err().is_some_and(words::is_about_its_end);
        let tells_of_an_end = pending.outcomes.iter().any(is_about_an_end);
        let answer = if tells_of_an_end { self.after_last_words(pending.answer) } else { pending.answer };
        self.answer_when_saved(answer, done);
    }

    /// Whoever hears that a process has ended too early looks into its log for why, and must find it there.
    fn after_last_words(&self, answer: Answer) -> Answer {
        let Some(written) = self.logs.as_ref().and_then(Logs::last_words) else { return answer };
        let (given, reply) = oneshot::channel();
        spawn_local(async move {
            // Fails only where there is no answer at all.
            let Ok(reply) = reply.await else { return };
            // Too late: a disk hangs. No answer: the thread has ended, and with it all writing.
            let _ = timeout(LAST_WORDS, written).await;
            tell(answer, reply);
        });
        given
    }

    /// What a command changed is on disk before its client hears that it is done.
    fn answer_when_saved(&mut self, answer: Answer, done: Done) {
        if self.saving.store.is_none() || self.saving.written >= self.saving.wanted {
            return tell(answer, Ok(Reply::Done(done)));
        }
        self.saving.held.push(Held { generation: self.saving.wanted, answer, done });
    }

    fn slot_result(&mut self, outcome: &SlotOutcome, names: &BTreeMap<SlotId, String>) -> SlotResult {
        let id = outcome.slot;
        let info = self.info(id, false);
        let name = info.as_ref().map(|info| info.name.clone()).or_else(|| names.get(&id).cloned()).unwrap_or_default();
        let reason = self.sheets.get(&id).and_then(|sheet| sheet.reason.as_deref());
        let refused = self.sheets.get(&id).and_then(|sheet| sheet.refused.as_deref());
        let error = outcome.result.err().map(|failure| {
            let mut error = words::failure(failure, &name, id.0, reason.filter(|_| has_reason(failure)));
            if let Some(refused) = refused.filter(|_| words::is_about_its_end(failure)) {
                error.message = format!("{}; {refused}", error.message);
            }
            error
        });
        SlotResult { id: id.0, name, error, info }
    }
}
