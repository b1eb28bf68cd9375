//! A draft becomes an `AppSpec`: defaults filled in, paths and programs found, the environment made. Never guesses where it
//! can look.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use rewake_wire::{AppSpec, ExecMode, LaunchSpec, PolicySpec, SocketSpec, StopWith};

use crate::draft::{Draft, Instances, Limit, Variable};
use crate::interpreter::{self, Command};
use crate::report::{Place, Report, Wrong};
use crate::script::{self, Around, Found};
use crate::typescript::Versions;
use crate::user::{self, RunAs};
use crate::{Context, Options, environment, log_files, package_version, paths, sockets};

/// Names become parts of file names (`<name>-error-12.log`), which end at 255 bytes.
const MAX_NAME_BYTES: usize = 200;

/// One app on its way.
pub(crate) struct Builder<'a> {
    pub(crate) draft: &'a Draft,
    /// The options' variables, which win over the file's.
    pub(crate) over: &'a [Variable],
    pub(crate) label: &'a str,
    pub(crate) origin: &'a Rc<str>,
    /// Folder of the ecosystem file.
    pub(crate) beside: Option<&'a Path>,
    pub(crate) context: &'a Context,
    pub(crate) options: &'a Options,
    pub(crate) report: &'a mut Report,
    pub(crate) versions: &'a mut Versions,
}

/// The app's folder as it was written, made absolute.
pub(crate) fn folder(draft: &Draft, context: &Context) -> PathBuf {
    match draft.cwd.as_deref().filter(|cwd| !cwd.is_empty()) {
        Some(cwd) => paths::absolute(cwd, &context.cwd, context.user_home.as_deref()),
        None => context.cwd.clone(),
    }
}

/// The app's name: given or the script's, with prefix and environment.
pub(crate) fn name(draft: &Draft, context: &Context, options: &Options) -> Option<String> {
    let base = match (&draft.name, &draft.script) {
        (Some(name), _) => name.clone(),
        // An empty script is told as what it is.
        (None, Some(script)) if script.trim().is_empty() => return None,
        (None, Some(script)) => script::default_name(script, &folder(draft, context), context.user_home.as_deref()),
        (None, None) => return None,
    };
    let prefixed = match &draft.name_prefix {
        Some(prefix) => format!("{prefix}:{base}"),
        None => base,
    };
    Some(match &options.env_name {
        Some(env) if draft.append_env_to_name => format!("{prefixed}-{env}"),
        Some(_) | None => prefixed,
    })
}

