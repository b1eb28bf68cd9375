//! JavaScript and TypeScript ecosystem files, evaluated by the caller's own Node in a child. Never in this process, and
//! never without a limit.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::Broken;
use crate::Context;
use crate::node::{Node, Pos, find_key};
use crate::node_child::{Answer, ask};
use crate::program;
use crate::report::Wrong;
use crate::typescript::{NodeVersion, Stripping};

/// Largest value of a file, in bytes of JSON.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;
const EVALUATOR: &str = include_str!("evaluator.cjs");

/// What the evaluator tells.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Told {
    Value(Node),
    /// Parts that are not data.
    Unfit(Vec<Unfit>),
    Error {
        message: String,
        stack: String,
    },
    /// The file ended Node.
    Exit(i32),
    /// Nothing is left to do, and the file's promise is still open.
    Unsettled,
}

#[derive(Debug, Deserialize)]
struct Unfit {
    path: Vec<Step>,
    what: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Step {
    Index(usize),
    Key(String),
}

/// The value of the file at this absolute path; `text` is its text, for the likely lines of problems.
pub(crate) fn evaluate(
    file: &Path,
    text: &str,
    typescript: bool,
    context: &Context,
    limit: Duration,
) -> Result<Node, Vec<Broken>> {
    let alone = |wrong| vec![(None, wrong)];
    let node = find_node(context).map_err(alone)?;
    let Some(name) = file.to_str() else { return Err(alone(Wrong::new("the file's path is not UTF-8"))) };
    let parent = std::process::id().to_string();
    let mut args = vec!["--input-type=commonjs", "-e", EVALUATOR, "--", name, &parent];
    if typescript {
        let found = NodeVersion::ask(&node, context).map_err(|error| {
            alone(Wrong::new(format!("cannot find out which TypeScript `{}` reads: {error}", node.display())))
        })?;
        match found.stripping() {
            Stripping::Native => {}
            Stripping::Flag => {
                args.splice(0..0, ["--experimental-strip-types", "--disable-warning=ExperimentalWarning"]);
            }
            Stripping::None => {
                let wrong = Wrong::new(format!("a TypeScript file needs Node 22.6 or newer, and `node` is {found}"));
                return Err(alone(wrong.hint("use a newer Node, or write it as `.config.mjs`")));
            }
        }
    }
    let answer = ask(&node, &args, context, limit, MAX_ANSWER_BYTES)
        .map_err(|error| alone(Wrong::new(format!("cannot run `{}`: {error}", node.display()))))?;
    let line = match answer {
        Answer::Line(line) => line,
        Answer::None(status) => {
            let how = status.map_or_else(String::new, |status| format!(" ({status})"));
            return Err(alone(Wrong::new(format!("Node ended before the file gave its value{how}"))));
        }
        Answer::Timeout => {
            let wrong = Wrong::new(format!("the file did not give its value within {} s", limit.as_secs_f32()));
            return Err(alone(wrong.hint("look for an endless loop, or a promise or request that waits")));
        }
        Answer::TooLong => return Err(alone(Wrong::new("the file's value is larger than 8 MiB"))),
    };
    match serde_json::from_slice(&line) {
        Ok(told) => value(told, name, text),
        Err(error) => Err(alone(Wrong::new(format!("the file's value cannot be read: {error}")))),
    }
}

fn value(told: Told, file: &str, text: &str) -> Result<Node, Vec<Broken>> {
    match told {
        Told::Value(value) => Ok(value),
        Told::Unfit(parts) => Err(parts.into_iter().map(|part| refused(part, text)).collect()),
        Told::Error { message, stack } => Err(vec![(stack_place(&stack, file), Wrong::new(message))]),
        Told::Exit(code) => {
            let wrong = Wrong::new(format!("the file ended Node (exit code {code}) before it gave its value"));
            Err(vec![(None, wrong.hint("take `process.exit` out of the file"))])
        }
        Told::Unsettled => {
            let wrong = Wrong::new("the file's promise is never settled, so it has no value");
            Err(vec![(None, wrong)])
        }
    }
}

fn refused(part: Unfit, text: &str) -> Broken {
    // A path of a hundred steps helps nobody; where it begins does.
    const SHOWN: usize = 8;
    let deep = part.path.len() > SHOWN;
    let mut path = String::new();
    let mut last_key = None;
    for step in part.path.into_iter().take(SHOWN) {
        match step {
            Step::Index(index) => path.push_str(&format!("[{index}]")),
            Step::Key(key) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&key);
                last_key = Some(key);
            }
        }
    }
    if deep {
        path.push('…');
    }
    let at = last_key.and_then(|key| find_key(text, &key));
    let about = if path.is_empty() { "the file's value".to_owned() } else { format!("`{path}`") };
    (at, Wrong::new(format!("{about} is {}, which is not data", part.what)))
}

/// The first place in a stack that is in the file: `…file:3:7`, or `…file:3` above a line with a caret.
fn stack_place(stack: &str, file: &str) -> Option<Pos> {
    let lines: Vec<&str> = stack.lines().collect();
    let (index, after) = lines.iter().enumerate().find_map(|(index, line)| {
        let after = line.split_once(file).map(|(_, after)| after)?;
        Some((index, after.strip_prefix(':')?))
    })?;
    let mut numbers = after.split(|c: char| !c.is_ascii_digit());
    let line = numbers.next()?.parse().ok()?;
    let column = match numbers.next().and_then(|column| column.parse().ok()) {
        Some(column) => column,
        None => {
            let caret = lines.get(index + 2).and_then(|line| line.find('^'))?;
            u32::try_from(caret).ok()? + 1
        }
    };
    Some(Pos { line, column })
}

fn find_node(context: &Context) -> Result<PathBuf, Wrong> {
    program::find("node", &context.env, &context.cwd).ok_or_else(|| {
        Wrong::new("a JavaScript file needs `node`, and there is none in PATH")
            .hint("install Node, or write the file as JSON, YAML or TOML")
    })
}
