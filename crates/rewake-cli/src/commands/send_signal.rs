//! `send-signal`: to the process alone, not to its tree.

use rewake_wire::Request;

use super::Failure;
use super::session::Session;

pub(super) async fn run(session: &mut Session<'_>, signal: String, targets: Vec<String>) -> Result<(), Failure> {
    let results = session.ask_each(targets, |target| Request::Signal { target, signal: signal.clone() }).await?;
    session.finish("signalled", results).await
}
