//! Which program runs the script, and with what arguments. Never starts it.

use std::path::Path;

use crate::Context;
use crate::draft::Draft;
use crate::paths;
use crate::program::{self, Head, base_name};
use crate::report::Wrong;
use crate::script::Found;
use crate::shell_words;
use crate::typescript::{self, Versions};

/// How the app's program is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) script: String,
    pub(crate) interpreter: Option<String>,
    pub(crate) interpreter_args: Vec<String>,
    pub(crate) args: Vec<String>,
    /// Base name of what runs the script in the end: the interpreter, or what the shebang names.
    pub(crate) runtime: Option<String>,
}

impl Command {
    /// Whether the program takes Node's IPC channel.
    pub(crate) fn speaks_ipc(&self) -> bool {
        matches!(self.runtime.as_deref(), Some("node" | "nodejs" | "bun" | "tsx" | "ts-node"))
    }

    /// Whether it is a program of Node's that does not say so by its interpreter.
    pub(crate) fn is_nodes_script(&self) -> bool {
        self.interpreter.is_none() && matches!(self.runtime.as_deref(), Some("node" | "nodejs" | "tsx" | "ts-node"))
    }

    /// Whether the program can be a worker of Node's `cluster`.
    pub(crate) fn clusters(&self) -> bool {
        matches!(self.runtime.as_deref(), Some("node" | "nodejs" | "bun"))
    }
}

/// The command of an app. `context`: the app's own folder and environment. The key names what is wrong.
pub(crate) fn command(
    found: Found,
    draft: &Draft,
    context: &Context,
    versions: &mut Versions,
) -> Result<Command, (&'static str, Wrong)> {
    let asked = draft.interpreter.as_deref().filter(|name| !name.is_empty());
    let (path, from_path) = match found {
        Found::Line(line) => return shell(&line, asked, draft, context),
        Found::File(path) => (path, false),
        Found::Command(path) => (path, true),
    };
    let Some(script) = path.to_str() else {
        return Err(("script", Wrong::new(format!("script's path is not UTF-8: {}", path.display()))));
    };
    let head = program::head(&path);
    let direct = |interpreter: Option<(String, Vec<String>)>| {
        let (name, mut extra) = interpreter.map_or((None, Vec::new()), |(name, extra)| (Some(name), extra));
        let runtime = match (&name, &head) {
            (Some(name), _) => Some(base_name(name).to_owned()),
            (None, Ok(Head::Shebang(program))) => Some(program.clone()),
            (None, Ok(Head::Binary | Head::Text) | Err(_)) => None,
        };
        // What the user wrote comes last, so that it wins.
        extra.extend(draft.node_args.iter().cloned());
        Command {
            script: script.to_owned(),
            interpreter_args: if name.is_some() { extra } else { Vec::new() },
            interpreter: name,
            args: draft.args.clone(),
            runtime,
        }
    };
    let executable = program::is_executable(&path);
    let chosen = match asked {
        Some("none") => {
            if !executable {
                return Err(("script", not_executable(&path)));
            }
            None
        }
        Some(name) => Some((resolve(name, context).map_err(|wrong| ("interpreter", wrong))?, Vec::new())),
        None => choose(&path, from_path, executable, head.as_ref().ok(), draft, context, versions)?,
    };
    // An executable that may not be read still runs; a script that an interpreter cannot read does not. Another user may
    // read what we may not.
    if let (Some(_), Err(error), None) = (&chosen, &head, &draft.uid) {
        return Err(("script", Wrong::new(format!("script cannot be read: {}: {error}", path.display()))));
    }
    Ok(direct(chosen))
}

type Chosen = Option<(String, Vec<String>)>;

fn choose(
    path: &Path,
    from_path: bool,
    executable: bool,
    head: Option<&Head>,
    draft: &Draft,
    context: &Context,
    versions: &mut Versions,
) -> Result<Chosen, (&'static str, Wrong)> {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("");
    let runs_itself = executable && matches!(head, None | Some(Head::Binary | Head::Shebang(_)));
    let named = |name: &str| resolve(name, context).map(|name| Some((name, Vec::new())));
    let by_extension = match extension {
        "js" | "mjs" | "cjs" => named("node"),
        "py" => named("python3").or_else(|wrong| named("python").map_err(|_| wrong)),
        "sh" => named("bash").or_else(|wrong| named("sh").map_err(|_| wrong)),
        "rb" => named("ruby"),
        "php" => named("php"),
        "pl" => named("perl"),
        "coffee" => named("coffee"),
        "ls" => named("lsc"),
        _ if typescript::is_extension(extension) => {
            typescript::interpreter(path, extension, &draft.node_args, context, versions)
                .and_then(|(name, extra)| Ok(Some((resolve(&name, context)?, extra))))
        }
        _ => return by_head(path, executable, runs_itself, head, draft, context),
    };
    // A command in PATH says itself what runs it, whatever it is called.
    if from_path && runs_itself {
        return by_head(path, executable, runs_itself, head, draft, context);
    }
    by_extension.map_err(|wrong| ("script", wrong))
}

