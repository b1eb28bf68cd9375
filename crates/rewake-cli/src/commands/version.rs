//! `version`: this program's, and the daemon's if one runs. Never starts one.

use serde_json::json;

use super::Failure;
use super::session::Session;

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), Failure> {
    let ours = env!("CARGO_PKG_VERSION");
    // A daemon that cannot be asked has no version to show; this program's is still an answer.
    let daemon = session.running_client().await.ok().flatten().map(|client| client.welcome().version.clone());
    if session.ui.json {
        session.ui.json_data(&json!({ "version": ours, "daemon": daemon }));
        return Ok(());
    }
    session.ui.data(format!("{ours}\n"));
    if let Some(daemon) = daemon.filter(|daemon| daemon != ours) {
        session.ui.warn(&format!("the daemon that runs is version {daemon}"));
    }
    Ok(())
}
