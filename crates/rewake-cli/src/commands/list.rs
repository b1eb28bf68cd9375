//! `list`: the table of everything.

use super::Failure;
use super::session::Session;

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), Failure> {
    let slots = session.ask_list(None).await?;
    session.ui.list(slots);
    Ok(())
}