impl Builder<'_> {
    /// The description, or `None` after at least one problem was reported. `incomplete`: keys of this app were wrong, so a
    /// missing script is no news.
    pub(crate) fn build(mut self, incomplete: bool) -> Option<AppSpec> {
        let before = self.report.count();
        let cwd = self.cwd();
        let run_as = self.run_as();
        let mut env = self.env(&run_as);
        let name = self.checked_name();
        let namespace = self.namespace();
        let found = self.command(cwd.as_deref(), &env, incomplete);
        let (cwd, name, namespace, (command, version_at)) = (cwd?, name?, namespace?, found?);
        let exec_mode = self.exec_mode(&command)?;
        let sockets = self.sockets(&name, &cwd);
        if self.report.count() > before {
            return None;
        }
        if command.runtime.as_deref().is_some_and(|runtime| runtime.starts_with("python")) {
            // Otherwise Python keeps kilobytes of output to itself, as it does for every pipe.
            env.entry("PYTHONUNBUFFERED".into()).or_insert_with(|| "1".into());
        }
        let draft = self.draft;
        let merge = draft.merge_logs.unwrap_or(exec_mode == ExecMode::Fork && draft.instances.is_none());
        let needs_ipc = draft.wait_ready || draft.shutdown_with_message || exec_mode == ExecMode::Cluster;
        Some(AppSpec {
            name,
            namespace,
            instances: count(draft.instances),
            policy: policy(draft),
            logs: log_files::of(draft, &command, merge, &cwd, self.context.user_home.as_deref()),
            version: package_version::nearest(&version_at),
            launch: LaunchSpec {
                ipc: needs_ipc || draft.ipc.unwrap_or_else(|| command.speaks_ipc()),
                ipc_advanced: draft.ipc_advanced,
                // Of an app in fork mode nothing is asked but what it asks for.
                drain: draft.drain.unwrap_or(draft.sockets.is_empty()),
                cluster_balance: draft.cluster_balance,
                sockets,
                script: command.script,
                interpreter: command.interpreter,
                interpreter_args: command.interpreter_args,
                args: command.args,
                cwd: cwd.to_string_lossy().into_owned(),
                env,
                exec_mode,
                instance_var: draft.instance_var.clone().unwrap_or_else(|| "NODE_APP_INSTANCE".into()),
                increment_var: draft.increment_var.clone(),
                uid: run_as.uid,
                gid: run_as.gid,
            },
        })
    }

    fn fail(&mut self, key: &'static str, wrong: Wrong) {
        let given = self.draft.places.get(key);
        let (place, spelled) = match given {
            Some((place, spelled)) => (place.clone(), Some(spelled.as_str())),
            // The app itself, where its script or name stands.
            None => {
                let near = self.draft.places.get("script").or_else(|| self.draft.places.get("name"));
                (near.map_or_else(|| Place::new(self.origin, None), |(place, _)| place.clone()), None)
            }
        };
        self.report.problem(&place, Some(self.label), spelled, wrong);
    }

    fn cwd(&mut self) -> Option<PathBuf> {
        let cwd = folder(self.draft, self.context);
        let problem = match std::fs::metadata(&cwd) {
            Ok(metadata) if metadata.is_dir() && cwd.to_str().is_some() => return Some(cwd),
            Ok(metadata) if metadata.is_dir() => "cwd is not UTF-8".to_owned(),
            Ok(_) => "cwd is not a folder".to_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => "cwd not found".to_owned(),
            Err(error) => format!("cwd cannot be used ({error})"),
        };
        self.fail("cwd", Wrong::new(format!("{problem}: {}", cwd.display())));
        None
    }

    fn run_as(&mut self) -> RunAs {
        let mut run_as = RunAs::default();
        if let Some(id) = &self.draft.uid {
            match user::user(id) {
                Ok(user) => run_as = user,
                Err(wrong) => self.fail("uid", wrong),
            }
        }
        if let Some(id) = &self.draft.gid {
            match user::group(id) {
                Ok(gid) => run_as.gid = Some(gid),
                Err(wrong) => self.fail("gid", wrong),
            }
        }
        run_as
    }

    fn env(&mut self, run_as: &RunAs) -> std::collections::BTreeMap<String, String> {
        let env_name = self.options.env_name.as_deref();
        if let Some(env_name) = env_name.filter(|name| !self.draft.named_env.contains_key(*name)) {
            let message = format!("app `{}` has no `env_{env_name}`", self.label);
            self.report.warning(&Place::new(self.origin, None), None, &message);
        }
        let mut caller = self.context.env.clone();
        if let Some((name, home)) = &run_as.account {
            for (key, value) in [("HOME", home), ("USER", name), ("LOGNAME", name)] {
                caller.insert(key.into(), value.clone());
            }
        }
        environment::whole(self.draft, self.over, env_name, &caller)
    }

    fn checked_name(&mut self) -> Option<String> {
        let name = name(self.draft, self.context, self.options)?;
        match check_name(&name) {
            Ok(()) => Some(name),
            Err(what) => {
                self.fail("name", Wrong::new(format!("name `{}` {what}", name.escape_debug())));
                None
            }
        }
    }

    fn namespace(&mut self) -> Option<String> {
        let namespace = self.draft.namespace.clone().unwrap_or_else(|| "default".into());
        match check_name(&namespace) {
            Ok(()) => Some(namespace),
            Err(what) => {
                self.fail("namespace", Wrong::new(format!("namespace `{}` {what}", namespace.escape_debug())));
                None
            }
        }
    }

    fn sockets(&mut self, name: &str, cwd: &Path) -> Vec<SocketSpec> {
        let resolved = sockets::resolve(&self.draft.sockets, name, cwd, self.context.user_home.as_deref());
        resolved.unwrap_or_else(|Wrong { message, hint }| {
            let message = format!("`sockets` of app `{}` {message}", self.label);
            self.fail("sockets", Wrong { message, hint });
            Vec::new()
        })
    }

    /// The command, and the folder from which its package is looked for.
    fn command(
        &mut self,
        cwd: Option<&Path>,
        env: &std::collections::BTreeMap<String, String>,
        incomplete: bool,
    ) -> Option<(Command, PathBuf)> {
        let Some(script) = &self.draft.script else {
            if !incomplete {
                self.fail("script", Wrong::new(format!("app `{}` has no `script`", self.label)));
            }
            return None;
        };
        let cwd = cwd?;
        // An app without a PATH of its own is looked for in the caller's.
        let mut around_env = env.clone();
        if let (false, Some(path)) = (env.contains_key("PATH"), self.context.env.get("PATH")) {
            around_env.insert("PATH".into(), path.clone());
        }
        let home = self.context.user_home.as_deref();
        let around = Around { cwd, env: &around_env, home, beside: self.beside };
        let found = match script::find(script, around) {
            Ok(found) => found,
            Err(wrong) => {
                self.fail("script", wrong);
                return None;
            }
        };
        let version_at = match &found {
            Found::File(path) => path.parent().unwrap_or(cwd).to_path_buf(),
            Found::Command(_) | Found::Line(_) => cwd.to_path_buf(),
        };
        let context = Context { cwd: cwd.to_path_buf(), env: around_env, user_home: home.map(Path::to_path_buf) };
        match interpreter::command(found, self.draft, &context, self.versions) {
            Ok(mut command) => {
                if !env.contains_key("PATH") {
                    pin_interpreter(&mut command, &context);
                }
                Some((command, version_at))
            }
            Err((key, wrong)) => {
                self.fail(key, wrong);
                None
            }
        }
    }

    fn exec_mode(&mut self, command: &Command) -> Option<ExecMode> {
        let draft = self.draft;
        if draft.execute_command {
            return Some(ExecMode::Fork);
        }
        match draft.exec_mode {
            Some(ExecMode::Fork) => Some(ExecMode::Fork),
            Some(ExecMode::Cluster) if !draft.sockets.is_empty() => {
                let wrong = Wrong::new("`sockets` is for fork mode: workers in cluster mode share what they listen on");
                self.fail("sockets", wrong.hint("leave `sockets` out, or use `exec_mode: fork`"));
                None
            }
            Some(ExecMode::Cluster) if command.clusters() => Some(ExecMode::Cluster),
            Some(ExecMode::Cluster) => {
                let runtime = command.runtime.as_deref().unwrap_or("the program itself");
                let wrong = Wrong::new(format!("cluster mode works with `node` only, and this runs with {runtime}"));
                self.fail("exec_mode", wrong.hint("use `exec_mode: fork`"));
                None
            }
            None if draft.instances.is_some() && draft.sockets.is_empty() && command.clusters() => {
                Some(ExecMode::Cluster)
            }
            None => Some(ExecMode::Fork),
        }
    }
}

