//! The orderly end: everything is stopped, the list is written, the keeper is sent away, and only then do those who wait hear of it. And the
//! other one, which stops nothing that another daemon can go on with. Neither begins by itself.

use rewake_wire::keeper::Order;
use tokio::io::Interest;
use tokio::time::timeout;

use crate::effects::Outgoing;
use crate::engine::{Ended, Engine, EngineError, KEEPER_PATIENCE};
use crate::pending::Answer;

/// The engine is to end, and who waits for it.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) ended: Ended,
    pub(crate) answers: Vec<Answer>,
    /// The core has nothing left.
    pub(crate) empty: bool,
}

impl Engine {
    /// Begins the end: everything is stopped; `answer` is told when it is over.
    pub(crate) fn end(&mut self, ended: Ended, answer: Option<Answer>) {
        match &mut self.ending {
            Some(ending) => ending.answers.extend(answer),
            None => {
                self.ending = Some(Ending { ended, answers: answer.into_iter().collect(), empty: false });
                self.begin_end(ended);
            }
        }
    }

    /// The last acts: the table, the keeper, the answers.
    pub(crate) async fn finish(mut self, ending: Ending) -> Result<Ended, EngineError> {
        // Said now: once clients are answered, the home may be removed under us.
        tracing::info!("the daemon ends: {:?}", ending.ended);
        if let Some(logs) = &mut self.logs {
            match ending.ended {
                Ended::HandedOver => logs.leave().await,
                Ended::Killed | Ended::Terminated => logs.close().await,
            }
        }
        self.subscribers.borrow_mut().end();
        while self.saving.in_flight {
            // The writer always answers; it holds its own sender.
            let Some(_) = self.saves.recv().await else { break };
            self.saving.in_flight = false;
        }
        if ending.ended == Ended::HandedOver {
            // The keeper waits for this process to end; what it does not take now the next daemon orders anew.
            let _ = timeout(KEEPER_PATIENCE, self.until_orders_are_sent()).await;
            return Ok(ending.ended);
        }
        let warnings = self.write_last_table(ending.ended);
        self.remove_runs();
        self.outgoing.push_back(Outgoing::Order(Order::Shutdown));
        // The socket is gone when the keeper is: only then may the next command find that nobody is here.
        if timeout(KEEPER_PATIENCE, self.until_keeper_is_gone()).await.is_err() {
            tracing::warn!("the keeper has not ended in time");
        }
        self.release_held(warnings.as_deref());
        for answer in ending.answers {
            // A client that has gone needs no answer.
            let _ = answer.send(Ok(rewake_wire::Reply::Killed));
        }
        Ok(ending.ended)
    }

    /// It cannot go on. A keeper that is there holds everything, for the next daemon or to end it in order; without one it is ended here.
    pub(crate) async fn fail(mut self, error: EngineError) -> EngineError {
        let keeper_is_gone = matches!(error, EngineError::KeeperGone);
        if keeper_is_gone {
            self.end_what_is_left().await;
        }
        // Where clients come there is a next daemon.
        let is_last = keeper_is_gone || self.holding.listener.is_none();
        match &mut self.logs {
            Some(logs) if is_last => logs.close().await,
            Some(logs) => logs.leave().await,
            None => {}
        }
        self.subscribers.borrow_mut().end();
        error
    }

    async fn until_keeper_is_gone(&mut self) {
        while self.send_orders().is_ok() {
            let Ok(mut ready) = self.link.ready(Interest::READABLE).await else { return };
            match ready.try_io(|link| link.get_ref().try_recv()) {
                Ok(Ok(Some(_))) | Err(_) => {}
                Ok(Ok(None) | Err(_)) => return,
            }
        }
    }
}
