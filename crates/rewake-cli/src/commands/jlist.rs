//! `jlist` and `prettylist`: the list in PM2's JSON. The environment only when asked for.

use std::collections::BTreeMap;

use rewake_wire::{Reply, Request};
use serde_json::Value;

use super::Failure;
use super::session::{Session, unexpected};
use crate::ui;

pub(super) async fn run(session: &mut Session<'_>, with_env: bool) -> Result<(), Failure> {
    let list = entries(session, with_env).await?;
    // Without a newline, as PM2.
    session.ui.data(list.to_string());
    Ok(())
}

pub(super) async fn pretty(session: &mut Session<'_>) -> Result<(), Failure> {
    let list = entries(session, false).await?;
    session.ui.data(format!("{list:#}\n"));
    Ok(())
}

async fn entries(session: &mut Session<'_>, with_env: bool) -> Result<Value, Failure> {
    let slots = session.ask_list(None).await?;
    let envs = if with_env && !slots.is_empty() {
        let Reply::Env(envs) = session.ask(Request::Env { target: "all".into() }).await? else {
            return Err(unexpected("env"));
        };
        envs
    } else {
        BTreeMap::new()
    };
    Ok(Value::Array(slots.iter().map(|slot| ui::entry(slot, envs.get(&slot.id))).collect()))
}
