//! `stop`: listed apps, or those of a process file by their names.

use rewake_wire::Request;

use super::session::Session;
use super::{Failure, apps};

pub(super) async fn run(session: &mut Session<'_>, targets: Vec<String>) -> Result<(), Failure> {
    let targets = apps::named(session, targets)?;
    let results = session.ask_each(targets, |target| Request::Stop { target }).await?;
    session.finish("stopped", results).await
}
