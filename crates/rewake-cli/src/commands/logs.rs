//! `logs`: the last lines of each file, then what is appended, from apps that are started later too.
//! Reads the files themselves: a slow terminal costs the daemon nothing.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rewake_client::{Client, Subscription};
use rewake_wire::{ErrorCode, ErrorReply, Event, SlotInfo, Stream, Subscribe};

use super::Failure;
use super::session::Session;
use crate::args::logs::Logs;
use crate::follow::{self, Follower};
use crate::ui::log_line::{self, LineForm, Origin, Shape};
use crate::ui::{Colour, Ui};

/// How long a lost daemon may take to come back (its keeper starts it again) before following ends.
const RETURN_TIMEOUT: Duration = Duration::from_secs(5);
const RETURN_PAUSE: Duration = Duration::from_millis(100);

/// Columns that all labels are padded to at most: one long name must not push every line to the right.
const WIDEST_LABEL: usize = 24;

/// Bytes that are gathered before they are written.
const CHUNK: usize = 64 << 10;

pub(super) async fn run(session: &mut Session<'_>, args: Logs) -> Result<(), Failure> {
    // Around everything, so that Ctrl-C is heard whatever we wait for.
    tokio::select! {
        shown = show(session, args) => shown,
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(|error| broken("wait for Ctrl-C", &error)),
    }
}

async fn show(session: &mut Session<'_>, args: Logs) -> Result<(), Failure> {
    let mut sizes = HashMap::new();
    let mut subscription = None;
    if !args.nostream {
        // Before the list is read, so that no start falls between the two.
        subscription = Some(subscribe(&session.client().await?).await?);
        sizes = sizes_of(&session.home.logs());
    }
    let slots = session.ask_list(args.target.clone()).await?;
    let mut view = View::new(session.ui, &args, sizes);
    view.announce(args.target.as_deref());
    let positions = view.add_and_show_last(&slots, args.lines)?;
    if let Some(subscription) = subscription {
        follow(session, &args, view, positions, subscription).await?;
    }
    Ok(())
}

async fn follow(
    session: &mut Session<'_>,
    args: &Logs,
    mut view: View<'_>,
    positions: Vec<u64>,
    mut subscription: Subscription,
) -> Result<(), Failure> {
    let mut follower = Follower::new().map_err(|error| broken("follow log files", &error))?;
    for (at, position) in positions.into_iter().enumerate() {
        view.follow(&mut follower, at, position)?;
    }
    view.show(|print| follower.look(print))?;
    loop {
        tokio::select! {
            read = view.next(&mut follower) => read?,
            event = subscription.next() => match event {
                Ok(event) => {
                    if follower.awaits_folders() {
                        view.show(|print| follower.look(print))?;
                    }
                    if view.may_mean_new_files(&event) {
                        let slots = listed(session, args.target.clone()).await?;
                        view.add_new(&slots, &mut follower)?;
                    }
                }
                Err(_) => {
                    let Some(client) = returned(session).await? else {
                        view.show(|print| follower.look(print))?;
                        session.ui.say("the daemon has ended");
                        return Ok(());
                    };
                    subscription = subscribe(&client).await?;
                }
            },
        }
    }
}

async fn subscribe(client: &Client) -> Result<Subscription, Failure> {
    Ok(client.subscribe(Subscribe { events: true, ..Subscribe::default() }).await?)
}

/// The slots now. A target that means nothing any more (deleted meanwhile) has none, and the files are still followed.
async fn listed(session: &mut Session<'_>, target: Option<String>) -> Result<Vec<SlotInfo>, Failure> {
    match session.ask_list(target).await {
        Err(Failure::Untold(error)) if matches!(error.code, ErrorCode::NotFound | ErrorCode::Unreachable) => {
            Ok(Vec::new())
        }
        result => result,
    }
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

/// What is shown, and how.
#[derive(Debug)]
struct View<'a> {
    ui: &'a Ui,
    form: LineForm,
    streams: Vec<Stream>,
    headings: bool,
    /// In the order in which files were added: the follower's indexes.
    files: Vec<(PathBuf, Origin)>,
    known: HashSet<u32>,
    /// How long each file of the log folder was when we began: what it had then is not new.
    sizes: HashMap<PathBuf, u64>,
}

impl<'a> View<'a> {
    fn new(ui: &'a Ui, args: &Logs, sizes: HashMap<PathBuf, u64>) -> Self {
        let shape = match (ui.json, args.format, args.raw) {
            (true, _, _) => Shape::Json,
            (false, true, _) => Shape::KeyValue,
            (false, false, true) => Shape::Raw,
            (false, false, false) => Shape::Labelled,
        };
        let streams = match (args.only_out, args.only_err) {
            (true, _) => vec![Stream::Out],
            (false, true) => vec![Stream::Err],
            (false, false) => vec![Stream::Err, Stream::Out],
        };
        let form = LineForm {
            shape,
            styles: ui.out,
            label_width: 0,
            timestamp: args.timestamp.clone(),
            highlight: args.highlight.clone(),
        };
        let headings = shape == Shape::Labelled;
        Self { ui, form, streams, headings, files: Vec::new(), known: HashSet::new(), sizes }
    }

    fn announce(&self, target: Option<&str>) {
        if self.headings {
            let what = target.unwrap_or("all");
            self.heading(&format!("tailing the last lines of {what} (more with --lines)"));
        }
    }

    fn heading(&self, text: &str) {
        self.ui.say(&self.ui.err.paint(Colour::Dim, text));
    }

