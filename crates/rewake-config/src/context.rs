//! What the caller brings (folder, environment, choices) and what it gets back. Never reads a file.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use rewake_wire::AppSpec;
use serde_json::{Map, Value};

/// Where the command was given: the base of relative paths, and the environment that apps inherit.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// Absolute.
    pub cwd: PathBuf,
    pub env: BTreeMap<String, String>,
    /// What `~` stands for.
    pub user_home: Option<PathBuf>,
}

impl Context {
    /// The folder and environment of this process. Values that are not UTF-8 are converted with replacement characters,
    /// because an app description is JSON.
    ///
    /// # Errors
    /// When the current folder has been removed or cannot be read.
    pub fn of_process() -> std::io::Result<Self> {
        let env: BTreeMap<String, String> = std::env::vars_os()
            .map(|(key, value)| (key.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .collect();
        let user_home = env.get("HOME").filter(|home| home.starts_with('/')).map(PathBuf::from);
        Ok(Self { cwd: std::env::current_dir()?, env, user_home })
    }
}

/// What was asked for beside the file itself.
#[derive(Debug, Clone)]
pub struct Options {
    /// `--env <name>`: merge `env_<name>`.
    pub env_name: Option<String>,
    /// `--only a,b`: these apps of the file; all when empty.
    pub only: Vec<String>,
    /// Flags, as keys of an ecosystem file; they win over the file. A `null` (or `"null"`) takes the file's key away,
    /// `env` is merged.
    pub overrides: Map<String, Value>,
    /// How long a JavaScript file may take to give its value.
    pub js_timeout: Duration,
}

impl Default for Options {
    /// Nothing selected, nothing overridden. Ten seconds for a JavaScript file: hundreds of times what a big one takes,
    /// and still shorter than anybody's patience.
    fn default() -> Self {
        Self { env_name: None, only: Vec::new(), overrides: Map::new(), js_timeout: Duration::from_secs(10) }
    }
}

/// Apps that can be started as they are, and what the user ought to know about them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Loaded {
    pub apps: Vec<AppSpec>,
    /// Whole sentences with their place, each once.
    pub warnings: Vec<String>,
}
