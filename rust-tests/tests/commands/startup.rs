//! `rewake startup`: the unit, and who is asked to use it. Another `systemctl` stands in for the real one, and all folders are the test's.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use crate::home::{Home, Said};

/// A user who is not root: root's units are the system's, and those are none of a test's business.
const SOMEBODY: &str = "12345";

/// A folder for a user of its own, with a `systemctl` that writes down what it is asked.
pub(crate) struct Somebody {
    home: Home,
}

impl Somebody {
    pub(crate) fn new() -> Self {
        let home = Home::new();
        let (bin, exe) = (home.folder().join("bin"), home.folder().join("bin/rewake"));
        fs::create_dir(&bin).expect("a folder can be made");
        fs::copy(env!("CARGO_BIN_EXE_rewake"), exe).expect("the executable can be copied");
        let it = Self { home };
        it.systemctl("echo \"$@\" >> \"$HOME/asked\"");
        for folder in [it.home.folder(), &bin] {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).expect("a mode can be set");
        }
        it
    }

    pub(crate) fn systemctl(&self, text: &str) {
        let path = self.home.folder().join("bin/systemctl");
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("a file can be written");
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a mode can be set");
    }

    pub(crate) fn unit(&self) -> PathBuf {
        self.home.folder().join("config/systemd/user/rewake.service")
    }

    pub(crate) fn asked(&self) -> String {
        fs::read_to_string(self.home.folder().join("asked")).unwrap_or_default()
    }

    /// Runs it as somebody: with the rights of root taken away, where the test has them.
    pub(crate) fn run(&self, line: &str) -> Said {
        let folder = self.home.folder();
        let exe = folder.join("bin/rewake");
        let path = format!("{}:/usr/bin:/bin", folder.join("bin").display());
        let is_root = rewake_unix::user::effective() == 0;
        let mut command = if is_root { Command::new("setpriv") } else { Command::new(&exe) };
        if is_root {
            command.args(["--reuid", SOMEBODY, "--regid", SOMEBODY, "--clear-groups"]).arg(&exe);
        }
        command.args(line.split_whitespace()).current_dir(folder).env_clear();
        command.env("PATH", path).env("HOME", folder).env("XDG_CONFIG_HOME", folder.join("config"));
        let output = command.output().expect("it runs");
        Said {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

#[test]
fn a_users_own_unit_is_written_and_enabled() {
    let somebody = Somebody::new();
    let said = somebody.run("startup").good();
    let text = fs::read_to_string(somebody.unit()).expect("the unit is there");
    let folder = somebody.home.folder().display().to_string();
    for line in [
        "Type=notify".to_owned(),
        format!("ExecStart=\"{folder}/bin/rewake\" --keeper \"{folder}/.rewake\" --boot"),
        format!("Environment=\"PATH={folder}/bin:/usr/bin:/bin\""),
        "KillMode=mixed".to_owned(),
        "OOMPolicy=continue".to_owned(),
        "WantedBy=default.target".to_owned(),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert_eq!(somebody.asked(), "--user daemon-reload\n--user enable rewake\n");
    assert!(said.err.contains("loginctl enable-linger"), "{said:?}");
    // Again is as good, and shows the same.
    somebody.run("startup systemd").good();
    assert_eq!(somebody.run("startup --print").good().out, text);
}

#[test]
fn without_the_rights_the_line_that_has_them_is_printed() {
    let somebody = Somebody::new();
    let said = somebody.run("startup --system --service-name rewake-test-of-nobody").bad();
    assert!(said.out.starts_with("sudo env PATH=") && said.out.contains("startup systemd -u"), "{said:?}");
    assert!(
        said.out.contains("--hp") && said.out.trim_end().ends_with("--service-name rewake-test-of-nobody"),
        "{said:?}"
    );
    assert!(said.err.contains("/etc/systemd/system/rewake-test-of-nobody.service"), "{said:?}");
    assert_eq!(somebody.asked(), "");
}

#[test]
fn a_unit_for_another_user_is_the_systems() {
    let somebody = Somebody::new();
    let text = somebody.run("startup --print -u root --hp /srv/root --wait-ip").good().out;
    for line in [
        "User=root",
        "WantedBy=multi-user.target",
        "Wants=network-online.target",
        "Environment=\"REWAKE_HOME=/srv/root/.rewake\"",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    let said = somebody.run("startup -u no-such-user --print").bad();
    assert!(said.err.contains("unknown user, `no-such-user`"), "{said:?}");
}

#[test]
fn what_systemd_refuses_is_told() {
    let somebody = Somebody::new();
    somebody.systemctl("echo 'Failed to connect to bus: No medium found' >&2; exit 1");
    let said = somebody.run("startup").bad();
    assert!(said.err.contains("`systemctl --user daemon-reload`: Failed to connect to bus"), "{said:?}");
    assert!(said.err.contains("rewake.service"), "{said:?}");
}

#[test]
fn another_platform_is_a_clear_error() {
    let said = Somebody::new().run("startup launchd").bad();
    assert!(said.err.contains("unknown platform, `launchd`"), "{said:?}");
}

#[test]
fn systemd_itself_finds_no_fault_with_the_unit() {
    let Ok(version) = Command::new("systemd-analyze").arg("--version").output() else { return };
    assert!(version.status.success());
    let somebody = Somebody::new();
    let unit = somebody.home.file("rewake.service", &somebody.run("startup --print").good().out);
    let verified =
        Command::new("systemd-analyze").args(["verify", "--user", "--man=no", &unit]).output().expect("it runs");
    let said = String::from_utf8_lossy(&verified.stderr);
    // Other units of the machine may have faults of their own.
    assert!(!said.contains("rewake.service"), "{said}");
}