fn by_head(
    path: &Path,
    executable: bool,
    runs_itself: bool,
    head: Option<&Head>,
    draft: &Draft,
    context: &Context,
) -> Result<Chosen, (&'static str, Wrong)> {
    let node = || match resolve("node", context) {
        Ok(node) => Ok(Some((node, Vec::new()))),
        Err(wrong) => Err(("script", wrong)),
    };
    let is_node = matches!(head, Some(Head::Shebang(program)) if program == "node" || program == "nodejs");
    // Node's options have no place on a shebang's command line.
    if is_node && (!executable || !draft.node_args.is_empty()) {
        return node();
    }
    if runs_itself {
        return Ok(None);
    }
    match head {
        Some(Head::Binary | Head::Shebang(_)) => Err(("script", not_executable(path))),
        Some(Head::Text) | None => node(),
    }
}

fn not_executable(path: &Path) -> Wrong {
    Wrong::new(format!("script is not executable: {}", path.display()))
        .hint(format!("run `chmod +x {}`, or name an `interpreter`", shell_words::quote(&path.to_string_lossy())))
}

/// A line for a shell: `bash -c`, or the shell that was asked for. Arguments become part of the line, where they mean
/// arguments of the command and not of the shell.
fn shell(line: &str, asked: Option<&str>, draft: &Draft, context: &Context) -> Result<Command, (&'static str, Wrong)> {
    let name = match asked {
        None | Some("none") => {
            let bash = Path::new("/bin/bash");
            if program::is_executable(bash) { "/bin/bash" } else { "/bin/sh" }
        }
        Some(name) if matches!(base_name(name), "sh" | "bash" | "dash" | "zsh" | "ash" | "ksh") => name,
        Some(name) => {
            let path = paths::absolute(line, &context.cwd, context.user_home.as_deref());
            let wrong = Wrong::new(format!("script not found: {}", path.display()));
            return Err((
                "script",
                wrong.hint(format!("a command line needs a shell, and `interpreter` is `{}`", name.escape_debug())),
            ));
        }
    };
    let interpreter = resolve(name, context).map_err(|wrong| ("interpreter", wrong))?;
    let mut script = line.to_owned();
    for arg in &draft.args {
        script.push(' ');
        script.push_str(&shell_words::quote(arg));
    }
    let mut interpreter_args = draft.node_args.clone();
    interpreter_args.push("-c".into());
    Ok(Command {
        script,
        runtime: Some(base_name(&interpreter).to_owned()),
        interpreter: Some(interpreter),
        interpreter_args,
        args: Vec::new(),
    })
}

/// An interpreter that can be found: a path made absolute, or a name that is in the app's PATH and stays a name, so that
/// it is looked up at each start (a new Node behind the same name is taken at the next restart).
fn resolve(name: &str, context: &Context) -> Result<String, Wrong> {
    if name.contains('/') {
        let path = paths::absolute(name, &context.cwd, context.user_home.as_deref());
        let text = path.to_string_lossy().into_owned();
        return match std::fs::metadata(&path) {
            Ok(metadata) if !metadata.is_file() => Err(Wrong::new(format!("interpreter is not a file: {text}"))),
            Ok(_) if !program::is_executable(&path) => {
                Err(Wrong::new(format!("interpreter is not executable: {text}")))
            }
            Ok(_) => Ok(text),
            Err(_) => Err(Wrong::new(format!("interpreter not found: {text}"))),
        };
    }
    match program::find(name, &context.env, &context.cwd) {
        Some(_) => Ok(name.to_owned()),
        None if name.contains('@') => Err(Wrong::new(format!("interpreter `{}` not found", name.escape_debug()))
            .hint("a version is not chosen by name here: give the path of that version's executable")),
        None => Err(Wrong::new(format!("interpreter `{}` not found in PATH", name.escape_debug()))
            .hint(format!("install `{}`, or name an `interpreter` by its path", name.escape_debug()))),
    }
}
