//! `env`: the environment that a slot's next process gets. The one verb that shows it.

use rewake_wire::{Reply, Request};
use serde_json::json;

use super::Failure;
use super::session::{Session, unexpected};
use crate::ui::safe;

pub(super) async fn run(session: &mut Session<'_>, target: String) -> Result<(), Failure> {
    let Reply::Env(envs) = session.ask(Request::Env { target }).await? else { return Err(unexpected("env")) };
    if session.ui.json {
        session.ui.json_data(&json!(envs));
        return Ok(());
    }
    let several = envs.len() > 1;
    let mut text = String::new();
    for (id, env) in &envs {
        if several {
            text.push_str(&format!("# id {id}\n"));
        }
        for (key, value) in env {
            text.push_str(&format!("{}: {}\n", safe(key), safe(value)));
        }
    }
    session.ui.data(text);
    Ok(())
}
