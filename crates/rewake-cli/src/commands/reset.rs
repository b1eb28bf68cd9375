//! `reset`: the restart counters to zero.

use rewake_wire::Request;

use super::Failure;
use super::session::Session;

pub(super) async fn run(session: &mut Session<'_>, targets: Vec<String>) -> Result<(), Failure> {
    let results = session.ask_each(targets, |target| Request::Reset { target }).await?;
    session.finish("reset", results).await
}
