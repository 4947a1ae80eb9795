//! The engine: all templates of a chart and its sub-charts in one set, run in Helm's order over shared objects.
//!
//! Follows `pkg/engine` of Helm 4.3. Order is meaning: files are parsed deepest first, so that a parent's definition replaces that
//! of a sub-chart, and run in the same order over objects that templates can change (`set .Values …`).

mod errors;
mod functions;

use std::rc::Rc;
use std::sync::Arc;

use stagelink_gotemplate::{FunctionTable, Limits, Map, MissingKey, Templates, Value};

use crate::error::RenderError;
use crate::functions::{Randomness, Surroundings};
use crate::objects::VALUES;
pub(crate) use functions::register;

/// What Helm calls the set of all templates in errors.
const SET_NAME: &str = "gotpl";

/// What Go prints for no value, and Helm takes out of finished files.
const NO_VALUE: &[u8] = b"<no value>";

/// One template file of a chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TemplateFile {
    /// `chart/charts/sub/templates/x.yaml`
    pub(crate) name: String,
    /// `chart/charts/sub/templates`
    pub(crate) base_path: String,
    /// Which chart's objects it sees; an index.
    pub(crate) scope: usize,
    /// Its text.
    pub(crate) text: Arc<[u8]>,
}

/// Template files, parsed.
#[derive(Debug)]
pub(crate) struct Program {
    files: Vec<TemplateFile>,
    templates: Templates,
    surroundings: Rc<Surroundings>,
}

impl Program {
    /// Sorts and parses files.
    ///
    /// # Errors
    /// The first file that is not well-formed.
    pub(crate) fn parse(mut files: Vec<TemplateFile>) -> Result<Self, RenderError> {
        sort(&mut files);
        let surroundings = Rc::new(Surroundings::default());
        let mut table = FunctionTable::builtin();
        crate::functions::register(&mut table, &surroundings);
        register(&mut table, &surroundings);
        let mut templates = Templates::new(SET_NAME, table).with_missing_key(MissingKey::Zero);
        for file in &files {
            templates
                .parse(&file.name, &file.text)
                .map_err(|error| errors::parse_error(&file.name, &error))?;
        }
        Ok(Self {
            files,
            templates,
            surroundings,
        })
    }

    /// True if these are the files that were parsed.
    pub(crate) fn is_of(&self, files: &[TemplateFile]) -> bool {
        let mut files = files.to_vec();
        sort(&mut files);
        self.files == files
    }

    /// Runs every file that is no partial; `scopes` are the objects of the charts.
    ///
    /// # Errors
    /// The first file that fails.
    pub(crate) fn run(
        &self,
        scopes: &[Map],
        randomness: Randomness,
        limits: &Limits,
    ) -> Result<Vec<(String, String)>, RenderError> {
        self.surroundings.start(randomness, &self.templates);
        let mut rendered = Vec::new();
        for file in self.files.iter().filter(|file| !is_partial(&file.name)) {
            let Some(scope) = scopes.get(file.scope) else {
                continue;
            };
            let about = [
                ("Name", Value::from(file.name.as_str())),
                ("BasePath", Value::from(file.base_path.as_str())),
            ];
            let about = about
                .map(|(key, value)| (key.into(), value))
                .into_iter()
                .collect();
            scope.insert("Template", Value::Map(Map::with_kind(about, VALUES)));
            self.surroundings.enter(&file.name);
            let output = self
                .templates
                .execute(&file.name, Value::Map(scope.as_kind(VALUES)), limits)
                .map_err(|error| errors::execution_error(&file.name, &error))?;
            rendered.push((
                file.name.clone(),
                String::from_utf8_lossy(&without_no_value(output)).into_owned(),
            ));
        }
        Ok(rendered)
    }

    /// False when the last run has read the clock or drawn unseeded randomness, so that the next one gives something else.
    pub(crate) fn is_reproducible(&self) -> bool {
        !self.surroundings.clock_was_read.get()
            && !self.surroundings.randomness.borrow().was_unseeded()
    }
}

/// Helm's order: deepest first, then by name from the end.
fn sort(files: &mut [TemplateFile]) {
    let depth = |file: &TemplateFile| file.name.matches('/').count();
    files.sort_by(|left, right| {
        depth(right)
            .cmp(&depth(left))
            .then_with(|| right.name.cmp(&left.name))
    });
}

fn is_partial(name: &str) -> bool {
    name.rsplit('/')
        .next()
        .is_some_and(|base| base.starts_with('_'))
}

fn without_no_value(output: Vec<u8>) -> Vec<u8> {
    if crate::functions::text::find(&output, NO_VALUE).is_none() {
        return output;
    }
    crate::functions::text::replace_all(&output, NO_VALUE, b"")
}
