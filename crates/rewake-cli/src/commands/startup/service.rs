//! Which service is meant: whose, where its unit stands, and who has to be asked. Changes nothing.

use std::path::{Path, PathBuf};

use rewake_unix::user::{self, Account};
use rewake_wire::{ErrorCode, ErrorReply};

use super::unit::Unit;
use crate::args::Options;
use crate::args::startup::Startup;
use crate::commands::session::executable;

/// A service of systemd's.
pub(super) struct Service {
    pub(super) name: String,
    /// The user whose apps it runs.
    pub(super) user: String,
    pub(super) user_home: PathBuf,
    /// For the whole system, not one user's own.
    pub(super) system: bool,
    /// Where the unit stands.
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl Service {
    /// The one that the line names.
    ///
    /// # Errors
    /// Another platform than systemd; a user without an entry or a home.
    pub(super) fn of(args: &Startup, options: &Options) -> Result<Self, ErrorReply> {
        if let Some(platform) = args.platform.as_deref().filter(|platform| *platform != "systemd") {
            let error = ErrorReply::new(ErrorCode::BadRequest, format!("unknown platform, `{platform}`"));
            let hint = "this version writes units for systemd; elsewhere let your init system run \
                        `rewake --keeper <home> --boot` in the foreground";
            return Err(error.with_hint(hint));
        }
        let account = account(options.uid.as_deref())?;
        let me = account.uid == user::effective();
        let system = args.system || options.uid.is_some() || user::effective() == 0;
        let user_home = options.home_folder().map_or_else(|| own_home(me).unwrap_or(account.home), PathBuf::from);
        let home = std::env::var_os("REWAKE_HOME").filter(|home| me && !home.is_empty());
        let home = home.map_or_else(|| user_home.join(".rewake"), PathBuf::from);
        let home = std::path::absolute(&home).unwrap_or(home);
        let default = if system { format!("rewake-{}", account.name) } else { "rewake".to_owned() };
        let name = options.service_name().map_or(default, str::to_owned);
        if name.is_empty() || name.starts_with('.') || name.contains(['/', ' ', '\n']) {
            return Err(ErrorReply::new(ErrorCode::BadRequest, format!("wrong name of a service, `{name}`")));
        }
        let folder = if system { PathBuf::from("/etc/systemd/system") } else { own_units(&user_home) };
        let path_variable = std::env::var("PATH").unwrap_or_default();
        let unit = Unit {
            user: system.then_some(account.name.as_str()),
            whose: &account.name,
            exe: &executable(),
            home: &home,
            path: &path_variable,
            wait_ip: options.wait_ip(),
        };
        let text = unit.text();
        Ok(Self { path: folder.join(format!("{name}.service")), name, user: account.name, user_home, system, text })
    }

    /// The words of a call of `systemctl` about it.
    pub(super) fn systemctl<'a>(&self, words: &[&'a str]) -> Vec<&'a str> {
        let scope: &[&str] = if self.system { &[] } else { &["--user"] };
        [scope, words].concat()
    }
}

/// The account of this name, or of this process. A process without an entry has a number for a name.
fn account(name: Option<&str>) -> Result<Account, ErrorReply> {
    let unreadable = |error: std::io::Error| {
        ErrorReply::new(ErrorCode::Internal, format!("failed to read the user database: {error}"))
    };
    let found = match name {
        Some(name) => user::by_name(name),
        None => user::by_uid(user::effective()),
    };
    match (found.map_err(unreadable)?, name) {
        (Some(account), _) => Ok(account),
        (None, Some(name)) => Err(ErrorReply::new(ErrorCode::BadRequest, format!("unknown user, `{name}`"))),
        (None, None) => {
            let uid = user::effective();
            Ok(Account { name: uid.to_string(), uid, gid: uid, home: own_home(true).unwrap_or_default() })
        }
    }
}

fn own_home(me: bool) -> Option<PathBuf> {
    std::env::var_os("HOME").filter(|home| me && !home.is_empty()).map(PathBuf::from)
}

fn own_units(user_home: &Path) -> PathBuf {
    let config = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    config.unwrap_or_else(|| user_home.join(".config")).join("systemd/user")
}
