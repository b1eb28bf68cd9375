//! Gathers problems and warnings while a configuration is read, so that all are told at once. Never decides what is wrong.

use std::rc::Rc;

use crate::node::{Pos, find_key};
use crate::{ConfigErrors, Problem};

/// Where something stands.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) origin: Rc<str>,
    pub(crate) at: Option<Pos>,
}

impl Place {
    pub(crate) fn new(origin: &Rc<str>, at: Option<Pos>) -> Self {
        Self { origin: Rc::clone(origin), at }
    }
}

/// What is wrong and what helps, before it has a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Wrong {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// The same, said of a key within the value.
    pub(crate) fn inside(mut self, key: &str) -> Self {
        self.message = format!("has a wrong `{key}`: it {}", self.message);
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The problems and warnings so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Text of a JavaScript file and its origin: its value has no lines, so keys are looked for in it.
    pub(crate) source: Option<(Rc<str>, String)>,
    problems: Vec<Problem>,
    warnings: Vec<String>,
}

impl Report {
    pub(crate) fn problem(&mut self, place: &Place, app: Option<&str>, key: Option<&str>, wrong: Wrong) {
        let at = place.at.or_else(|| self.likely(&place.origin, key));
        let problem = Problem {
            origin: place.origin.to_string(),
            line: at.map(|at| at.line),
            column: at.map(|at| at.column),
            app: app.map(str::to_owned),
            key: key.map(str::to_owned),
            message: wrong.message,
            hint: wrong.hint,
        };
        // An option is checked once per app of the file, and is wrong only once.
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    pub(crate) fn warning(&mut self, place: &Place, key: Option<&str>, message: &str) {
        let at = place.at.or_else(|| self.likely(&place.origin, key));
        let warning = match at {
            Some(at) => format!("{}:{}:{}: {message}", place.origin, at.line, at.column),
            None => format!("{}: {message}", place.origin),
        };
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.problems.len()
    }

    /// The warnings, or all problems if there is one.
    pub(crate) fn finish(self) -> Result<Vec<String>, ConfigErrors> {
        if self.problems.is_empty() { Ok(self.warnings) } else { Err(ConfigErrors { problems: self.problems }) }
    }

    fn likely(&self, origin: &Rc<str>, key: Option<&str>) -> Option<Pos> {
        let (of, text) = self.source.as_ref()?;
        if of == origin { find_key(text, key?) } else { None }
    }
}
