//! Where a daemon lives: the folder that names it. Never creates anything; the keeper does.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::ClientError;

/// An absolute home folder. Two clients with the same home speak with the same daemon.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Home {
    path: PathBuf,
}

impl Home {
    /// The home of this process: `$REWAKE_HOME`, else `~/.rewake`; where that cannot be used, as with the read-only root of a
    /// container, one of [`Home::substitutes`] that somebody serves.
    ///
    /// # Errors
    /// When neither `REWAKE_HOME` nor `HOME` is set, or the working folder is gone and the path is relative.
    pub fn of_process() -> Result<Self, ClientError> {
        let home = Self::first_choice();
        if home.as_ref().is_ok_and(|home| rewake_unix::home::may_be(&home.path)) {
            return home;
        }
        let served = |home: &Self| rewake_unix::home::is_own(&home.path) && home.socket().exists();
        Self::substitutes().into_iter().find(served).map_or(home, Ok)
    }

    /// `$REWAKE_HOME`, else `~/.rewake`, whether it can be used or not.
    ///
    /// # Errors
    /// As [`Home::of_process`].
    pub fn first_choice() -> Result<Self, ClientError> {
        Self::from_variables(std::env::var_os("REWAKE_HOME"), std::env::var_os("HOME"))
    }

    /// Folders that may be written to where nothing else may, best first. Others may write beside them: see that one is ours.
    #[must_use]
    pub fn substitutes() -> Vec<Self> {
        let name = format!("rewake-{}", rewake_unix::user::effective());
        let variable = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let private = variable("XDG_RUNTIME_DIR").map(|folder| folder.join("rewake"));
        let shared = [Some(PathBuf::from("/dev/shm")), variable("TMPDIR"), Some(PathBuf::from("/tmp"))];
        let shared = shared.into_iter().flatten().map(|folder| folder.join(&name));
        private.into_iter().chain(shared).map(|path| Self { path }).collect()
    }

    /// The home at `path`, made absolute against the working folder.
    ///
    /// # Errors
    /// When the path is empty, or relative while the working folder is gone.
    pub fn at(path: &Path) -> Result<Self, ClientError> {
        let path =
            std::path::absolute(path).map_err(|source| ClientError::BadHome { home: path.to_path_buf(), source })?;
        Ok(Self { path })
    }

    fn from_variables(rewake_home: Option<OsString>, home: Option<OsString>) -> Result<Self, ClientError> {
        let named = rewake_home.filter(|value| !value.is_empty()).map(PathBuf::from);
        let default = || home.filter(|value| !value.is_empty()).map(|home| Path::new(&home).join(".rewake"));
        Self::at(&named.or_else(default).ok_or(ClientError::NoHome)?)
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The RPC socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.path.join("rpc.sock")
    }

    /// Held while somebody starts a daemon here.
    #[must_use]
    pub fn start_lock(&self) -> PathBuf {
        self.path.join("start.lock")
    }

    /// The daemon's own log.
    #[must_use]
    pub fn daemon_log(&self) -> PathBuf {
        self.path.join("rewake.log")
    }

    /// Where the apps' logs are unless their description says otherwise.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_wins_over_the_users_folder_and_an_empty_one_counts_as_unset() {
        let home = |a: Option<&str>, b: Option<&str>| {
            Home::from_variables(a.map(Into::into), b.map(Into::into)).map(|home| home.path)
        };
        assert_eq!(home(Some("/a"), Some("/u")).unwrap(), Path::new("/a"));
        assert_eq!(home(Some(""), Some("/u")).unwrap(), Path::new("/u/.rewake"));
        assert_eq!(home(None, Some("/u")).unwrap(), Path::new("/u/.rewake"));
        assert!(matches!(home(None, None), Err(ClientError::NoHome)));
        assert!(matches!(home(None, Some("")), Err(ClientError::NoHome)));
    }

    #[test]
    fn a_relative_home_is_made_absolute() {
        let home = Home::at(Path::new("some/home")).unwrap();
        assert_eq!(home.path(), std::env::current_dir().unwrap().join("some/home"));
        assert!(home.socket().ends_with("some/home/rpc.sock"));
    }
}
