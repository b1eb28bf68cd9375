//! From an app's description to the keeper's plan of one process: argv, environment, streams. Never reads this process's own environment.

use std::collections::BTreeMap;
use std::path::Path;

use rewake_core::{RunId, Slot, SlotId};
use rewake_wire::keeper::{IpcMode, Plan, Stdio};
use rewake_wire::{AppSpec, ExecMode, LaunchSpec, LogCapture, StopWith};

use crate::inspect::inspect_port;
use crate::sheet::Sheet;

/// Options of Node that a cluster worker gets beside its own.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Beside<'a> {
    /// The drain helper; before its own, which can do without it.
    pub(crate) drain: Option<&'a Path>,
    /// The debugger's port; after its own, as the last one counts.
    pub(crate) inspect_port: Option<&'a str>,
}

/// The plan for the slot's next process.
pub(crate) fn plan(slot: &Slot, run: RunId, sheet: &Sheet, home: Option<&Path>, beside: Beside<'_>) -> Plan {
    let launch = &sheet.spec.launch;
    let output = output(&sheet.spec);
    let (program, argv) = command(
        launch,
        Beside {
            drain: beside.drain.filter(|_| launch.drain && is_drained(launch)),
            inspect_port: beside.inspect_port.filter(|_| is_worker(launch)),
        },
    );
    let env = environment(slot, sheet, home).into_iter().map(|(key, value)| format!("{key}={value}")).collect();
    let ipc = launch.ipc.then_some(if launch.ipc_advanced { IpcMode::Advanced } else { IpcMode::Json });
    Plan {
        program,
        argv,
        env,
        cwd: launch.cwd.clone(),
        stdin: Stdio::Pipe,
        stdout: output,
        stderr: output,
        spool_folder: None,
        sockets: Vec::new(),
        ipc,
        // Node takes 0 for no worker at all.
        unique_id: is_worker(launch).then_some(run.0 + 1),
        uid: launch.uid,
        gid: launch.gid,
        orphan_signal: match sheet.spec.policy.stop_with {
            StopWith::Signal(signal) => signal,
            // Nobody is left to send the message.
            StopWith::Message => SIGINT,
        },
        orphan_timeout_ms: sheet.spec.policy.kill_timeout_ms,
        treekill: sheet.spec.policy.treekill,
    }
}

pub(crate) const SIGINT: i32 = 2;

/// Whether its processes are workers of Node's `cluster`, with us as their primary.
///
/// Only Node's own: Bun's HTTP servers bind by themselves, and its internal messages look otherwise.
pub(crate) fn is_worker(launch: &LaunchSpec) -> bool {
    launch.ipc && launch.exec_mode == ExecMode::Cluster && runs_node(launch)
}

/// How output leaves the process. Node writes to a file at once, and to a pipe some time later: what is still queued when it ends
/// is lost. Other programs write at once either way, and some open `/dev/stdout` anew, which a file does not bear well.
fn output(spec: &AppSpec) -> Stdio {
    match spec.logs.capture {
        LogCapture::Auto if runs_node(&spec.launch) => Stdio::Spool,
        LogCapture::Spool => Stdio::Spool,
        LogCapture::Auto | LogCapture::Pipe => Stdio::PipeAndSpool,
    }
}

/// Whether its processes close servers whose sockets live on.
fn is_drained(launch: &LaunchSpec) -> bool {
    is_worker(launch) || (runs_node(launch) && !launch.sockets.is_empty())
}

/// Whether its processes are Node itself.
pub(crate) fn runs_node(launch: &LaunchSpec) -> bool {
    let program = launch.interpreter.as_deref().and_then(|program| Path::new(program).file_name());
    program.is_some_and(|name| name == "node" || name == "nodejs")
}

/// The debugger's port of a slot's next process, if it is a worker that is debugged; `taken` by those of its runs that are there.
pub(crate) fn debugger(slot: SlotId, launch: &LaunchSpec, taken: &[String]) -> Option<String> {
    let options = launch.env.get("NODE_OPTIONS").map(String::as_str);
    if is_worker(launch) { inspect_port(&launch.interpreter_args, options, slot, taken) } else { None }
}

fn command(launch: &LaunchSpec, beside: Beside<'_>) -> (String, Vec<String>) {
    let script = launch.script.clone();
    match &launch.interpreter {
        None => (script.clone(), [&[script][..], &launch.args].concat()),
        Some(interpreter) => {
            let program = interpreter.clone();
            let before =
                beside.drain.map_or_else(Vec::new, |path| vec!["--require".to_owned(), path.display().to_string()]);
            let after = beside.inspect_port.map(str::to_owned);
            let options = [&before[..], &launch.interpreter_args, after.as_slice()].concat();
            let argv = [&[program.clone()][..], &options, &[script], &launch.args].concat();
            (program, argv)
        }
    }
}

/// The environment of the slot's next process: the app's own, then what tells the process who it is, under PM2's names.
pub(crate) fn environment(slot: &Slot, sheet: &Sheet, home: Option<&Path>) -> BTreeMap<String, String> {
    let spec = &sheet.spec;
    let launch = &spec.launch;
    let mut env = launch.env.clone();
    if let Some(name) = &launch.increment_var {
        let first: i64 = env.get(name).and_then(|value| value.parse().ok()).unwrap_or(0);
        env.insert(name.clone(), first.saturating_add(i64::from(slot.instance)).to_string());
    }
    let path = |path: Option<&std::path::PathBuf>| path.map(|path| path.display().to_string());
    let facts = [
        ("name", Some(spec.name.clone())),
        ("namespace", Some(spec.namespace.clone())),
        ("pm_id", Some(slot.id.to_string())),
        (launch.instance_var.as_str(), Some(slot.instance.to_string())),
        ("exec_mode", Some(exec_mode(launch.exec_mode).into())),
        ("instances", Some(spec.instances.to_string())),
        ("pm_exec_path", Some(launch.script.clone())),
        ("pm_cwd", Some(launch.cwd.clone())),
        ("pm_out_log_path", path(sheet.out_log.as_ref())),
        ("pm_err_log_path", path(sheet.error_log.as_ref())),
        ("restart_time", Some(slot.restarts.to_string())),
        ("unstable_restarts", Some(slot.streak.unstable.to_string())),
        ("created_at", Some(sheet.created_at_ms.to_string())),
        // Its presence is how programs find out that they are supervised.
        ("PM2_HOME", home.map(|home| home.display().to_string())),
        ("REWAKE_HOME", home.map(|home| home.display().to_string())),
    ];
    env.extend(facts.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
    env
}

fn exec_mode(mode: ExecMode) -> &'static str {
    match mode {
        ExecMode::Fork => "fork_mode",
        ExecMode::Cluster => "cluster_mode",
    }
}
