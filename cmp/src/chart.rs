//! One chart, rendered with what Argo CD says.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use stagelink_helm::chart::LoadOptions;
use stagelink_helm::values::{ValueSources, to_json};
use stagelink_helm::{Capabilities, Manifest, ParsedChart, Release, RenderInput, Rendered};
use stagelink_plan::TraceParent;

use crate::environment::NEUTRAL_REVISION;
use crate::injection::{Injection, value_at, value_tree};
use crate::options::Options;
use crate::value_files::FileFinder;
use crate::{Environment, Parameters, PluginError};

/// A chart in the working directory.
pub(crate) struct StageChart {
    parsed: ParsedChart,
    finder: FileFinder,
    directory: PathBuf,
}

/// What a render gave, and what was injected into it.
pub(crate) struct RenderedStage {
    pub rendered: Rendered,
    pub injection: Injection,
    pub warnings: Vec<String>,
}

/// Random texts of the second render, whose output nobody sees: it only has to be the same each time.
const DIGEST_SEED: &[u8] = b"content digest, not a secret";

impl StageChart {
    pub(crate) fn load(directory: &Path, environment: &Environment) -> Result<Self, PluginError> {
        let finder = FileFinder::new(directory, &environment.files_root(directory))?;
        let chart = LoadOptions::default()
            .within(environment.repository(directory))
            .load(directory)?;
        Ok(Self {
            parsed: ParsedChart::new(chart),
            finder,
            directory: directory.to_owned(),
        })
    }

    /// The chart's own values.
    pub(crate) fn values(&self) -> &Value {
        self.parsed.chart().values()
    }

    /// The chart's `values.yaml` as it is; empty when there is none.
    pub(crate) fn values_yaml(&self) -> &[u8] {
        self.parsed.chart().values_yaml().unwrap_or_default()
    }

    /// Renders the chart as it is delivered.
    pub(crate) fn render(
        &self,
        parameters: &Parameters,
        environment: &Environment,
        options: &Options,
        seed: Option<Vec<u8>>,
    ) -> Result<RenderedStage, PluginError> {
        let mut warnings = Vec::new();
        let revision = environment.revision().map(str::to_owned);
        let stated = options
            .trace_parent
            .as_deref()
            .and_then(|text| parse_trace_parent(text, "parameter \"trace-parent\"", &mut warnings));

        let mut sources = self.sources(parameters, environment)?;
        if options.inject.values {
            if let Some(revision) = &revision {
                self.inject_value(&options.commit_id_value, revision, &mut sources);
            }
            if let Some(link) = &stated {
                // Over everything that a file or a parameter says: it was stated for this delivery.
                self.override_value(&options.trace_parent_value, &link.to_string(), &mut sources);
            }
        }
        let user = sources.merge()?;
        let trace_parent = stated.or_else(|| {
            let values = to_json(&user.clone().into());
            let effective = value_at(&values, &options.trace_parent_value)
                .or_else(|| value_at(self.values(), &options.trace_parent_value))?;
            let text = effective.as_str()?.trim();
            let place = format!("value {:?}", options.trace_parent_value);
            if text.is_empty() {
                None
            } else {
                parse_trace_parent(text, &place, &mut warnings)
            }
        });
        let input = RenderInput {
            values: Some(user),
            revision: revision.clone().unwrap_or_default(),
            trace_parent: trace_parent
                .map(|link| link.to_string())
                .unwrap_or_default(),
            seed,
            ..self.input(options)?
        };
        let rendered = self.render_input(&input)?;
        // A document of just comments is no resource.
        let has_resource = manifests(&rendered).any(|manifest| !manifest.document().is_null());
        if rendered.crds.is_empty() && !has_resource {
            return Err(PluginError::input(
                "the chart rendered no resource at all, and Argo CD would delete everything that is there; \
                 check its values and conditions",
            ));
        }
        warnings.extend(rendered.warnings.iter().cloned());
        if !rendered.is_reproducible {
            warnings.push(format!(
                "the chart draws random texts without a seed or reads the clock, so each render differs and the app \
                 is OutOfSync each time; let the plugin's operator set {}, or give the texts as values",
                crate::SEED_FILE
            ));
        }
        Ok(RenderedStage {
            rendered,
            injection: Injection {
                revision,
                trace_parent,
            },
            warnings,
        })
    }

