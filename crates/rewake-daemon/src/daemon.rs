//! One daemon's life: start-up, the engine beside the server, the orderly end.

use std::cell::Cell;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use rewake_engine::{Ended, Engine, EngineError, Handle, Options};
use rewake_keeper::LOG_FILE;
use rewake_keeper::link::Link;
use rewake_unix::fd;
use rewake_unix::own_log::OwnLog;
use rewake_wire::Request;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;
use tokio::time::timeout;

use crate::files::PidFile;
use crate::server::{Greeter, Server};

/// How long clients get to read their last answers.
const GOODBYE: Duration = Duration::from_secs(1);

/// Room for the descriptors of some fifty apps, 8 KiB; made before there are threads.
const DESCRIPTORS: i32 = 1024;

/// The home's log is put aside when it is longer, and the one before is forgotten: some hundred thousand events.
const MOST_LOG_BYTES: u64 = 10 << 20;

/// Why a daemon could not start, or ended otherwise than in order.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    #[error("set up the runtime")]
    Runtime(#[source] io::Error),
    #[error("write `{path}`")]
    PidFile {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("listen for clients")]
    Listen(#[source] io::Error),
    #[error("take signals")]
    Signals(#[source] io::Error),
    #[error("take requests: the keeper gave no socket")]
    NoSocket,
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Runs the daemon of a home until it is told to end. `link` leads to the keeper, which started it.
///
/// # Errors
/// When it cannot start, or the keeper is lost.
pub fn run(options: Options, link: OwnedFd) -> Result<(), DaemonError> {
    let own = options.home.as_deref().map(|home| OwnLog::bounded(&home.join(LOG_FILE), MOST_LOG_BYTES));
    log_to_stderr(tracing::Level::INFO, own);
    end_at_a_panic();
    block_on(async {
        let (handle, daemon) = Daemon::start(options, link).await?;
        if daemon.server.is_none() {
            return Err(DaemonError::NoSocket);
        }
        reload_logs_on_signal(handle.clone())?;
        end_on_signals(&handle)?;
        tracing::info!(pid = std::process::id(), version = env!("CARGO_PKG_VERSION"), "daemon is up");
        drop(handle);
        daemon.serve().await
    })
}

/// Runs a daemon together with the program that it is there for: `work` gets its handle, and whether it is the first daemon of its
/// keeper. The daemon ends when it is told to; then `work` must return, and its result is given. Signals are the work's matter.
///
/// # Errors
/// As [`run`]; without a home there is no socket, which is no error here.
pub fn run_with<T, W>(options: Options, link: OwnedFd, work: W) -> Result<T, DaemonError>
where
    W: AsyncFnOnce(Handle, bool) -> T,
{
    log_to_stderr(tracing::Level::WARN, None);
    end_at_a_panic();
    block_on(async {
        let (handle, daemon) = Daemon::start(options, link).await?;
        let first = daemon.first;
        let (served, result) = tokio::join!(daemon.serve(), work(handle, first));
        served.map(|()| result)
    })
}

/// `own`: the log that stderr is, if it is one.
fn log_to_stderr(level: tracing::Level, own: Option<OwnLog>) {
    let stderr = move || {
        own.iter().for_each(OwnLog::settle);
        io::stderr()
    };
    tracing_subscriber::fmt().with_ansi(false).with_target(false).with_writer(stderr).with_max_level(level).init();
}

/// A panic, which is a bug, in whatever thread or task ends the process. One that lives on without its logs or its door would be worse:
/// this way the keeper starts another one, which goes on.
fn end_at_a_panic() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tell(panic);
        std::process::abort();
    }));
}

fn block_on<T>(live: impl Future<Output = Result<T, DaemonError>>) -> Result<T, DaemonError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        // The only blocking work is writing the table, one write at a time.
        .max_blocking_threads(1)
        .thread_keep_alive(Duration::from_millis(200))
        .build()
        .map_err(DaemonError::Runtime)?;
    runtime.block_on(LocalSet::new().run_until(live))
}

/// The engine, and where there is a home its door and its file.
struct Daemon {
    engine: Engine,
    server: Option<Rc<Server>>,
    pid_file: Option<PidFile>,
    /// No daemon was there before this one.
    first: bool,
}

impl Daemon {
    async fn start(options: Options, link: OwnedFd) -> Result<(Handle, Self), DaemonError> {
        fd::make_room(&link, DESCRIPTORS);
        let link = Link::new(link).map_err(EngineError::Link)?;
        let home = options.home.clone();
        let (handle, mut engine) = rewake_engine::daemon(link, options)?;
        let greeting = engine.greet().await?;
        let pid_file = home.as_deref().map(PidFile::write).transpose()?;
        let server = match greeting.listener.zip(home) {
            None => None,
            Some((listener, home)) => {
                let greeter = Greeter { keeper_pid: greeting.keeper_pid, home: home.display().to_string() };
                Some(Server::start(listener, handle.clone(), greeter).map_err(DaemonError::Listen)?)
            }
        };
        Ok((handle, Self { engine, server, pid_file, first: greeting.first }))
    }

    async fn serve(self) -> Result<(), DaemonError> {
        let ended = self.engine.run().await;
        if let Some(pid_file) = self.pid_file
            && !matches!(ended, Ok(Ended::HandedOver))
        {
            pid_file.remove();
        }
        if let Some(server) = self.server {
            // A client that does not read its last answer goes without.
            let _ = timeout(GOODBYE, server.close()).await;
        }
        ended.map(drop).map_err(DaemonError::from)
    }
}

/// SIGUSR2 opens the log files anew, as PM2's daemon does.
fn reload_logs_on_signal(handle: Handle) -> Result<(), DaemonError> {
    let mut signals = signal(SignalKind::user_defined2()).map_err(DaemonError::Signals)?;
    tokio::task::spawn_local(async move {
        while signals.recv().await.is_some() {
            if handle.request(Request::ReloadLogs).await.is_err() {
                return;
            }
            // Said when it is so: whoever waits for it may go on.
            tracing::info!("the logs are opened anew, as asked by SIGUSR2");
        }
    });
    Ok(())
}

/// SIGTERM and SIGINT stop everything in order; the second one, of whichever kind, kills what is left.
/// SIGHUP is one of them, too: nobody's terminal is ours.
fn end_on_signals(handle: &Handle) -> Result<(), DaemonError> {
    let asked = Rc::new(Cell::new(false));
    for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()] {
        let mut signals = signal(kind).map_err(DaemonError::Signals)?;
        let (handle, asked) = (handle.clone(), Rc::clone(&asked));
        tokio::task::spawn_local(async move {
            while signals.recv().await.is_some() {
                if asked.replace(true) {
                    tracing::info!("asked again by signal {}: killing what is left", kind.as_raw_value());
                    handle.hurry().await;
                } else {
                    tracing::info!("asked to end by signal {}", kind.as_raw_value());
                    handle.terminate().await;
                }
            }
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_panic_of_a_thread_ends_the_daemon() {
        const CHILD: &str = "REWAKE_TEST_PANICS";
        if std::env::var_os(CHILD).is_some() {
            end_at_a_panic();
            // Without the hook this would be an error here, and go on.
            let _ = std::thread::spawn(|| panic!("as a bug would")).join();
            return;
        }
        let this_test = ["daemon::tests::a_panic_of_a_thread_ends_the_daemon", "--exact", "--nocapture"];
        let output = Command::new(std::env::current_exe().unwrap()).args(this_test).env(CHILD, "1").output().unwrap();
        assert_eq!(output.status.signal(), Some(6), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("as a bug would"));
    }
}
