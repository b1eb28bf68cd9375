//! One daemon with several apps, all on one Node. Apps tell what they see by lines of JSON in a file, so that nothing of Rewake
//! lies between.

use std::fs;
use std::ops::Deref;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rust_tests::home::{Home, Output, PATIENCE, executable, is_alive, nodes, wait_for};
use rust_tests::ports::free_port;
use serde_json::{Map, Value, json};

use super::MODES;
use super::client::get;

/// For scripts: `require('./report.js')(value)`.
const REPORT: &str = "
const fs = require('fs');
module.exports = (seen) => {
  const { REPORT, NODE_APP_INSTANCE } = process.env;
  fs.appendFileSync(REPORT, JSON.stringify({ instance: +NODE_APP_INSTANCE, pid: process.pid, seen }) + '\\n');
};
";

/// Node's own primary: keeps WORKERS workers of the script that it is given.
const PRIMARY: &str = "
const cluster = require('cluster');
cluster.setupPrimary({ exec: process.argv[2], args: [] });
for (let n = 0; n < +process.env.WORKERS; n++) cluster.fork({ NODE_APP_INSTANCE: n });
process.on('SIGTERM', () => { for (const id in cluster.workers) cluster.workers[id].process.kill('SIGKILL'); process.exit(0); });
";

/// One app of an ecosystem file.
#[derive(Debug, Clone)]
pub(crate) struct App {
    name: String,
    keys: Map<String, Value>,
}

impl App {
    /// Two instances of a script in the folder of the fleet, in cluster mode. A reload takes no longer than it must, and its processes
    /// have the time they need on the slowest machine.
    pub(crate) fn new(name: &str, script: &str) -> Self {
        let Value::Object(keys) = json!({ "name": name, "script": script, "exec_mode": "cluster", "instances": 2, "reload_soak": 0, "listen_timeout": 60_000, "kill_timeout": 60_000, "env": {} })
        else {
            unreachable!("it is an object")
        };
        Self { name: name.to_owned(), keys }
    }

    pub(crate) fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.keys.insert(key.to_owned(), value.into());
        self
    }

    pub(crate) fn mode(self, mode: &str) -> Self {
        self.set("cluster_balance", mode)
    }

    pub(crate) fn instances(self, count: u32) -> Self {
        self.set("instances", count)
    }

    pub(crate) fn env(mut self, key: &str, value: impl ToString) -> Self {
        self.keys["env"][key] = value.to_string().into();
        self
    }
}

/// One line that an app has told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    pub(crate) instance: u64,
    pub(crate) pid: u32,
    pub(crate) seen: Value,
}

/// A Node to test with.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) path: String,
    pub(crate) major: u32,
}

/// Every Node to test with.
pub(crate) fn each_node() -> Vec<Node> {
    let node = |path: String| {
        let output = Command::new(&path).args(["-p", "process.versions.node"]).output().expect("node runs");
        let version = String::from_utf8(output.stdout).unwrap();
        let major = version.split('.').next().unwrap().trim().parse().unwrap();
        Node { path, major }
    };
    nodes().into_iter().map(node).collect()
}

/// A home with its apps.
#[derive(Debug)]
pub(crate) struct Fleet {
    home: Home,
    pub(crate) node: Node,
    /// Whom its daemon runs as, if not as the test.
    user: Option<u32>,
}

impl Deref for Fleet {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.home
    }
}

impl Fleet {
    /// A fleet without apps, with these scripts in its folder.
    pub(crate) fn new(node: &Node, scripts: &[(&str, &str)]) -> Self {
        let home = Home::new();
        home.write("report.js", REPORT);
        for (name, text) in scripts {
            home.write(name, text);
        }
        Self { home, node: node.clone(), user: None }
    }

    /// As [`Self::new`], with nothing running as root, even if the test does. `None` where another user could not run this Node.
    pub(crate) fn unprivileged(node: &Node, scripts: &[(&str, &str)]) -> Option<Self> {
        let mut fleet = Self::new(node, scripts);
        if !is_root() {
            return Some(fleet);
        }
        fs::copy(executable(), fleet.home.folder().join("rewake")).unwrap();
        give(fleet.home.folder());
        fleet.user = Some(NOBODY);
        let runs = fleet.as_user(Command::new(&node.path)).arg("--version").output();
        runs.is_ok_and(|output| output.status.success()).then_some(fleet)
    }

