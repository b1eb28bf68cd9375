//! `send`: one IPC message to each process of the target, handed on byte for byte.

use rewake_core::SlotId;
use rewake_wire::{Done, ErrorCode, ErrorReply, Reply, SlotResult};
use serde_json::value::RawValue;

use crate::engine::Engine;
use crate::ipc::NotSent;

const NO_CHANNEL: &str = "has no IPC channel: it is not a Node program (`ipc: true` asks for one)";

pub(crate) fn send(engine: &mut Engine, target: &str, message: &RawValue) -> Result<Reply, ErrorReply> {
    let slots = engine.find(target)?;
    let slots = slots.into_iter().map(|id| send_one(engine, id, message)).collect();
    Ok(Reply::Done(Done { slots, warnings: Vec::new() }))
}

fn send_one(engine: &mut Engine, id: SlotId, message: &RawValue) -> SlotResult {
    let name = engine.core.slot(id).map(|slot| slot.name.clone()).unwrap_or_default();
    let live = engine.core.slot(id).and_then(rewake_core::Slot::live_run);
    let result = match live.and_then(|run| engine.runs.get_mut(&run)) {
        None => Err((ErrorCode::NotRunning, "is not running".to_owned())),
        Some(run) => match &mut run.ipc {
            None => Err((ErrorCode::NoChannel, NO_CHANNEL.to_owned())),
            Some(ipc) => ipc.send(message.get()).map_err(why_not),
        },
    };
    let error = result.err().map(|(code, what)| ErrorReply::new(code, format!("`{name}` (id {id}) {what}")));
    SlotResult { id: id.0, name, error, info: None }
}

fn why_not(not: NotSent) -> (ErrorCode, String) {
    match not {
        NotSent::Closed => (ErrorCode::NoChannel, "has closed its IPC channel".into()),
        NotSent::Full => (ErrorCode::QueueFull, "does not read its messages: the queue towards it is full".into()),
        NotSent::Refused(why) => (ErrorCode::BadRequest, format!("was not sent the message: {why}")),
    }
}
