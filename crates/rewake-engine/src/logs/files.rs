//! All log files that streams are written to, each opened once however many streams there are. Decides nothing about their content.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::compress::Housekeeper;
use super::file::LogFile;
use super::ledger::Key;
use super::rotate::Rules;

/// The files, by path.
#[derive(Debug, Default)]
pub(crate) struct Files {
    all: BTreeMap<PathBuf, LogFile>,
    /// A stream has ended a line that others may have waited for.
    freed: bool,
    housekeeper: Housekeeper,
}

impl Files {
    /// One more stream is written there.
    pub(crate) fn enter(&mut self, path: &Path, rules: &Rules) {
        let fresh = || LogFile::new(path.to_owned(), self.housekeeper.clone());
        let file = self.all.entry(path.to_owned()).or_insert_with(fresh);
        file.users += 1;
        file.rules.clone_from(rules);
        // The app may have more logs than when those were begun.
        for other in rules.logs.iter().filter(|other| *other != path) {
            if let Some(file) = self.all.get_mut(other) {
                file.rules.logs = Arc::clone(&rules.logs);
            }
        }
    }

    /// Puts files aside, each at the end of its line; the new names of those that are already.
    pub(crate) fn rotate(&mut self, paths: &[(PathBuf, Rules)], now: Instant) -> Vec<PathBuf> {
        let rotate = |(path, rules): &(PathBuf, Rules)| {
            if let Some(file) = self.all.get_mut(path) {
                return file.rotate(now);
            }
            // Nobody writes to it at present.
            let mut file = LogFile::new(path.clone(), self.housekeeper.clone());
            file.rules.clone_from(rules);
            if path.exists() { file.rotate(Instant::now()) } else { None }
        };
        paths.iter().filter_map(rotate).collect()
    }

    /// A stream is over. `cut`: it has left a line without its end, which others must not go on with.
    pub(crate) fn leave(&mut self, path: &Path, key: Key, cut: bool, now: Instant) {
        let Some(file) = self.all.get_mut(path) else { return };
        if cut && file.end(now).is_some() {
            file.add(b"\n", now);
        }
        file.users -= 1;
        if file.users == 0 {
            self.all.remove(path);
        } else {
            self.line_state(path, key, false);
        }
    }

    pub(crate) fn get(&mut self, path: &Path) -> Option<&mut LogFile> {
        self.all.get_mut(path)
    }

    /// Whether several streams are written there, so that only whole lines may go in.
    pub(crate) fn is_shared(&self, path: &Path) -> bool {
        self.all.get(path).is_some_and(|file| file.users > 1)
    }

    /// Whether a stream is in the middle of a line there.
    pub(crate) fn line_state(&mut self, path: &Path, key: Key, mid_line: bool) {
        let Some(file) = self.all.get_mut(path) else { return };
        if mid_line {
            file.reserved = Some(key);
        } else if file.reserved.is_none_or(|by| by == key) {
            self.freed |= file.reserved.take().is_some();
            file.at_line_end();
        }
    }

    /// Whether a line has ended since the last call that others may have waited for.
    pub(crate) fn take_freed(&mut self) -> bool {
        std::mem::take(&mut self.freed)
    }

    /// Opens all anew by their paths, each at the end of its line.
    pub(crate) fn reopen(&mut self) {
        for file in self.all.values_mut() {
            file.reopen();
        }
    }

    /// When a file that could not be written is worth trying again.
    pub(crate) fn retry_at(&self, path: &Path) -> Option<Instant> {
        self.all.get(path).and_then(LogFile::retry_at)
    }
}
