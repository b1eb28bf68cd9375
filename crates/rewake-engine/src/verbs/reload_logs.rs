//! `reloadLogs`: open all log files anew, for whoever has moved them away.

use rewake_wire::Reply;

use crate::engine::Engine;
use crate::pending::{Answer, tell};

pub(crate) fn reload_logs(engine: &Engine, answer: Answer) {
    let Some(logs) = &engine.logs else { return tell(answer, Ok(Reply::LogsReloaded)) };
    let reopened = logs.reopen();
    tokio::task::spawn_local(async move {
        // It fails only when the thread has ended, and with it all writing.
        let _ = reopened.await;
        tell(answer, Ok(Reply::LogsReloaded));
    });
}