    /// Runs `rewake` with these arguments, to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        if self.user.is_none() {
            return self.home.rewake(args);
        }
        let plain = self.home.command(args);
        let mut command = Command::new(self.home.folder().join("rewake"));
        command.args(args).current_dir(self.home.folder()).stdin(Stdio::null());
        command.envs(plain.get_envs().filter_map(|(key, value)| Some((key, value?))));
        let output = self.as_user(command).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Output { code: output.status.code().unwrap_or(-1), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    fn as_user(&self, mut command: Command) -> Command {
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }

    /// An app of this script in every mode, named by it, each with a port of its own.
    pub(crate) fn start_in_all_modes(&self, script: &str, also: impl Fn(App) -> App) -> [u16; MODES.len()] {
        let ports = MODES.map(|_| free_port());
        let app = |(mode, port)| also(App::new(mode, script).mode(mode).env("PORT", port));
        self.start(&MODES.into_iter().zip(ports).map(app).collect::<Vec<_>>());
        ports
    }

    /// The same, when all of them answer.
    pub(crate) fn answering_in_all_modes(&self, script: &str) -> [u16; MODES.len()] {
        let ports = self.start_in_all_modes(script, |app| app);
        for (mode, port) in MODES.into_iter().zip(ports) {
            self.until_all_listen(mode);
            self.until("it answers", || get(port).is_ok());
        }
        ports
    }

    /// Waits until the daemon knows of each instance of an app that it listens. An answer tells only of the one that gave it.
    pub(crate) fn until_all_listen(&self, app: &str) {
        let listens = |slot: &Value| slot["rewake"]["cluster"]["listens"].as_array().is_some_and(|at| !at.is_empty());
        self.until("each instance listens", || {
            self.run(&["describe", app, "--json"]).ok().json().as_array().unwrap().iter().all(listens)
        });
    }

    /// Starts apps, which must all come up.
    pub(crate) fn start(&self, apps: &[App]) {
        let output = self.try_start(apps);
        assert_eq!(output.code, 0, "{}", self.story(&output.stderr));
    }

    /// Starts apps.
    pub(crate) fn try_start(&self, apps: &[App]) -> Output {
        let entry = |app: &App| {
            let report = self.report_file(&app.name);
            let app = app.clone().env("REPORT", report.display());
            let interpreter = app.keys.get("interpreter").cloned().unwrap_or_else(|| self.node.path.clone().into());
            Value::from(app.set("interpreter", interpreter).keys)
        };
        let apps: Vec<Value> = apps.iter().map(entry).collect();
        self.home.write("apps.json", &json!({ "apps": apps }).to_string());
        self.run(&["start", "apps.json"])
    }

    /// Runs a script under Node's own primary.
    pub(crate) fn under_nodes_primary(&self, app: &App, policy: &str) -> Primary {
        self.home.write("primary.js", PRIMARY);
        let mut command = Command::new(&self.node.path);
        command.current_dir(self.home.folder()).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(fs::File::create(self.home.folder().join("primary.errors")).unwrap());
        command.arg("primary.js").arg(self.home.folder().join(app.keys["script"].as_str().unwrap()));
        let variables = app.keys["env"].as_object().unwrap();
        command.envs(variables.iter().map(|(name, value)| (name, value.as_str().unwrap())));
        command.env("NODE_CLUSTER_SCHED_POLICY", policy).env("WORKERS", app.keys["instances"].to_string());
        command.env("REPORT", self.report_file(&app.name));
        Primary { process: self.as_user(command).spawn().unwrap() }
    }

    fn report_file(&self, app: &str) -> PathBuf {
        self.home.folder().join(format!("{app}.told"))
    }

    /// What an app has told up to now.
    pub(crate) fn heard(&self, app: &str) -> Vec<Told> {
        let text = fs::read_to_string(self.report_file(app)).unwrap_or_default();
        let told = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap();
            let number = |name: &str| line[name].as_u64().unwrap_or_default();
            Told { instance: number("instance"), pid: number("pid") as u32, seen: line["seen"].clone() }
        };
        // The last line may be under way.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(told).collect()
    }

    /// What an app has told, at least so many lines of it.
    pub(crate) fn told(&self, app: &str, count: usize) -> Vec<Told> {
        self.until(&format!("{app} has told {count} things"), || self.heard(app).len() >= count);
        self.heard(app)
    }

    /// Process ids of an app's instances, in their order.
    pub(crate) fn pids(&self, app: &str) -> Vec<u32> {
        self.home.slots(app).iter().map(|slot| slot.0).collect()
    }

    /// Ends the daemon as nobody ought to, and waits for the next one.
    pub(crate) fn kill_daemon(&self) {
        let daemon = self.home.daemon().unwrap();
        assert!(Command::new("kill").args(["-KILL", &daemon.to_string()]).status().unwrap().success());
        // After several deaths the keeper waits for somebody to ask before it starts the next.
        self.until("another daemon is there", || {
            self.run(&["ping"]).code == 0 && self.home.daemon().is_some_and(|now| now != daemon && is_alive(now))
        });
    }

    /// Waits until the condition holds; what the daemon and the apps wrote is told if it does not.
    pub(crate) fn until(&self, what: &str, condition: impl FnMut() -> bool) {
        assert!(wait_for(PATIENCE, condition), "{}", self.story(&format!("waited in vain for: {what}")));
    }

    /// Ends of all logs, behind what is wrong.
    pub(crate) fn story(&self, wrong: &str) -> String {
        let mut story = format!("Node {}: {wrong}", self.node.major);
        let logs =
            fs::read_dir(self.home.path().join("logs")).into_iter().flatten().flatten().map(|entry| entry.path());
        for path in logs.chain([self.home.path().join("rewake.log"), self.home.folder().join("primary.errors")]) {
            let text = fs::read(&path).map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default();
            let from = text.len().saturating_sub(2000);
            let from = (from..=text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len());
            if !text.is_empty() {
                story.push_str(&format!("\n--- {}\n{}", path.display(), &text[from..]));
            }
        }
        story
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if self.user.is_some() {
            // Root is refused in a home of somebody else.
            self.run(&["kill", "--silent"]);
        }
    }
}

/// Everybody knows it, and nothing belongs to it.
const NOBODY: u32 = 65534;

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

/// Makes the folder and all in it nobody's.
fn give(folder: &std::path::Path) {
    chown(folder, Some(NOBODY), Some(NOBODY)).unwrap();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        chown(entry.unwrap().path(), Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

/// Node's own primary with its workers, ended with the value.
#[derive(Debug)]
pub(crate) struct Primary {
    process: Child,
}

impl Drop for Primary {
    fn drop(&mut self) {
        let pid = self.process.id().to_string();
        // It ends its workers first; without it they would end by themselves, but maybe after the test.
        let asked = Command::new("kill").args(["-TERM", &pid]).status();
        let ended =
            asked.is_ok() && wait_for(PATIENCE, || self.process.try_wait().is_ok_and(|status| status.is_some()));
        if !ended {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}
