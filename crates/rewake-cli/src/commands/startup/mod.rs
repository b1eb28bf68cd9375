//! `startup` and `unstartup`: a systemd unit that starts the supervisor at boot, written and enabled, or removed. Never starts or stops
//! what runs; without the rights it prints the line that has them.

mod service;
mod unit;

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::process::{Command, Stdio};

use rewake_wire::{ErrorCode, ErrorReply};
use serde_json::json;

use super::Failure;
use super::session::executable;
use crate::args::Options;
use crate::args::startup::Startup;
use crate::ui::Ui;
use service::Service;

pub(super) fn run(ui: &Ui, options: &Options, args: &Startup) -> Result<(), Failure> {
    let service = Service::of(args, options)?;
    if args.print {
        ui.data(&service.text);
        return Ok(());
    }
    write(&service.path, &service.text).map_err(|error| refused(ui, &service, "startup", "write", &error))?;
    systemctl(&service, &["daemon-reload"])?;
    systemctl(&service, &["enable", &service.name])?;
    if ui.json {
        ui.json_data(&json!({ "unit": service.path, "name": service.name, "system": service.system }));
    }
    ui.say(&format!("wrote and enabled {}", service.path.display()));
    ui.say("at boot what ran before runs again, and what was stopped stays stopped; no `save` is needed");
    if !service.system && !Path::new("/var/lib/systemd/linger").join(&service.user).exists() {
        ui.say(&format!(
            "it starts when you log in; to have it start at boot: loginctl enable-linger {}",
            service.user
        ));
    }
    Ok(())
}

pub(super) fn undo(ui: &Ui, options: &Options, args: &Startup) -> Result<(), Failure> {
    let service = Service::of(args, options)?;
    if !service.path.exists() {
        ui.say(&format!("nothing to remove: there is no {}", service.path.display()));
        return shown(ui, &service, false);
    }
    if args.print {
        ui.data(format!("{}\n", service.path.display()));
        return Ok(());
    }
    if !may_remove(&service.path) {
        let error = io::Error::from(ErrorKind::PermissionDenied);
        return Err(refused(ui, &service, "unstartup", "remove", &error));
    }
    // Before the file goes: it says which links there are.
    systemctl(&service, &["disable", &service.name])?;
    fs::remove_file(&service.path).map_err(|error| refused(ui, &service, "unstartup", "remove", &error))?;
    systemctl(&service, &["daemon-reload"])?;
    ui.say(&format!("removed {}; what runs goes on running", service.path.display()));
    shown(ui, &service, true)
}

fn shown(ui: &Ui, service: &Service, removed: bool) -> Result<(), Failure> {
    if ui.json {
        ui.json_data(&json!({ "unit": service.path, "name": service.name, "removed": removed }));
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // Not in place: systemd must never read half of it.
    let fresh = path.with_extension("service.new");
    fs::write(&fresh, text)?;
    fs::rename(&fresh, path)
}

fn may_remove(path: &Path) -> bool {
    path.parent().is_some_and(rewake_unix::home::may_be)
}

/// What could not be done, and who can do it: the line is data, to be copied.
fn refused(ui: &Ui, service: &Service, verb: &str, what: &str, error: &io::Error) -> Failure {
    let reply = ErrorReply::new(ErrorCode::Storage, format!("failed to {what} `{}`: {error}", service.path.display()));
    if error.kind() != ErrorKind::PermissionDenied || !service.system {
        return reply.into();
    }
    let exe = executable();
    let line = format!(
        "sudo env PATH={} {} {verb} systemd -u {} --hp {} --service-name {}",
        shell_word(&std::env::var("PATH").unwrap_or_default()),
        shell_word(&exe.display().to_string()),
        shell_word(&service.user),
        shell_word(&service.user_home.display().to_string()),
        shell_word(&service.name),
    );
    ui.data(format!("{line}\n"));
    reply.with_hint("run the line above, which asks for root's rights").into()
}

fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:@+,%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

fn systemctl(service: &Service, words: &[&str]) -> Result<(), Failure> {
    let words = service.systemctl(words);
    let line = format!("systemctl {}", words.join(" "));
    let failed = |why: String| -> Failure {
        let error = ErrorReply::new(ErrorCode::Internal, format!("failed to run `{line}`: {why}"));
        let unit = service.path.display();
        error
            .with_hint(format!("the unit is {unit}; `rewake startup --print` shows it on a machine without systemd"))
            .into()
    };
    let output = Command::new("systemctl").args(&words).stdin(Stdio::null()).output();
    let output = output.map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(failed(said.lines().next().unwrap_or("it failed without a word").trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_a_shell_are_quoted_where_they_must_be() {
        assert_eq!(shell_word("/usr/bin:/bin"), "/usr/bin:/bin");
        assert_eq!(shell_word("/my apps"), "'/my apps'");
        assert_eq!(shell_word("it's"), "'it'\\''s'");
        assert_eq!(shell_word(""), "''");
    }
}
