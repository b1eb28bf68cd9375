//! The home of what runs in the foreground. A read-only root or a user without a home is no reason not to run.

use std::path::PathBuf;

use rewake_client::Home;
use rewake_unix::home;

use crate::ui::Ui;

/// The first choice, or a substitute for it; `None` where nothing can be written.
pub(super) fn choose(ui: &Ui) -> Option<PathBuf> {
    if let Ok(first) = Home::first_choice() {
        match home::ensure(first.path()) {
            Ok(()) => return Some(first.path().to_path_buf()),
            // One that was named is missed; that of a user without a folder is not.
            Err(error) if std::env::var_os("REWAKE_HOME").is_some() => {
                ui.warn(&format!("failed to {error}; another home is used"));
            }
            Err(_) => {}
        }
    }
    let usable = |home: &Home| home::ensure(home.path()).is_ok() && home::is_own(home.path());
    let found = Home::substitutes().into_iter().find(usable).map(|home| home.path().to_path_buf());
    if found.is_none() {
        ui.warn("no folder can be written to: the apps run, but no other command can reach them");
    }
    found
}
