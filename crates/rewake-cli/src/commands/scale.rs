//! `scale`: more or fewer instances of an app.

use rewake_wire::Request;

use super::Failure;
use super::session::{Results, Session};
use crate::args::scale::Scale;

pub(super) async fn run(session: &mut Session<'_>, args: Scale) -> Result<(), Failure> {
    let mut results = Results::default();
    let done = session.ask_done(Request::Scale { target: args.target, to: args.to }).await;
    results.add(done)?;
    session.finish("scaled", results).await
}
