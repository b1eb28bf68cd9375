//! `update`: lets this executable go on in place of the daemon's. Never starts a daemon just to update it; says when the former one
//! had to go on.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rewake_wire::{ErrorCode, ErrorReply, Reply, Request};
use serde_json::json;

use super::Failure;
use super::session::{Session, unexpected};

/// How long the new daemon may take until it answers; with the way back to the former one.
const TAKE_OVER_TIMEOUT: Duration = Duration::from_secs(60);

/// How many daemons in a row may give way to others before this one's turn.
const TRIES: usize = 10;

/// Pause between two tries to hear of the new daemon.
const PAUSE: Duration = Duration::from_millis(20);

pub(super) async fn run(session: &mut Session<'_>, executable: Option<PathBuf>) -> Result<(), Failure> {
    let home = session.home.path().display().to_string();
    let ours = env!("CARGO_PKG_VERSION");
    let begun = Instant::now();
    let (path, token) = (path_of(executable)?, token());
    if !ask(session, &path, token).await? {
        session.ui.say(&format!("no daemon runs in {home}; the next one is version {ours}"));
        if session.ui.json {
            session.ui.json_data(&json!({ "updated": false, "from": null, "to": ours, "ms": 0 }));
        }
        return Ok(());
    }
    let (Reply::Updated { from, failed }, to) = outcome(session, token).await? else {
        return Err(unexpected("update"));
    };
    let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    if let Some(why) = failed {
        let message = format!("version {from} goes on, all processes with it: {why}");
        let hint = format!("see {}", session.home.daemon_log().display());
        return Err(ErrorReply::new(ErrorCode::UpdateRefused, message).with_hint(hint).into());
    }
    session.ui.say(&format!("updated the daemon in {home} from {from} to {to} in {ms} ms; no process was touched"));
    if session.ui.json {
        session.ui.json_data(&json!({ "updated": true, "from": from, "to": to, "ms": ms }));
    }
    Ok(())
}

/// Asks the daemon that runs to give way; `false` when none runs. One that is just giving way to another executable is asked no more:
/// its successor is.
async fn ask(session: &Session<'_>, path: &str, token: u64) -> Result<bool, Failure> {
    for tries_left in (0..TRIES).rev() {
        let Some(client) = session.client_for_update().await? else { return Ok(false) };
        match client.request(Request::Update { path: path.to_owned(), token }).await {
            Ok(Reply::HandingOver) => return Ok(true),
            Ok(_) => return Err(unexpected("update")),
            Err(error) if tries_left > 0 && is_between(&error.to_reply()) => tokio::time::sleep(PAUSE).await,
            // One that ends the connection each time does not know the question.
            Err(error) if error.to_reply().code == ErrorCode::Unreachable => {
                return Err(too_old(&client.welcome().version).into());
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(unexpected("update"))
}

/// A daemon from before there was an `update`.
fn too_old(version: &str) -> ErrorReply {
    let message =
        format!("nothing was updated: the daemon that runs (version {version}) cannot give way to another executable");
    ErrorReply::new(ErrorCode::UpdateRefused, message)
        .with_hint("`rewake save`, `rewake kill` and `rewake resurrect` do it, with an interruption")
}

/// What the daemon that serves now says became of it. The former one ends its connections in between, and one that does not come up
/// never answers those it has taken.
async fn outcome(session: &Session<'_>, token: u64) -> Result<(Reply, String), Failure> {
    let deadline = Instant::now() + TAKE_OVER_TIMEOUT;
    loop {
        let answer = match session.client_for_update().await {
            Ok(Some(client)) => {
                let answer = client.request(Request::Updated { token }).await;
                answer.map(|reply| (reply, client.welcome().version.clone())).map_err(Failure::from)
            }
            Ok(None) => Err(ErrorReply::new(ErrorCode::Unreachable, "the supervisor has ended").into()),
            Err(failure) => Err(failure),
        };
        match answer {
            Err(Failure::Untold(error)) if is_between(&error) && Instant::now() < deadline => {
                tokio::time::sleep(PAUSE).await;
            }
            answer => return answer,
        }
    }
}

/// Whether an error only says that the former daemon is just ending.
fn is_between(error: &ErrorReply) -> bool {
    matches!(error.code, ErrorCode::Unreachable | ErrorCode::ShuttingDown)
}

/// The executable by its path: what the daemon is to be found under later.
fn path_of(executable: Option<PathBuf>) -> Result<String, ErrorReply> {
    let path: Option<PathBuf> = match executable {
        Some(named) => {
            let error = |error| ErrorReply::new(ErrorCode::BadRequest, format!("`{}`: {error}", named.display()));
            Some(named.canonicalize().map_err(error)?)
        }
        None => std::env::current_exe().ok().filter(|path| path.exists()),
    };
    path.and_then(|path| path.into_os_string().into_string().ok()).ok_or_else(|| {
        ErrorReply::new(ErrorCode::BadRequest, "this executable was replaced while it ran, or its path is not UTF-8")
    })
}

/// A number that no other update has.
fn token() -> u64 {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    (nanos as u64) ^ u64::from(std::process::id())
}
