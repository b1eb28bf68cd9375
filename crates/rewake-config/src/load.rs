//! The ways in: a file, a text, a script with flags, an object. All end in the same checks, and tell all problems at once.

use std::path::Path;
use std::rc::Rc;

use rewake_wire::AppSpec;
use serde_json::Value as Json;

use crate::build::{self, Builder};
use crate::check::{self, Owner, same_key};
use crate::draft::Draft;
use crate::formats::{self, Broken, Format};
use crate::node::{Entry, Node, Value};
use crate::report::{Place, Report, Wrong};
use crate::suggest::nearest;
use crate::typescript::Versions;
use crate::{ConfigErrors, Context, Loaded, Options, document, paths};

/// Origin of what was given with the command or call.
const OPTIONS: &str = "options";

/// The apps of an ecosystem file.
///
/// # Errors
/// When the file cannot be read or evaluated, or any app of it cannot be started as described; every problem is told.
pub fn load_file(path: &Path, context: &Context, options: &Options) -> Result<Loaded, ConfigErrors> {
    let origin: Rc<str> = path.to_string_lossy().into();
    let Some(format) = Format::of(&origin) else {
        let wrong = Wrong::new("not the name of an ecosystem file")
            .hint("such names end in `.json`, `.yaml`, `.toml`, `.config.js`, `.config.mjs` or `.config.ts`");
        return Err(refused(&origin, vec![(None, wrong)]));
    };
    // Not normalised further: `..` through a symbolic link is the caller's business.
    let file = context.cwd.join(path);
    let text = formats::read_text(&file).map_err(|wrong| refused(&origin, vec![(None, wrong)]))?;
    let mut report = Report::default();
    let root = match format {
        Format::JavaScript { typescript } => {
            let file = paths::absolute(&file.to_string_lossy(), &context.cwd, None);
            let value = formats::evaluate(&file, &text, typescript, context, options.js_timeout);
            report.source = Some((Rc::clone(&origin), text));
            value.map_err(|broken| refused(&origin, broken))?
        }
        Format::Json | Format::Yaml | Format::Toml => {
            format.parse(&text).map_err(|broken| refused(&origin, vec![broken]))?
        }
    };
    let apps = document::apps(&root, &origin, &mut report);
    Loader::new(&origin, file.parent(), context, options, report).load(&apps)
}

/// The apps of a JSON text (`start -`), with comments and the rest of JSON5. `origin` names it in problems.
///
/// # Errors
/// As [`load_file`].
pub fn load_text(text: &str, origin: &str, context: &Context, options: &Options) -> Result<Loaded, ConfigErrors> {
    let origin: Rc<str> = origin.into();
    formats::check_size(text.len()).map_err(|wrong| refused(&origin, vec![(None, wrong)]))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let root = Format::Json.parse(text).map_err(|broken| refused(&origin, vec![broken]))?;
    let mut report = Report::default();
    let apps = document::apps(&root, &origin, &mut report);
    Loader::new(&origin, None, context, options, report).load(&apps)
}

/// One app from a script, its arguments, and flags (in `options.overrides`, as keys of an ecosystem file).
///
/// # Errors
/// When the app cannot be started as described; every problem is told.
pub fn load_script(
    script: &str,
    args: &[String],
    context: &Context,
    options: &Options,
) -> Result<Loaded, ConfigErrors> {
    let mut entries = vec![Entry { key: "script".into(), at: None, value: Node::text(script) }];
    let mut options = options.clone();
    if !args.is_empty() {
        let items = args.iter().map(Node::text).collect();
        entries.push(Entry { key: "args".into(), at: None, value: Node::unplaced(Value::List(items)) });
        options.overrides.retain(|key, _| !same_key(key, "args"));
    }
    let app = Node::unplaced(Value::Map(entries));
    Loader::new(&OPTIONS.into(), None, context, &options, Report::default()).load(&[&app])
}

/// The apps of an object from JavaScript: one app, an array of them, or `{ apps: […] }`.
///
/// # Errors
/// When an app cannot be started as described; every problem is told.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the caller has no use for it afterwards, and may be generous with it"
)]
pub fn load_object(value: Json, context: &Context, options: &Options) -> Result<Loaded, ConfigErrors> {
    let origin: Rc<str> = OPTIONS.into();
    let root =
        Node::from_json(&value).ok_or_else(|| refused(&origin, vec![(None, Wrong::new("nested too deeply"))]))?;
    let mut report = Report::default();
    let apps = document::apps(&root, &origin, &mut report);
    Loader::new(&origin, None, context, options, report).load(&apps)
}

fn refused(origin: &Rc<str>, broken: Vec<Broken>) -> ConfigErrors {
    let mut report = Report::default();
    for (at, wrong) in broken {
        report.problem(&Place::new(origin, at), None, None, wrong);
    }
    match report.finish() {
        Err(errors) => errors,
        Ok(_) => ConfigErrors { problems: Vec::new() },
    }
}

struct Loader<'a> {
    origin: &'a Rc<str>,
    beside: Option<&'a Path>,
    context: &'a Context,
    options: &'a Options,
    report: Report,
    versions: Versions,
}

/// An app whose keys have been read.
struct Drafted {
    draft: Draft,
    over: Vec<crate::draft::Variable>,
    label: String,
    name: Option<String>,
    incomplete: bool,
}

impl<'a> Loader<'a> {
    fn new(
        origin: &'a Rc<str>,
        beside: Option<&'a Path>,
        context: &'a Context,
        options: &'a Options,
        report: Report,
    ) -> Self {
        Self { origin, beside, context, options, report, versions: Versions::default() }
    }

