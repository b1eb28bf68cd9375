//! The text of a systemd unit. Pure; what each line is for stands beside it.

use std::path::Path;

/// What a unit depends on.
pub(super) struct Unit<'a> {
    /// The user whose apps it runs, when systemd has to become that user.
    pub(super) user: Option<&'a str>,
    pub(super) whose: &'a str,
    pub(super) exe: &'a Path,
    pub(super) home: &'a Path,
    /// The `PATH` that apps without one of their own find their programs in.
    pub(super) path: &'a str,
    pub(super) wait_ip: bool,
}

impl Unit<'_> {
    pub(super) fn text(&self) -> String {
        let network = if self.wait_ip { "network-online.target" } else { "network.target" };
        let wants = if self.wait_ip { "Wants=network-online.target\n" } else { "" };
        let user = self.user.map(|user| format!("User={user}\n")).unwrap_or_default();
        let target = if self.user.is_some() { "multi-user.target" } else { "default.target" };
        let (exe, home) = (word(&self.exe.to_string_lossy()), word(&self.home.to_string_lossy()));
        let path = assignment("PATH", self.path);
        let rewake_home = assignment("REWAKE_HOME", &self.home.to_string_lossy());
        let owned = rewake_keeper::NOT_AGAIN;
        format!(
            "# Written by `rewake startup`; `rewake unstartup` removes it.\n\
             [Unit]\n\
             Description=Rewake, the apps of {whose}\n\
             {wants}After={network}\n\
             \n\
             [Service]\n\
             # Started when the apps are up, and not ended by the keeper's death: the daemon starts another keeper, which tells systemd that\n\
             # it is the main process now. For that, more than the main process must be heard; no app is told where systemd hears.\n\
             Type=notify\n\
             NotifyAccess=all\n\
             ExitType=cgroup\n\
             {user}{path}{rewake_home}\
             ExecStart={exe} --keeper {home} --boot\n\
             ExecReload={exe} reload all\n\
             # A daemon that hangs is replaced by its keeper before this time is over; a keeper that hangs is systemd's matter.\n\
             WatchdogSec=60\n\
             Restart=on-failure\n\
             RestartSec=1\n\
             # There is a supervisor already, or `rewake kill` has ended it: another start would not help.\n\
             RestartPreventExitStatus={owned}\n\
             # SIGTERM goes to the keeper alone, which has each app stopped by its own rules and asks for the time that this takes.\n\
             KillMode=mixed\n\
             TimeoutStartSec=90\n\
             TimeoutStopSec=90\n\
             # An app that the kernel ends for want of memory is started again; it must not end the others.\n\
             OOMPolicy=continue\n\
             LimitNOFILE=65536:524288\n\
             TasksMax=infinity\n\
             \n\
             [Install]\n\
             WantedBy={target}\n",
            whose = self.whose.replace('%', "%%"),
        )
    }
}

/// An environment line; a newline cannot be in a path that works, and would be a line of its own here.
fn assignment(key: &str, value: &str) -> String {
    format!("Environment={}\n", quoted(&format!("{key}={}", value.replace('\n', ""))))
}

/// A word of a command line, where `$` begins a variable, too.
fn word(text: &str) -> String {
    quoted(&text.replace('$', "$$"))
}

/// In quotes; `%` begins a specifier anywhere.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit() -> Unit<'static> {
        let (exe, home) = (Path::new("/opt/my apps/rewake"), Path::new("/home/a/100%$x\"y/.rewake"));
        Unit { user: None, whose: "a", exe, home, path: "/usr/bin:/opt/%n", wait_ip: false }
    }

    #[test]
    fn words_reach_systemd_as_they_are() {
        let text = unit().text();
        let start = r#"ExecStart="/opt/my apps/rewake" --keeper "/home/a/100%%$$x\"y/.rewake" --boot"#;
        assert!(text.lines().any(|line| line == start), "{text}");
        assert!(text.contains("Environment=\"PATH=/usr/bin:/opt/%%n\"\n"), "{text}");
        assert!(text.contains(r#"Environment="REWAKE_HOME=/home/a/100%%$x\"y/.rewake""#), "{text}");
    }

    #[test]
    fn a_users_own_unit_and_the_systems_differ_in_who_and_when() {
        let own = unit().text();
        assert!(own.contains("WantedBy=default.target") && !own.contains("User="), "{own}");
        let text = Unit { user: Some("a"), wait_ip: true, ..unit() }.text();
        assert!(text.contains("User=a\n") && text.contains("WantedBy=multi-user.target"), "{text}");
        assert!(text.contains("Wants=network-online.target\nAfter=network-online.target\n"), "{text}");
    }
}
