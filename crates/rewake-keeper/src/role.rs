//! What a keeper is beside one who holds: whose it is, and what that one expects. Whoever takes its place becomes it, too.

use std::time::Instant;

use rewake_unix::limits::OpenFiles;
use rewake_wire::keeper::{Manager, Role, RoleOf};

use crate::daemon::{Args, Launcher};
use crate::home::Home;
use crate::keeper::Keeper;
use crate::log;
use crate::service::Service;

impl Keeper {
    /// What this keeper is beside one who holds.
    pub(crate) fn role(&self) -> Role {
        let foreground = self.home.as_ref().is_some_and(|home| home.foreground);
        let of = match self.service.manager() {
            _ if foreground => RoleOf::Foreground,
            Some(manager) => RoleOf::Service(manager.clone()),
            None => RoleOf::Background,
        };
        Role { open_files: (self.tools.open_files.soft, self.tools.open_files.hard), of }
    }

    /// Becomes what the keeper was that has died.
    pub(crate) fn take_role(&mut self, role: Role) {
        let Role { open_files: (soft, hard), of } = role;
        self.tools.open_files = OpenFiles { soft, hard };
        let RoleOf::Service(manager) = of else { return };
        self.service = Service::of(Manager { has_seen_one_die: true, ..manager });
        let now = Instant::now();
        self.service.daemon_started(now);
        self.service.is_main_process(now);
        if let Some(Home { door: Some(door), daemon, .. }) = &mut self.home {
            match Launcher::new(&door.home, Args { given: None, boot: Some(self.service.sign_every()) }) {
                Ok(launcher) => daemon.launcher = launcher,
                Err(error) => log::line(format_args!("the next daemon will give no signs of life: {error}")),
            }
        }
    }
}