    fn load(mut self, nodes: &[&Node]) -> Result<Loaded, ConfigErrors> {
        let over = self.overrides();
        let drafts: Vec<Drafted> =
            nodes.iter().enumerate().map(|(index, node)| self.draft(index, node, &over)).collect();
        let only = self.only();
        self.check_only(&only, &drafts);
        let mut built: Vec<(AppSpec, Option<Place>)> = Vec::new();
        for drafted in &drafts {
            let chosen = only.is_empty() || drafted.is_one_of(&only);
            if let Some(app) = if chosen { self.build(drafted) } else { None } {
                let places = &drafted.draft.places;
                let place = places.get("name").or_else(|| places.get("script")).map(|(place, _)| place.clone());
                self.check_double(&app, place.as_ref(), &built);
                built.push((app, place));
            }
        }
        let warnings = self.report.finish()?;
        Ok(Loaded { apps: built.into_iter().map(|(app, _)| app).collect(), warnings })
    }

    fn overrides(&mut self) -> Vec<Entry> {
        let over = Node::from_json(&Json::Object(self.options.overrides.clone()));
        if let Some(Node { value: Value::Map(entries), .. }) = over {
            return entries;
        }
        self.report.problem(&Place::new(&OPTIONS.into(), None), None, None, Wrong::new("nested too deeply"));
        Vec::new()
    }

    fn draft(&mut self, index: usize, node: &Node, over: &[Entry]) -> Drafted {
        let before = self.report.count();
        let is_removal =
            |entry: &&Entry| matches!(&entry.value.value, Value::Null) || entry.value.as_text() == Some("null");
        let removed: Vec<&str> = over.iter().filter(is_removal).map(|entry| entry.key.as_str()).collect();
        let own: Vec<Entry> = node
            .as_map()
            .unwrap_or(&[])
            .iter()
            .filter(|entry| !removed.iter().any(|key| same_key(key, &entry.key)))
            .cloned()
            .collect();
        let label = self.label(index, node);
        let mut draft = Draft::default();
        check::fill(&mut draft, &own, &Owner { origin: self.origin, app: Some(&label) }, &mut self.report);
        let env = std::mem::take(&mut draft.env);
        let kept: Vec<Entry> = over.iter().filter(|entry| !is_removal(entry)).cloned().collect();
        check::fill(&mut draft, &kept, &Owner { origin: &OPTIONS.into(), app: None }, &mut self.report);
        let over = std::mem::replace(&mut draft.env, env);
        let name = build::name(&draft, self.context, self.options);
        let incomplete = self.report.count() > before;
        Drafted { draft, over, label: name.as_deref().map_or(label, shown), name, incomplete }
    }

    /// What the app is called while its keys are read.
    fn label(&self, index: usize, node: &Node) -> String {
        let text_of = |wanted: &str| {
            let entry = node.as_map()?.iter().find(|entry| same_key(&entry.key, wanted))?;
            entry.value.as_text().map(str::to_owned)
        };
        let draft = Draft { name: text_of("name"), script: text_of("script"), cwd: text_of("cwd"), ..Draft::default() };
        let name = build::name(&draft, self.context, &Options::default());
        name.map_or_else(|| format!("number {}", index + 1), |name| shown(&name))
    }

    fn build(&mut self, drafted: &Drafted) -> Option<AppSpec> {
        let builder = Builder {
            draft: &drafted.draft,
            over: &drafted.over,
            label: &drafted.label,
            origin: self.origin,
            beside: self.beside,
            context: self.context,
            options: self.options,
            report: &mut self.report,
            versions: &mut self.versions,
        };
        builder.build(drafted.incomplete)
    }

    fn only(&self) -> Vec<&'a str> {
        self.options
            .only
            .iter()
            .flat_map(|names| names.split(','))
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .collect()
    }

    fn check_only(&mut self, only: &[&str], drafts: &[Drafted]) {
        for name in only {
            if drafts.iter().any(|drafted| drafted.is_one_of(&[name])) {
                continue;
            }
            let known = drafts.iter().map(|drafted| drafted.label.as_str());
            let wrong = Wrong::new(format!("no app `{}` in it", name.escape_debug()));
            let wrong = match nearest(name, known.clone()) {
                Some(meant) => wrong.hint(format!("did you mean `{meant}`?")),
                None => wrong
                    .hint(format!("it has {}", known.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))),
            };
            self.report.problem(&Place::new(self.origin, None), None, None, wrong);
        }
    }

    fn check_double(&mut self, app: &AppSpec, place: Option<&Place>, built: &[(AppSpec, Option<Place>)]) {
        let same = built.iter().find(|(known, _)| known.name == app.name && known.namespace == app.namespace);
        let Some((_, first)) = same else { return };
        let first = match first.as_ref().and_then(|place| place.at) {
            Some(at) => format!(", first at {}:{}:{}", self.origin, at.line, at.column),
            None => String::new(),
        };
        let wrong = Wrong::new(format!("two apps are named `{}` in namespace `{}`{first}", app.name, app.namespace))
            .hint("give each its own `name`, or use `instances`");
        let place = place.cloned().unwrap_or_else(|| Place::new(self.origin, None));
        self.report.problem(&place, Some(&app.name), None, wrong);
    }
}

/// A name as it can be printed: no control characters that a terminal would obey.
fn shown(name: &str) -> String {
    if name.chars().any(char::is_control) { name.escape_debug().to_string() } else { name.to_owned() }
}

impl Drafted {
    /// By its whole name, or by the one in the file.
    fn is_one_of(&self, names: &[&str]) -> bool {
        let own = [self.name.as_deref(), self.draft.name.as_deref()];
        names.iter().any(|name| own.contains(&Some(name)))
    }
}