    /// Takes in the files of these slots; gives the indexes of the new ones.
    fn add(&mut self, slots: &[SlotInfo]) -> std::ops::Range<usize> {
        let before = self.files.len();
        for slot in slots {
            self.known.insert(slot.id);
            for stream in &self.streams {
                let path = match stream {
                    Stream::Out => slot.out_log.as_deref(),
                    Stream::Err => slot.error_log.as_deref(),
                };
                let Some(path) = path.map(Path::new).filter(|path| *path != Path::new("/dev/null")) else { continue };
                if let Some((_, origin)) = self.files.iter_mut().find(|(known, _)| known == path) {
                    // Instances that share a file cannot be told apart in it.
                    if origin.id != slot.id {
                        origin.label.clone_from(&origin.name);
                    }
                    continue;
                }
                let label = format!("{}|{}", slot.id, slot.name);
                let origin = Origin { id: slot.id, name: slot.name.clone(), label, stream: *stream };
                self.files.push((path.to_path_buf(), origin));
            }
        }
        let widths = self.files.iter().map(|(_, origin)| log_line::label_width(&origin.label));
        self.form.label_width = widths.max().unwrap_or(0).min(WIDEST_LABEL);
        before..self.files.len()
    }

    /// The last lines of each file; gives the positions up to which they were shown.
    fn add_and_show_last(&mut self, slots: &[SlotInfo], lines: usize) -> Result<Vec<u64>, Failure> {
        let mut positions = Vec::new();
        for at in self.add(slots) {
            let path = self.files[at].0.clone();
            let result = match File::open(&path) {
                Ok(file) => self.show_last(at, file, lines),
                Err(error) => Err(error),
            };
            positions.push(match result {
                Ok(end) => end,
                Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
                Err(error) => return Err(broken(&format!("read `{}`", path.display()), &error)),
            });
        }
        Ok(positions)
    }

    fn show_last(&self, at: usize, mut file: File, lines: usize) -> io::Result<u64> {
        let (start, end) = follow::start_of_last_lines(&mut file, lines)?;
        if start == end {
            return Ok(end);
        }
        let (path, origin) = &self.files[at];
        if self.headings {
            self.heading(&format!("{} last {lines} lines:", path.display()));
        }
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(end - start).read_to_end(&mut bytes)?;
        let mut text = Vec::new();
        let ends_whole = bytes.last() == Some(&b'\n');
        let body = if ends_whole { &bytes[..bytes.len() - 1] } else { &bytes[..] };
        for line in body.split(|byte| *byte == b'\n') {
            self.form.write(&mut text, origin, line, None);
        }
        self.ui.data(text);
        Ok(start + bytes.len() as u64)
    }

    fn follow(&self, follower: &mut Follower, at: usize, position: u64) -> Result<(), Failure> {
        let path = &self.files[at].0;
        match follower.add(path, position) {
            Ok(index) => debug_assert_eq!(index, at, "the follower counts as the view does"),
            Err(error) => return Err(broken(&format!("follow `{}`", path.display()), &error)),
        }
        Ok(())
    }

    fn add_new(&mut self, slots: &[SlotInfo], follower: &mut Follower) -> Result<(), Failure> {
        for at in self.add(slots) {
            // What a file of that name already held when we began belongs to an earlier life; outside of our folder
            // we cannot know, and take what is there now as old.
            let path = &self.files[at].0;
            let in_logs = self.sizes.contains_key(path.parent().unwrap_or(path));
            let old = || fs::metadata(path).map_or(0, |found| found.len());
            let position = self.sizes.get(path).copied().unwrap_or_else(|| if in_logs { 0 } else { old() });
            self.follow(follower, at, position)?;
        }
        self.show(|print| follower.look(print))
    }

    /// Whether a slot was started that is not followed yet.
    fn may_mean_new_files(&self, event: &Event) -> bool {
        match event {
            Event::Process(event) => !self.known.contains(&event.id),
            Event::Missed { .. } => true,
            Event::Message(_) | Event::Log(_) => false,
        }
    }

    async fn next(&self, follower: &mut Follower) -> Result<(), Failure> {
        let mut text = Vec::new();
        let now = jiff::Zoned::now();
        let read = follower.next(|at, line| self.print(&mut text, at, line, &now)).await;
        self.ui.data(text);
        read.map_err(|error| broken("read log files", &error))
    }

    fn show(&self, read: impl FnOnce(&mut dyn FnMut(usize, &[u8])) -> io::Result<()>) -> Result<(), Failure> {
        let mut text = Vec::new();
        let now = jiff::Zoned::now();
        let result = read(&mut |at, line| self.print(&mut text, at, line, &now));
        self.ui.data(text);
        result.map_err(|error| broken("read log files", &error))
    }

    fn print(&self, text: &mut Vec<u8>, at: usize, line: &[u8], now: &jiff::Zoned) {
        self.form.write(text, &self.files[at].1, line, Some(now));
        if text.len() >= CHUNK {
            self.ui.data(&text);
            text.clear();
        }
    }
}

/// Sizes of the files in the log folder, and the folder itself as a mark that it was looked at.
fn sizes_of(folder: &Path) -> HashMap<PathBuf, u64> {
    let mut sizes = HashMap::from([(folder.to_path_buf(), 0)]);
    // A folder that is not there has no old files.
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    sizes.extend(entries.filter_map(|entry| Some((entry.path(), entry.metadata().ok()?.len()))));
    sizes
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
