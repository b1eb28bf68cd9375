//! What the user wants started, made into checked app descriptions by `rewake-config`. May take as long as the evaluation of
//! a user's configuration file, so never on a thread that others wait for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rewake_config::{ConfigErrors, Context, Loaded, Options, is_ecosystem_file, load_file, load_object, load_script};
use rewake_wire::{AppSpec, ErrorCode, ErrorReply};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::own_node::OwnNode;

/// The question.
#[derive(Debug, Deserialize)]
pub(crate) struct Resolve {
    what: What,
    /// The folder and environment of the JavaScript thread that asks: a worker thread has its own environment, and the
    /// process's may not be read while another thread writes to it.
    cwd: PathBuf,
    env: BTreeMap<String, String>,
    node: OwnNode,
    #[serde(default)]
    env_name: Option<String>,
    #[serde(default)]
    only: Vec<String>,
    /// Keys of an app, which win over a file's.
    #[serde(default)]
    overrides: Map<String, Value>,
}

/// What `start` was called with.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    /// A script, a program, a command line, or, by its name, an ecosystem file.
    Path(String),
    /// An app, several, or what an ecosystem file would hold.
    Value(Value),
}

/// The answer.
#[derive(Debug, Serialize)]
pub(crate) struct Resolved {
    apps: Vec<AppSpec>,
    warnings: Vec<String>,
    /// Whether the apps were described (in a file or an object) rather than made up around a script.
    described: bool,
}

/// Makes the descriptions.
///
/// # Errors
/// `BAD_CONFIG` with every problem that there is.
pub(crate) fn resolve(question: Resolve) -> Result<Resolved, ErrorReply> {
    let Resolve { what, cwd, mut env, node, env_name, only, overrides } = question;
    let offer = node.offer(&mut env);
    let user_home = env.get("HOME").filter(|home| home.starts_with('/')).map(PathBuf::from);
    let context = Context { cwd, env, user_home };
    let options = Options { env_name, only, overrides, ..Options::default() };
    let (loaded, described) = match what {
        What::Path(path) if is_ecosystem_file(&path) => (load_file(Path::new(&path), &context, &options), true),
        What::Path(script) => (load_script(&script, &[], &context, &options), false),
        What::Value(value) => (load_object(value, &context, &options), true),
    };
    let Loaded { mut apps, warnings } = loaded.map_err(|errors| bad_config(&errors))?;
    if let Some(offer) = offer {
        for app in &mut apps {
            offer.take_back(app);
        }
    }
    Ok(Resolved { apps, warnings, described })
}

/// One problem keeps its hint apart; several tell theirs beside each.
fn bad_config(errors: &ConfigErrors) -> ErrorReply {
    if let [problem] = &errors.problems[..] {
        let mut problem = problem.clone();
        let hint = problem.hint.take();
        let reply = ErrorReply::new(ErrorCode::BadConfig, problem.to_string());
        return match hint {
            Some(hint) => reply.with_hint(hint),
            None => reply,
        };
    }
    ErrorReply::new(ErrorCode::BadConfig, errors.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(what: &str) -> Resolve {
        let node = r#"{"exe":"/opt/node/bin/node","first":true}"#;
        let text = format!(r#"{{"what":{what},"cwd":"/","env":{{"PATH":"/usr/bin:/bin"}},"node":{node}}}"#);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_program_an_object_and_a_wrong_key_are_told_apart() {
        let script = resolve(question(r#"{"path":"sleep"}"#)).unwrap();
        assert_eq!((script.apps.len(), script.described), (1, false));
        assert_eq!(script.apps[0].launch.env["PATH"], "/usr/bin:/bin");
        let object = resolve(question(r#"{"value":[{"script":"sleep","name":"a"}]}"#)).unwrap();
        assert_eq!((object.apps[0].name.as_str(), object.described), ("a", true));
        let wrong = resolve(question(r#"{"value":{"script":"sleep","kill_timout":1}}"#)).unwrap_err();
        assert_eq!(wrong.code, ErrorCode::BadConfig);
        assert!(wrong.hint.unwrap().contains("kill_timeout"), "{}", wrong.message);
    }
}