/// An app that has no PATH cannot look its interpreter up, so it gets the path.
fn pin_interpreter(command: &mut Command, context: &Context) {
    let Some(name) = command.interpreter.as_deref() else { return };
    if let Some(path) = crate::program::find(name, &context.env, &context.cwd) {
        command.interpreter = Some(path.to_string_lossy().into_owned());
    }
}

fn check_name(name: &str) -> Result<(), String> {
    if name.trim().is_empty() {
        return Err("is empty".into());
    }
    if name.chars().any(char::is_control) {
        return Err("has control characters".into());
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(format!("is longer than {MAX_NAME_BYTES} bytes"));
    }
    Ok(())
}

fn count(instances: Option<Instances>) -> u32 {
    match instances {
        None => 1,
        Some(Instances::Count(count)) => count.max(1),
        Some(Instances::CoresLess(less)) => {
            let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
            u32::try_from(cores).unwrap_or(1).saturating_sub(less).max(1)
        }
    }
}

fn policy(draft: &Draft) -> PolicySpec {
    let default = PolicySpec::default();
    let backoff = draft.exp_backoff_restart_delay_ms.unwrap_or(default.exp_backoff_restart_delay_ms);
    let stop_with = if draft.shutdown_with_message {
        StopWith::Message
    } else {
        draft.kill_signal.map_or(default.stop_with, StopWith::Signal)
    };
    PolicySpec {
        autorestart: draft.autorestart.unwrap_or(default.autorestart),
        autostart: draft.autostart.unwrap_or(default.autostart),
        stop_exit_codes: draft.stop_exit_codes.clone(),
        min_uptime_ms: draft.min_uptime_ms.unwrap_or(default.min_uptime_ms),
        max_restarts: match draft.max_restarts {
            Some(Limit::Of(count)) => Some(count),
            Some(Limit::Unlimited) => None,
            // A growing delay is the limit then: giving up while waiting ever longer would make it pointless.
            None if backoff > 0 => None,
            None => default.max_restarts,
        },
        restart_delay_ms: draft.restart_delay_ms.unwrap_or(default.restart_delay_ms),
        exp_backoff_restart_delay_ms: backoff,
        wait_ready: draft.wait_ready,
        listen_timeout_ms: draft.listen_timeout_ms.unwrap_or(default.listen_timeout_ms),
        kill_timeout_ms: draft.kill_timeout_ms.unwrap_or(default.kill_timeout_ms),
        stop_with,
        treekill: draft.treekill.unwrap_or(default.treekill),
        drain_timeout_ms: draft.drain_timeout_ms.unwrap_or(default.drain_timeout_ms),
        reload_soak_ms: draft.reload_soak_ms.unwrap_or(default.reload_soak_ms),
        accept_unready: draft.accept_unready,
    }
}
