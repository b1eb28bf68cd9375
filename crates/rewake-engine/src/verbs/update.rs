//! `update`: the keeper and this daemon give way to another executable. Waits until no command is under way, since its answer would be
//! lost; nothing is stopped before the new executable has said that it can go on.

use std::time::Duration;

use rewake_wire::handover::Versions;
use rewake_wire::keeper::Order;
use rewake_wire::{ErrorCode, ErrorReply, Reply};
use tokio::time::Instant;

use crate::ending::Ending;
use crate::engine::{Ended, Engine};
use crate::pending::{Answer, tell};

/// How long commands that are under way may take. A reload of many instances takes longer, and an update can be asked for again.
const PATIENCE: Duration = Duration::from_secs(30);

/// An update that was asked for.
#[derive(Debug)]
pub(crate) struct Updating {
    path: String,
    token: u64,
    answer: Answer,
    until: Instant,
    step: Step,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Commands are under way.
    Wait,
    /// The new executable is being asked.
    Asked,
    /// It can go on.
    Go,
}

impl Updating {
    /// When it is given up, if it still waits.
    pub(crate) fn due(&self) -> Option<Instant> {
        (self.step == Step::Wait).then_some(self.until)
    }
}

pub(crate) fn update(engine: &mut Engine, path: String, token: u64, answer: Answer) {
    if engine.home.is_none() {
        return tell(answer, Err(refused("an embedded supervisor is updated with its program")));
    }
    if engine.updating.is_some() {
        return tell(answer, Err(refused("another update is under way")));
    }
    engine.updating = Some(Updating { path, token, answer, until: Instant::now() + PATIENCE, step: Step::Wait });
}

pub(crate) fn updated(engine: &Engine, token: u64) -> Result<Reply, ErrorReply> {
    match engine.holding.updates.iter().find(|update| update.token == token) {
        Some(update) => Ok(Reply::Updated { from: update.from.clone(), failed: update.failed.clone() }),
        None => {
            let message =
                "what became of this update is not known: the keeper died meanwhile, or many others came after it";
            Err(ErrorReply::new(ErrorCode::UpdateRefused, message)
                .with_hint("`rewake --version` tells which version runs"))
        }
    }
}

impl Engine {
    /// Takes an update's next step, if it can be taken.
    pub(crate) fn go_on_with_update(&mut self) {
        let idle = self.requests.is_empty() && !self.saving.in_flight && self.saving.held.is_empty();
        let Some(updating) = &mut self.updating else { return };
        if self.ending.is_some() {
            return self.end_update("the supervisor is shutting down");
        }
        match updating.step {
            Step::Wait if idle => {
                updating.step = Step::Asked;
                let (path, token) = (updating.path.clone(), updating.token);
                self.order(Order::Update { path, token, versions: Versions::OURS });
            }
            Step::Wait if updating.until <= Instant::now() => {
                self.end_update("another command (a reload?) is still under way; try again when it is done");
            }
            Step::Go if idle => {
                let Some(updating) = self.updating.take() else { return };
                tracing::info!(path = updating.path, "going on as another executable");
                tell(updating.answer, Ok(Reply::HandingOver));
                self.ending = Some(Ending { ended: Ended::HandedOver, answers: Vec::new(), empty: true });
            }
            Step::Wait | Step::Asked | Step::Go => {}
        }
    }

    /// The new executable has been asked.
    pub(crate) fn update_checked(&mut self, refused: Option<String>) {
        match (refused, &mut self.updating) {
            (None, Some(updating)) => updating.step = Step::Go,
            (Some(reason), _) => self.end_update(&reason),
            (None, None) => {}
        }
    }

    /// It does not come to pass; everything is as before.
    pub(crate) fn end_update(&mut self, why: &str) {
        if let Some(updating) = self.updating.take() {
            tell(updating.answer, Err(refused(why)));
        }
    }
}

fn refused(why: &str) -> ErrorReply {
    ErrorReply::new(ErrorCode::UpdateRefused, format!("nothing was updated: {why}"))
}
