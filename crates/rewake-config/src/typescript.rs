//! What runs TypeScript here: Node itself where it can, else a runner of the app. Never asks Node unless it must.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Context;
use crate::node_child::{Answer, ask};
use crate::program;
use crate::report::Wrong;

/// A bare Node answers in 50 ms; this is for a machine that is busy starting everything at once.
const VERSION_LIMIT: Duration = Duration::from_secs(10);
const QUESTION: &str =
    "require('fs').writeSync(0, process.versions.node + ' ' + Boolean(process.features.typescript) + '\\n')";
/// Runners, in the order in which they are looked for.
const RUNNERS: [&str; 3] = ["bun", "tsx", "ts-node"];
/// No script is deeper than this below its `node_modules`.
const MAX_LEVELS: usize = 32;

/// A Node's version, and whether it takes types out by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeVersion {
    text: String,
    strips: bool,
}

/// How a Node runs TypeScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stripping {
    Native,
    /// With `--experimental-strip-types`.
    Flag,
    None,
}

impl fmt::Display for NodeVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.text)
    }
}

impl NodeVersion {
    /// Runs this Node once and asks it.
    pub(crate) fn ask(node: &Path, context: &Context) -> Result<Self, String> {
        match ask(node, &["--input-type=commonjs", "-e", QUESTION], context, VERSION_LIMIT, 256) {
            Ok(Answer::Line(line)) => Self::parse(&String::from_utf8_lossy(&line)).ok_or_else(|| "odd answer".into()),
            Ok(Answer::None(status)) => Err(status.map_or("no answer".into(), |status| status.to_string())),
            Ok(Answer::Timeout) => Err("no answer in time".into()),
            Ok(Answer::TooLong) => Err("odd answer".into()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn parse(line: &str) -> Option<Self> {
        let (text, strips) = line.split_once(' ')?;
        Some(Self { text: text.to_owned(), strips: strips == "true" })
    }

    /// What `process.features.typescript` says decides; it knows the version and `NODE_OPTIONS`. Node 22.6 to 22.17 and
    /// 23.0 to 23.5 can, but want to be asked.
    pub(crate) fn stripping(&self) -> Stripping {
        let mut numbers = self.text.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if self.strips {
            Stripping::Native
        } else if version >= (22, 6) {
            Stripping::Flag
        } else {
            Stripping::None
        }
    }
}

/// Answers of the Nodes that were asked, so that a file of ten apps asks once.
#[derive(Debug, Default)]
pub(crate) struct Versions {
    known: BTreeMap<(PathBuf, Option<String>), Result<NodeVersion, String>>,
}

impl Versions {
    fn of(&mut self, node: &Path, context: &Context) -> Result<NodeVersion, String> {
        let key = (node.to_path_buf(), context.env.get("NODE_OPTIONS").cloned());
        self.known.entry(key).or_insert_with(|| NodeVersion::ask(node, context)).clone()
    }
}

pub(crate) fn is_extension(extension: &str) -> bool {
    matches!(extension, "ts" | "tsx" | "mts" | "cts")
}

/// Whether these arguments already say how Node is to read TypeScript.
fn brings_loader(node_args: &[String]) -> bool {
    const LOADERS: [&str; 7] = [
        "--import",
        "--loader",
        "--experimental-loader",
        "--require",
        "-r",
        "--experimental-strip-types",
        "--experimental-transform-types",
    ];
    node_args.iter().any(|arg| LOADERS.iter().any(|loader| arg == loader || arg.starts_with(&format!("{loader}="))))
}

/// The interpreter of a TypeScript file and the arguments to add to its own. `context`: the app's folder and environment.
pub(crate) fn interpreter(
    script: &Path,
    extension: &str,
    node_args: &[String],
    context: &Context,
    versions: &mut Versions,
) -> Result<(String, Vec<String>), Wrong> {
    let node = program::find("node", &context.env, &context.cwd);
    let mut why = "there is no `node` in PATH".to_owned();
    if let Some(node) = node {
        if brings_loader(node_args) {
            return Ok(("node".into(), Vec::new()));
        }
        // Types can be taken out by leaving blanks, JSX cannot.
        if extension == "tsx" {
            why = "`node` does not read JSX".into();
        } else {
            let version = versions.of(&node, context);
            match version.as_ref().map(NodeVersion::stripping) {
                Ok(Stripping::Native) => return Ok(("node".into(), Vec::new())),
                Ok(Stripping::Flag) => return Ok(("node".into(), vec!["--experimental-strip-types".into()])),
                Ok(Stripping::None) | Err(_) => {}
            }
            why = match version {
                Ok(version) => format!("`node` is {version}, which does not run TypeScript"),
                Err(error) => format!("`node` did not tell its version ({error})"),
            };
        }
    }
    if let Some(runner) = RUNNERS.iter().find_map(|runner| find_runner(runner, script, context)) {
        return Ok((runner, Vec::new()));
    }
    let hint = if extension == "tsx" {
        "install `tsx` or `bun`, or name an `interpreter`"
    } else {
        "use Node 22.18 or newer, install `tsx` or `bun`, or name an `interpreter`"
    };
    Err(Wrong::new(format!("nothing here runs `.{extension}` files: {why}, and there is no `bun`, `tsx` or `ts-node`"))
        .hint(hint))
}

/// A runner of the app's own packages, else one in PATH.
fn find_runner(name: &str, script: &Path, context: &Context) -> Option<String> {
    let own = script
        .ancestors()
        .skip(1)
        .take(MAX_LEVELS)
        .map(|folder| folder.join("node_modules/.bin").join(name))
        .find(|file| program::is_executable(file));
    match own {
        Some(file) => file.to_str().map(str::to_owned),
        None => program::find(name, &context.env, &context.cwd).map(|_| name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_decides_how_types_are_stripped() {
        let cases = [
            ("18.20.0 false", Stripping::None),
            ("20.19.1 false", Stripping::None),
            ("22.5.1 false", Stripping::None),
            ("22.6.0 false", Stripping::Flag),
            ("22.17.9 false", Stripping::Flag),
            ("22.18.0 true", Stripping::Native),
            ("23.5.0 false", Stripping::Flag),
            ("24.0.0 true", Stripping::Native),
            ("25.0.0-pre true", Stripping::Native),
        ];
        for (line, stripping) in cases {
            assert_eq!(NodeVersion::parse(line).unwrap().stripping(), stripping, "{line}");
        }
        assert_eq!(NodeVersion::parse("nonsense"), None);
    }

    #[test]
    fn arguments_that_bring_a_loader_are_known() {
        let brings = |arg: &str| brings_loader(&[arg.to_owned()]);
        assert!(brings("--import=tsx") && brings("-r") && brings("--experimental-strip-types"));
        assert!(!brings("--inspect") && !brings("--max-old-space-size=1") && !brings("--import-x"));
    }
}
