//! The Node that this program runs on, offered to the scripts that it starts. Never put into the environment of an app.

use std::collections::BTreeMap;
use std::path::Path;

use rewake_wire::AppSpec;
use serde::Deserialize;

/// The calling Node, and whether it comes before those in PATH.
#[derive(Debug, Deserialize)]
pub(crate) struct OwnNode {
    exe: String,
    /// Embedded, scripts run on the Node that their host runs on, as with `child_process.fork`. With a daemon, `node` stays a name
    /// that is looked up at each start, and this Node is only for a PATH that has none (small container images).
    first: bool,
}

/// An environment that this Node has been added to, and how to take that back.
#[derive(Debug)]
pub(crate) struct Offer<'a> {
    node: &'a OwnNode,
    before: Option<String>,
    with_node: String,
    /// Whether the name `node` leads to this Node.
    wins: bool,
}

impl OwnNode {
    /// Adds this Node's folder to the PATH of `env`. Nothing when the executable is not called `node`: then no lookup finds it.
    pub(crate) fn offer<'a>(&'a self, env: &mut BTreeMap<String, String>) -> Option<Offer<'a>> {
        let exe = Path::new(&self.exe);
        let folder = exe.parent().filter(|_| exe.is_absolute() && exe.ends_with("node"))?.to_str()?;
        let before = env.get("PATH").cloned();
        let others = before.as_deref().unwrap_or_default();
        let found = || std::env::split_paths(others).any(|folder| folder.join("node").is_file());
        let wins = self.first || !found();
        let with_node = match (others, self.first) {
            ("", _) => folder.to_owned(),
            (others, true) => format!("{folder}:{others}"),
            (others, false) => format!("{others}:{folder}"),
        };
        env.insert("PATH".into(), with_node.clone());
        Some(Offer { node: self, before, with_node, wins })
    }
}

impl Offer<'_> {
    /// Gives an app the caller's own PATH again, and the path of this Node where the name would not lead to it.
    pub(crate) fn take_back(&self, app: &mut AppSpec) {
        let env = &mut app.launch.env;
        if env.get("PATH") != Some(&self.with_node) {
            // The app has a PATH of its own, which was the one that counted.
            return;
        }
        match &self.before {
            Some(path) => env.insert("PATH".into(), path.clone()),
            None => env.remove("PATH"),
        };
        if self.wins && app.launch.interpreter.as_deref() == Some("node") {
            app.launch.interpreter = Some(self.node.exe.clone());
        }
    }
}