    /// Renders what does not depend on commit and traceparent, for the content digest.
    pub(crate) fn render_neutral(
        &self,
        parameters: &Parameters,
        environment: &Environment,
        seed: Option<Vec<u8>>,
    ) -> Result<Rendered, PluginError> {
        // The revision may also be in a name or an image that a parameter makes from it.
        let environment = environment.neutral();
        let options = &Options::read(parameters, &environment, &self.directory)?;
        let mut sources = self.sources(parameters, &environment)?;
        if options.inject.values {
            self.inject_value(&options.commit_id_value, NEUTRAL_REVISION, &mut sources);
        }
        self.override_value(&options.trace_parent_value, "", &mut sources);
        let input = RenderInput {
            values: Some(sources.merge()?),
            revision: NEUTRAL_REVISION.to_owned(),
            // Where the delivered texts are random, those of the digest must not be.
            seed: Some(seed.unwrap_or_else(|| DIGEST_SEED.to_vec())),
            ..self.input(options)?
        };
        self.render_input(&input)
    }

    fn render_input(&self, input: &RenderInput) -> Result<Rendered, PluginError> {
        self.parsed
            .render(input)
            .map_err(|error| PluginError::Input(error.to_string()))
    }

    fn input(&self, options: &Options) -> Result<RenderInput, PluginError> {
        let api_versions = options.api_versions.iter().map(String::as_str);
        let capabilities = Capabilities::new(options.kube_version.as_deref(), api_versions)
            .map_err(|error| {
                PluginError::input(format!("kube-version: {error}; write it like \"1.34.1\""))
            })?;
        Ok(RenderInput {
            release: Release {
                name: options.release_name.clone(),
                namespace: options.namespace.clone(),
                ..Release::default()
            },
            capabilities,
            application: options.instance.clone(),
            include_crds: !options.skip_crds,
            skip_tests: options.skip_tests,
            skip_schema_validation: options.skip_schema_validation,
            ..RenderInput::default()
        })
    }

    /// Values in Argo CD's order: files, `values`, then single ones.
    fn sources(
        &self,
        parameters: &Parameters,
        environment: &Environment,
    ) -> Result<Sources, PluginError> {
        let ignore_missing = parameters
            .flag("ignore-missing-value-files")?
            .unwrap_or(false);
        let entries: Vec<String> = parameters
            .list("value-files")
            .iter()
            .map(|entry| substitute_path(entry, environment))
            .filter(|entry| !entry.is_empty())
            .collect();
        let mut sources = Sources::default();
        for file in self.finder.value_files(&entries, ignore_missing)? {
            sources.add_file(&file.shown, file.read()?);
        }
        if let Some(values) = parameters.text("values") {
            sources.add_file("parameter \"values\"", values.as_bytes().to_vec());
        }
        // What is injected is put here, over the files and under the single values.
        sources.injected_at = sources.values.files.len();
        let flag = |(name, value): (&str, &str)| {
            let value = environment.substitute(value);
            format!("{}={}", environment.substitute(name), escape_commas(&value))
        };
        sources.values.set_json = parameters
            .list("helm-json-parameters")
            .iter()
            .map(|entry| environment.substitute(entry))
            .collect();
        sources.values.set = parameters.map("helm-parameters").map(flag).collect();
        sources.values.set_string = parameters.map("helm-string-parameters").map(flag).collect();
        for (name, path) in parameters.map("helm-file-parameters") {
            let path = substitute_path(path, environment);
            let file = self.finder.parameter_file(name, &path)?;
            // A path of ours: the user's may hold characters that mean something to `--set-file`.
            let key = format!("file-parameter-{}", sources.values.set_file.len());
            sources.values.set_file.push(format!("{name}={key}"));
            sources.contents.insert(key, file.read()?);
        }
        // A dollar has no meaning in them either.
        sources.values.set_literal = parameters.list("helm-literal-parameters").to_vec();
        Ok(sources)
    }

