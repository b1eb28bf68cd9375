//! Many files followed at once by one inotify. A file that is renamed is read to its end before its successor;
//! one that does not exist yet is read from its beginning once it does.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use nix::sys::inotify::WatchDescriptor;

use super::file::Followed;
use super::watch::{Change, Watch};

/// Follows files and gives their lines with the index that `add` gave.
#[derive(Debug)]
pub(crate) struct Follower {
    watch: Watch,
    files: Vec<Followed>,
    by_file: HashMap<WatchDescriptor, usize>,
    by_folder: HashMap<WatchDescriptor, PathBuf>,
    /// Folders that do not exist yet.
    awaited: Vec<PathBuf>,
}

impl Follower {
    /// # Errors
    /// When the kernel has no inotify instance left for this user.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            watch: Watch::new()?,
            files: Vec::new(),
            by_file: HashMap::new(),
            by_folder: HashMap::new(),
            awaited: Vec::new(),
        })
    }

    /// Follows the file at `path` from `position` on; gives its index. It need not exist yet. Nobody tells when a missing
    /// folder comes into being: [`Follower::look`] finds it.
    ///
    /// # Errors
    /// When the folder cannot be watched or the file not read.
    pub(crate) fn add(&mut self, path: &Path, position: u64) -> io::Result<usize> {
        // The folder first: a file that comes into being between the two is then seen twice rather than never.
        if let Some(folder) = path.parent() {
            self.watch_folder(folder.to_path_buf())?;
        }
        self.files.push(Followed::new(path.to_path_buf()));
        let at = self.files.len() - 1;
        self.open(at, position)?;
        Ok(at)
    }

    /// Waits until something was appended, and gives each new whole line with its file's index.
    ///
    /// # Errors
    /// When a file can no longer be read.
    pub(crate) async fn next(&mut self, mut line: impl FnMut(usize, &[u8])) -> io::Result<()> {
        for change in self.watch.changes().await? {
            match change {
                Change::Written(watch) => {
                    if let Some(at) = self.by_file.get(&watch).copied() {
                        self.files[at].read(|text| line(at, text))?;
                    }
                }
                Change::Appeared(watch, name) => {
                    let Some(folder) = self.by_folder.get(&watch) else { continue };
                    let named = (0..self.files.len()).filter(|at| self.files[*at].is_in(folder, &name));
                    for at in named.collect::<Vec<_>>() {
                        self.look_again(at, &mut line)?;
                    }
                }
                Change::Overflow => {
                    for at in 0..self.files.len() {
                        self.look_again(at, &mut line)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads what there is now, without waiting.
    ///
    /// # Errors
    /// When a file can no longer be read.
    pub(crate) fn look(&mut self, mut line: impl FnMut(usize, &[u8])) -> io::Result<()> {
        for folder in std::mem::take(&mut self.awaited) {
            self.watch_folder(folder)?;
        }
        (0..self.files.len()).try_for_each(|at| self.look_again(at, &mut line))
    }

    /// Whether some folder does not exist yet.
    pub(crate) fn awaits_folders(&self) -> bool {
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

    fn look_again(&mut self, at: usize, line: &mut impl FnMut(usize, &[u8])) -> io::Result<()> {
        self.files[at].read(|text| line(at, text))?;
        if !self.files[at].is_open() || self.files[at].is_replaced() {
            self.files[at].close(|text| line(at, text));
            let old = self.by_file.iter().find(|(_, file)| **file == at).map(|(watch, _)| *watch);
            if let Some(old) = old {
                self.by_file.remove(&old);
                self.watch.forget(old);
            }
            self.open(at, 0)?;
            self.files[at].read(|text| line(at, text))?;
        }
        Ok(())
    }

    fn open(&mut self, at: usize, position: u64) -> io::Result<()> {
        // The watch first, so that nothing is written unseen between it and the first read; a path that is exchanged
        // between the two is found by the folder's watch.
        match self.watch.file(&self.files[at].path) {
            Ok(watch) => drop(self.by_file.insert(watch, at)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        }
        self.files[at].open_at(position)
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

        async fn until(&mut self, count: usize) -> Vec<String> {
            let wait = async {
                while self.lines.len() < count {
                    let lines = &mut self.lines;
                    self.follower.next(|_, line| lines.push(String::from_utf8_lossy(line).into_owned())).await.unwrap();
                }
            };
            let waited = tokio::time::timeout(Duration::from_secs(10), wait).await;
            assert!(waited.is_ok(), "only {:?} within ten seconds, not {count} lines", self.lines);
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
        it.follower.add(&path, 4).unwrap();
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
        it.follower.add(&path, u64::MAX).unwrap();
        File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
        append(&path, "new\n");
        assert_eq!(it.until(1).await, ["new"]);
    }

    #[tokio::test]
    async fn a_rotated_file_is_read_to_its_end_and_then_its_successor() {
        let mut it = Followers::new();
        let (path, rotated) = (it.path("a.log"), it.path("a.log.1"));
        append(&path, "");
        it.follower.add(&path, 0).unwrap();
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
        it.follower.add(&path, 0).unwrap();
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
        it.follower.add(&folder.join("a.log"), 0).unwrap();
        assert!(it.follower.awaits_folders());
        fs::create_dir(&folder).unwrap();
        append(&folder.join("a.log"), "one\n");
        let lines = &mut it.lines;
        it.follower.look(|_, line| lines.push(String::from_utf8_lossy(line).into_owned())).unwrap();
        assert_eq!(std::mem::take(&mut it.lines), ["one"]);
        assert!(!it.follower.awaits_folders());
        append(&folder.join("a.log"), "two\n");
        assert_eq!(it.until(1).await, ["two"]);
    }

    #[tokio::test]
    async fn many_files_are_told_apart() {
        let mut it = Followers::new();
        let paths: Vec<PathBuf> = (0..50).map(|at| it.path(&format!("{at}.log"))).collect();
        for path in &paths {
            it.follower.add(path, 0).unwrap();
        }
        for (at, path) in paths.iter().enumerate() {
            append(path, &format!("{at}\n"));
        }
        let mut seen = 0;
        let wait = async {
            while seen < 50 {
                it.follower
                    .next(|at, line| {
                        assert_eq!(line, at.to_string().as_bytes());
                        seen += 1;
                    })
                    .await
                    .unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(10), wait).await.unwrap();
    }
}
