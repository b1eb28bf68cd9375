//! `logs`: what the log files hold, then what is appended, from apps that are started later too.
//! Reads the files themselves: a slow terminal costs the daemon nothing.

mod view;

use std::io;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use rewake_client::{Client, Subscription};
use rewake_logs::{BadQuery, Follower, Query, Wishes};
use rewake_wire::{ErrorCode, ErrorReply, SlotInfo, Subscribe};

use self::view::View;
use super::Failure;
use super::session::Session;
use crate::args::logs::Logs;

/// How long a lost daemon may take to come back (its keeper starts it again) before following ends.
const RETURN_TIMEOUT: Duration = Duration::from_secs(5);
const RETURN_PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn run(session: &mut Session<'_>, args: Logs) -> Result<(), Failure> {
    let query = understood(&args)?;
    end_when_interrupted().map_err(|error| broken("wait for Ctrl-C", &error))?;
    let follows = !args.nostream && args.until.is_none();
    let mut subscription = None;
    if follows {
        // Before the list is read, so that no start falls between the two.
        subscription = Some(subscribe(&session.client().await?).await?);
    }
    let mut view = View::new(session.ui, &args, query, follows.then(|| session.home.logs()));
    let slots = session.ask_list(args.target.clone()).await?;
    view.announce(args.target.as_deref());
    let starts = view.show_history(&slots)?;
    let Some(mut subscription) = subscription else { return Ok(()) };

    let mut follower = Follower::new().map_err(|error| broken("follow log files", &error))?;
    for (at, start) in starts.into_iter().enumerate() {
        view.follow(&mut follower, at, start)?;
    }
    loop {
        tokio::select! {
            waited = follower.wait() => {
                waited.map_err(|error| broken("read log files", &error))?;
                view.show_new(&mut follower)?;
            }
            event = subscription.next() => match event {
                Ok(event) => {
                    if follower.awaits_folders() {
                        look(&mut follower)?;
                    }
                    if view.may_mean_new_files(&event) {
                        let slots = listed(session, args.target.clone()).await;
                        view.add_new(&slots, &mut follower)?;
                    }
                }
                Err(_) => {
                    let Some(client) = returned(session).await? else {
                        look(&mut follower)?;
                        view.show_new(&mut follower)?;
                        session.ui.say("the daemon has ended");
                        return Ok(());
                    };
                    subscription = subscribe(&client).await?;
                    let slots = listed(session, args.target.clone()).await;
                    view.add_new(&slots, &mut follower)?;
                }
            },
        }
    }
}

fn understood(args: &Logs) -> Result<Query, ErrorReply> {
    let Logs { lines, since, until, level, grep, .. } = args.clone();
    let now_ms = jiff::Timestamp::now().as_millisecond();
    Query::new(&Wishes { lines, since, until, level, grep }, now_ms).map_err(|bad| {
        let BadQuery { what, value, hint } = bad;
        ErrorReply::new(ErrorCode::BadRequest, format!("wrong value for `--{what}`, `{value}`")).with_hint(hint)
    })
}

/// Ends the program with success at Ctrl-C, whatever it is doing: reading gigabytes, or writing to a terminal that is stopped.
fn end_when_interrupted() -> io::Result<()> {
    let mut interrupt = SigSet::empty();
    interrupt.add(Signal::SIGINT);
    // Before the thread is made, which inherits it.
    interrupt.thread_block()?;
    std::thread::Builder::new().name("interrupt".into()).spawn(move || {
        if interrupt.wait().is_ok() {
            std::process::exit(0);
        }
    })?;
    Ok(())
}

async fn subscribe(client: &Client) -> Result<Subscription, Failure> {
    Ok(client.subscribe(Subscribe { events: true, ..Subscribe::default() }).await?)
}

/// The slots now. A target that means nothing any more (deleted meanwhile) has none, and the files are still followed; so too while the
/// daemon ends, which the subscription tells next.
async fn listed(session: &mut Session<'_>, target: Option<String>) -> Vec<SlotInfo> {
    session.ask_list(target).await.unwrap_or_default()
}

/// The daemon's successor; `None` when there is none within the bound.
async fn returned(session: &mut Session<'_>) -> Result<Option<Client>, Failure> {
    let deadline = tokio::time::Instant::now() + RETURN_TIMEOUT;
    loop {
        match session.reconnect().await {
            Ok(Some(client)) => return Ok(Some(client)),
            Ok(None) => return Ok(None),
            Err(failure) if tokio::time::Instant::now() >= deadline => return Err(failure),
            // It ended while we greeted it, or has not begun to answer yet.
            Err(_) => tokio::time::sleep(RETURN_PAUSE).await,
        }
    }
}

fn look(follower: &mut Follower) -> Result<(), Failure> {
    follower.look().map_err(|error| broken("read log files", &error))
}

fn broken(what: &str, error: &io::Error) -> Failure {
    let reply = ErrorReply::new(ErrorCode::Storage, format!("failed to {what}: {error}"));
    let hint = match error.raw_os_error() {
        Some(nix::libc::ENOSPC) => Some("this user watches too many files: raise fs.inotify.max_user_watches"),
        Some(nix::libc::EMFILE) => Some("too many open files, or fs.inotify.max_user_instances is reached"),
        Some(_) | None => None,
    };
    hint.map_or(reply.clone(), |hint| reply.with_hint(hint)).into()
}