    /// Sets a value that the chart knows, or may know: a chart with a schema need not allow it.
    fn inject_value(&self, name: &str, text: &str, sources: &mut Sources) {
        if self.may_have(name) {
            let tree = value_tree(name, text).to_string();
            sources.add_injected(&format!("injected {name}"), tree.into_bytes());
        }
    }

    fn override_value(&self, name: &str, text: &str, sources: &mut Sources) {
        if self.may_have(name) {
            sources.values.set_literal.push(format!("{name}={text}"));
        }
    }

    fn may_have(&self, name: &str) -> bool {
        self.parsed.chart().schema().is_none() || value_at(self.values(), name).is_some()
    }
}

/// Value sources whose contents are already read.
#[derive(Default)]
struct Sources {
    values: ValueSources,
    contents: BTreeMap<String, Vec<u8>>,
    injected_at: usize,
}

impl Sources {
    fn add_file(&mut self, name: &str, content: Vec<u8>) {
        self.values.files.push(name.to_owned());
        self.contents.insert(name.to_owned(), content);
    }

    fn add_injected(&mut self, name: &str, content: Vec<u8>) {
        self.values.files.insert(self.injected_at, name.to_owned());
        self.contents.insert(name.to_owned(), content);
    }

    fn merge(self) -> Result<stagelink_gotemplate::Map, PluginError> {
        let contents = RefCell::new(self.contents);
        let read = |name: &str| {
            contents
                .borrow()
                .get(name)
                .cloned()
                .ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotFound))
        };
        Ok(self.values.merge(&read)?)
    }
}

/// A path with its variables replaced; one that begins with the name of another source (`$ref/…`)
/// stays as it is, so that it is refused as what it is and not looked for as `/…`.
fn substitute_path(path: &str, environment: &Environment) -> String {
    let names_source = path.starts_with('$')
        && !path.starts_with("$$")
        && path
            .split('/')
            .next()
            .is_some_and(|first| environment.substitute(first).is_empty());
    if names_source {
        path.to_owned()
    } else {
        environment.substitute(path)
    }
}

/// A comma in a parameter belongs to its value, unless that is a list (Argo CD: `cleanSetParameters`).
fn escape_commas(value: &str) -> String {
    if value.starts_with('{') && value.ends_with('}') {
        return value.to_owned();
    }
    let mut escaped = String::with_capacity(value.len());
    let mut before = '\0';
    for character in value.chars() {
        if character == ',' && before != '\\' {
            escaped.push('\\');
        }
        escaped.push(character);
        before = character;
    }
    escaped
}

fn parse_trace_parent(text: &str, place: &str, warnings: &mut Vec<String>) -> Option<TraceParent> {
    match text.parse() {
        Ok(link) => Some(link),
        Err(error) => {
            warnings.push(format!("{place} is left out: {error}"));
            None
        }
    }
}

/// The manifests in the order in which they are emitted, CRDs apart.
pub(crate) fn manifests(rendered: &Rendered) -> impl Iterator<Item = &Manifest> {
    rendered.manifests.iter().chain(&rendered.hooks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_are_escaped_as_by_argo_cd() {
        for (value, escaped) in [
            ("a,b", "a\\,b"),
            ("a\\,b", "a\\,b"),
            ("{a,b}", "{a,b}"),
            ("{a,b", "{a\\,b"),
            ("", ""),
        ] {
            assert_eq!(escape_commas(value), escaped);
        }
    }
}
