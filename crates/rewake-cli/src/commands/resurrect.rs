//! `resurrect`: starts what `save` wrote down.

use rewake_wire::Request;

use super::Failure;
use super::session::{Results, Session};

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), Failure> {
    let mut results = Results::default();
    results.add(session.ask_done(Request::Resurrect).await)?;
    if results.is_good() && results.slots.is_empty() {
        session.ui.say("nothing to start: all that was saved runs already");
    }
    session.finish("restored", results).await
}
