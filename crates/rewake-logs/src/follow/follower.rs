//! Many files followed at once by one inotify. A file that is renamed is read to its end before its successor;
//! one that does not exist yet is read from its beginning once it does.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use nix::sys::inotify::WatchDescriptor;

use super::file::{Followed, Start};
use super::watch::{Change, Watch};
use crate::forward::Piece;

/// Follows files and gives their lines with the index that `add` gave.
#[derive(Debug)]
pub struct Follower {
    watch: Watch,
    files: Vec<Followed>,
    by_file: HashMap<WatchDescriptor, usize>,
    by_folder: HashMap<WatchDescriptor, PathBuf>,
    /// Folders that do not exist yet.
    awaited: Vec<PathBuf>,
    /// Files that may hold something that was not read.
    unread: BTreeSet<usize>,
    /// Whose turn it is.
    turn: usize,
}

impl Follower {
    /// # Errors
    /// When the kernel has no inotify instance left for this user.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            watch: Watch::new()?,
            files: Vec::new(),
            by_file: HashMap::new(),
            by_folder: HashMap::new(),
            awaited: Vec::new(),
            unread: BTreeSet::new(),
            turn: 0,
        })
    }

    /// Follows the file at `path`; gives its index. It need not exist yet. Nobody tells when a missing folder comes into being:
    /// [`Follower::look`] finds it.
    ///
    /// # Errors
    /// When the folder cannot be watched or the file not read.
    pub fn add(&mut self, path: &Path, start: Start) -> io::Result<usize> {
        // The folder first: a file that comes into being between the two is then seen twice rather than never.
        if let Some(folder) = path.parent() {
            self.watch_folder(folder.to_path_buf())?;
        }
        self.files.push(Followed::new(path.to_path_buf()));
        let at = self.files.len() - 1;
        let began = self.files[at].begin(start)?;
        self.watch_file(at, began)?;
        // It may have been moved since whoever gave us the file has opened it.
        self.look_at(at)?;
        Ok(at)
    }

    /// Waits until there may be something to read. Cancelling loses nothing.
    ///
    /// # Errors
    /// When the kernel no longer tells of changes.
    pub async fn wait(&mut self) -> io::Result<()> {
        while self.unread.is_empty() {
            for change in self.watch.changes().await? {
                self.note(change)?;
            }
        }
        Ok(())
    }

    fn note(&mut self, change: Change) -> io::Result<()> {
        match change {
            Change::Written(watch) => self.unread.extend(self.by_file.get(&watch)),
            Change::Appeared(watch, name) => {
                let Some(folder) = self.by_folder.get(&watch) else { return Ok(()) };
                let named: Vec<usize> =
                    (0..self.files.len()).filter(|at| self.files[*at].is_in(folder, &name)).collect();
                named.into_iter().try_for_each(|at| self.look_at(at))?;
            }
            Change::Ended(watch) => {
                self.by_file.remove(&watch);
                // Made anew, if it is.
                self.awaited.extend(self.by_folder.remove(&watch));
            }
            Change::Overflow => self.look()?,
        }
        Ok(())
    }

    /// Gives what there is, each piece with its file's index, at most about `budget` bytes. Whether there may be more: whoever is slow asks
    /// for more when it can.
    ///
    /// # Errors
    /// When a file can no longer be read.
    pub fn read(&mut self, budget: usize, mut give: impl FnMut(usize, Piece<'_>)) -> io::Result<bool> {
        let mut left = budget;
        while let Some(at) = self.unread.range(self.turn..).next().or(self.unread.first()).copied() {
            // One that is written to without a pause does not keep the others from being read.
            self.turn = at + 1;
            if self.files[at].read(&mut left, &mut |piece| give(at, piece))? {
                return Ok(true);
            }
            self.unread.remove(&at);
        }
        Ok(false)
    }

    /// Looks at everything anew; what there is can be read then.
    ///
    /// # Errors
    /// When a file can no longer be read.
    pub fn look(&mut self) -> io::Result<()> {
        for folder in std::mem::take(&mut self.awaited) {
            self.watch_folder(folder)?;
        }
        (0..self.files.len()).try_for_each(|at| self.look_at(at))
    }

    /// Whether some folder does not exist yet.
    #[must_use]
    pub fn awaits_folders(&self) -> bool {
        !self.awaited.is_empty()
    }

    fn watch_folder(&mut self, folder: PathBuf) -> io::Result<()> {
        match self.watch.folder(&folder) {
            Ok(watch) => drop(self.by_folder.insert(watch, folder)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.awaited.push(folder),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Looks whether the name means another file.
    fn look_at(&mut self, at: usize) -> io::Result<()> {
        let successor = self.files[at].look_for_successor()?;
        self.watch_file(at, successor)?;
        self.unread.insert(at);
        Ok(())
    }

    fn watch_file(&mut self, at: usize, file: Option<impl AsRef<File>>) -> io::Result<()> {
        if let Some(file) = file {
            // Before it is read for the first time, so that nothing is written unseen.
            self.by_file.insert(self.watch.file(file.as_ref())?, at);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File, OpenOptions};
    use std::io::Write as _;
    use std::time::Duration;

    use super::*;

    struct Followers {
        follower: Follower,
        lines: Vec<String>,
        folder: tempfile::TempDir,
    }

    impl Followers {
        fn new() -> Self {
            Self { follower: Follower::new().unwrap(), lines: Vec::new(), folder: tempfile::tempdir().unwrap() }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn read(&mut self) {
            let lines = &mut self.lines;
            // A budget of a few bytes: what is cut anywhere is whole in the end.
            while self
                .follower
                .read(5, |_, piece| lines.push(String::from_utf8_lossy(piece.bytes).into_owned()))
                .unwrap()
            {}
        }

        async fn until(&mut self, count: usize) -> Vec<String> {
            let wait = async {
                while self.lines.len() < count {
                    self.follower.wait().await.unwrap();
                    self.read();
                }
            };
            let waited = tokio::time::timeout(Duration::from_secs(60), wait).await;
            assert!(waited.is_ok(), "only {:?} within a minute, not {count} lines", self.lines);
            std::mem::take(&mut self.lines)
        }
    }

    fn append(path: &Path, text: &str) {
        let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    #[tokio::test]
    async fn appended_lines_come_whole_and_once() {
        let mut it = Followers::new();
        let path = it.path("a.log");
        append(&path, "old\n");
        it.follower.add(&path, Start::At(4)).unwrap();
        append(&path, "one\ntw");
        assert_eq!(it.until(1).await, ["one"]);
        append(&path, "o\nthree\n");
        assert_eq!(it.until(2).await, ["two", "three"]);
    }

    #[tokio::test]
    async fn a_truncated_file_is_read_from_its_beginning() {
        let mut it = Followers::new();
        let path = it.path("a.log");
        append(&path, "a long line that was there before\n");
        it.follower.add(&path, Start::At(u64::MAX)).unwrap();
        File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
        append(&path, "new\n");
        assert_eq!(it.until(1).await, ["new"]);
    }

    #[tokio::test]
    async fn a_rotated_file_is_read_to_its_end_and_then_its_successor() {
        let mut it = Followers::new();
        let (path, rotated) = (it.path("a.log"), it.path("a.log.1"));
        append(&path, "");
        it.follower.add(&path, Start::At(0)).unwrap();
        fs::rename(&path, &rotated).unwrap();
        // The writer still has the old one open, and writes to both.
        append(&rotated, "last of the old\n");
        append(&path, "first of the new\n");
        assert_eq!(it.until(2).await, ["last of the old", "first of the new"]);
        append(&path, "second\n");
        assert_eq!(it.until(1).await, ["second"]);
    }

    #[tokio::test]
    async fn a_file_that_comes_later_or_comes_back_is_followed() {
        let mut it = Followers::new();
        let path = it.path("later.log");
        it.follower.add(&path, Start::At(0)).unwrap();
        append(&path, "hello\n");
        assert_eq!(it.until(1).await, ["hello"]);
        fs::remove_file(&path).unwrap();
        append(&path, "again\n");
        assert_eq!(it.until(1).await, ["again"]);
        fs::rename(it.path("later.log"), it.path("away")).unwrap();
        let other = it.path("other");
        append(&other, "moved here\n");
        fs::rename(&other, &path).unwrap();
        assert_eq!(it.until(1).await, ["moved here"]);
    }

    #[tokio::test]
    async fn a_folder_that_comes_later_is_found_at_the_next_look() {
        let mut it = Followers::new();
        let folder = it.path("logs");
        it.follower.add(&folder.join("a.log"), Start::At(0)).unwrap();
        assert!(it.follower.awaits_folders());
        fs::create_dir(&folder).unwrap();
        append(&folder.join("a.log"), "one\n");
        it.follower.look().unwrap();
        it.read();
        assert_eq!(std::mem::take(&mut it.lines), ["one"]);
        assert!(!it.follower.awaits_folders());
        append(&folder.join("a.log"), "two\n");
        assert_eq!(it.until(1).await, ["two"]);
    }

    #[tokio::test]
    async fn a_file_that_was_cut_and_has_grown_again_is_read_from_its_beginning() {
        let mut it = Followers::new();
        let path = it.path("a.log");
        append(&path, "one\n");
        it.follower.add(&path, Start::At(u64::MAX)).unwrap();
        // Nobody looked between the two.
        fs::write(&path, "").unwrap();
        append(&path, "much longer than what was there\nand more\n");
        assert_eq!(it.until(2).await, ["much longer than what was there", "and more"]);
    }

    #[tokio::test]
    async fn files_that_came_and_were_put_aside_unseen_are_read_in_their_order() {
        let mut it = Followers::new();
        let path = it.path("a.log");
        append(&path, "first\n");
        it.follower.add(&path, Start::At(0)).unwrap();
        let date = "2026-11-21_13-45-00";
        for (number, text) in [("", "old end\n"), ("-2", "second\n"), ("-3", "third\n")] {
            append(&path, text);
            let name = it.path(&format!("a__{date}{number}.log"));
            fs::rename(&path, &name).unwrap();
            // As far apart as the clock of files can tell.
            let now = std::time::SystemTime::now()
                + Duration::from_secs(number.len() as u64 * 10 + number.ends_with('3') as u64);
            File::options().write(true).open(&name).unwrap().set_modified(now).unwrap();
        }
        append(&path, "last\n");
        assert_eq!(it.until(5).await, ["first", "old end", "second", "third", "last"]);
    }

    #[tokio::test]
    async fn a_writer_that_goes_on_with_the_old_file_beside_an_empty_new_one_is_heard() {
        let mut it = Followers::new();
        let (path, rotated) = (it.path("a.log"), it.path("a.log.1"));
        append(&path, "one\n");
        it.follower.add(&path, Start::At(0)).unwrap();
        assert_eq!(it.until(1).await, ["one"]);
        fs::rename(&path, &rotated).unwrap();
        append(&path, "");
        append(&rotated, "two\n");
        assert_eq!(it.until(1).await, ["two"]);
        append(&rotated, "three\n");
        append(&path, "four\n");
        assert_eq!(it.until(2).await, ["three", "four"]);
    }

    #[tokio::test]
    async fn many_files_are_told_apart() {
        let mut it = Followers::new();
        let paths: Vec<PathBuf> = (0..50).map(|at| it.path(&format!("{at}.log"))).collect();
        for path in &paths {
            it.follower.add(path, Start::At(0)).unwrap();
        }
        for (at, path) in paths.iter().enumerate() {
            append(path, &format!("{at}\n"));
        }
        let mut seen = 0;
        let wait = async {
            while seen < 50 {
                it.follower.wait().await.unwrap();
                let count = |at: usize, piece: Piece<'_>| {
                    assert_eq!(piece.bytes, at.to_string().as_bytes());
                    seen += 1;
                };
                assert!(!it.follower.read(1 << 20, count).unwrap());
            }
        };
        tokio::time::timeout(Duration::from_secs(60), wait).await.unwrap();
    }
}
