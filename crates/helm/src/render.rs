//! Rendering a chart, from values to manifests.

use std::cell::RefCell;
use std::rc::Rc;

use stagelink_gotemplate::{Limits, Map, Value};

use crate::chart::Chart;
use crate::dependencies::process_dependencies;
use crate::engine::Program;
use crate::error::{Place, RenderError, RenderErrorKind};
use crate::functions::Randomness;
use crate::functions::encoding::to_json;
use crate::handlebars::HandlebarsTemplates;
use crate::manifest::{self, Crd, Hook, KnownDocuments, Manifest};
use crate::objects::capabilities::Capabilities;
use crate::objects::scope::Scopes;
use crate::semver::{Constraints, Version};
use crate::values::{coalesce, validate};

/// File whose output is told to the user instead of the cluster.
const NOTES: &str = "NOTES.txt";

/// Stack of a render, in bytes; only what is used of it takes memory.
const STACK: usize = 64 << 20;

/// Longest name of a release, in bytes, as in Helm.
const MAXIMUM_RELEASE_NAME: usize = 53;

/// The release that templates see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// `.Release.Name`
    pub name: String,
    /// `.Release.Namespace`
    pub namespace: String,
    /// `.Release.Revision`
    pub revision: i64,
    /// `.Release.IsUpgrade`; `.Release.IsInstall` is the opposite.
    pub is_upgrade: bool,
}

impl Default for Release {
    /// As `helm template` without a name.
    fn default() -> Self {
        Self {
            name: "release-name".to_owned(),
            namespace: "default".to_owned(),
            revision: 1,
            is_upgrade: false,
        }
    }
}

/// What a render is made of besides the chart.
#[derive(Clone, Debug, Default)]
pub struct RenderInput {
    /// The user's values, without the chart's defaults.
    pub values: Option<Map>,
    /// The release.
    pub release: Release,
    /// The cluster.
    pub capabilities: Capabilities,
    /// `revision` of Handlebars templates: the commit; empty when there is none.
    pub revision: String,
    /// `traceParent` of Handlebars templates; empty when there is none.
    pub trace_parent: String,
    /// Seed of random texts: the same seed, application and chart give the same texts. Without one they are random. A secret.
    pub seed: Option<Vec<u8>>,
    /// Name of the application, part of what seeded texts are derived from; the release and its namespace when empty.
    pub application: String,
    /// What templates may use up.
    pub limits: Limits,
    /// Put the files of `crds/` first.
    pub include_crds: bool,
    /// Leave out hooks that are tests.
    pub skip_tests: bool,
    /// Leave out all hooks.
    pub skip_hooks: bool,
    /// Do not check the values against `values.schema.json`.
    pub skip_schema_validation: bool,
}

/// What a render gives.
#[derive(Clone, Debug, Default)]
pub struct Rendered {
    /// Custom resource definitions, when they are wanted.
    pub crds: Vec<Crd>,
    /// Resources in the order of installation.
    pub manifests: Vec<Manifest>,
    /// Helm hooks by kind, in the order in which `helm template` prints them.
    pub hooks: Vec<Manifest>,
    /// What `NOTES.txt` of the chart says.
    pub notes: String,
    /// What Helm would log; keys and names, no values.
    pub warnings: Vec<String>,
    /// False when a template has read the clock or drawn unseeded randomness, so that the next render differs.
    pub is_reproducible: bool,
}

impl Rendered {
    /// Everything as `helm template` prints it, byte for byte.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        manifest::template_output(&self.crds, &self.manifests, &self.hooks)
    }
}

/// A chart whose templates are parsed once and rendered many times.
///
/// ```
/// use stagelink_helm::{Chart, ParsedChart, RenderInput, chart::File};
///
/// let file = |name: &str, text: &str| File { name: name.into(), data: text.as_bytes().into() };
/// let chart = ParsedChart::new(Chart::from_files(vec![
///     file("Chart.yaml", "name: demo\nversion: 0.1.0\n"),
///     file("values.yaml", "greeting: hello\n"),
///     file("templates/a.yaml", "kind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata: {a: {{ .Values.greeting | upper }}}\n"),
/// ])?);
/// let rendered = chart.render(&RenderInput::default())?;
/// assert_eq!(rendered.manifests[0].document()["data"]["a"], "HELLO");
/// assert!(rendered.to_yaml().starts_with("---\n# Source: demo/templates/a.yaml\nkind: ConfigMap\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ParsedChart {
    chart: Chart,
    go: RefCell<Option<Rc<Program>>>,
    handlebars: RefCell<Option<Rc<HandlebarsPrograms>>>,
    documents: RefCell<KnownDocuments>,
}

/// Handlebars templates of each chart, and the names that they were parsed from.
#[derive(Debug)]
struct HandlebarsPrograms {
    names: Vec<String>,
    charts: Vec<(usize, HandlebarsTemplates)>,
}

/// Runs something on a stack that is large enough to render charts. A render brings its own; several in a row
/// share one that is begun around them.
pub fn on_render_stack<R>(run: impl FnOnce() -> R) -> R {
    // Errors of templates that call each other, and nested values, are as deep as the limits allow.
    stacker::maybe_grow(STACK / 2, STACK, run)
}

impl ParsedChart {
    /// Takes a chart. Its templates are parsed with the first render, because values decide which sub-charts take part, and a
    /// sub-chart that does not may be broken.
    #[must_use]
    pub fn new(chart: Chart) -> Self {
        Self {
            chart,
            go: RefCell::new(None),
            handlebars: RefCell::new(None),
            documents: RefCell::default(),
        }
    }

    /// The chart.
    #[must_use]
    pub fn chart(&self) -> &Chart {
        &self.chart
    }

    /// Renders the chart.
    ///
    /// # Errors
    /// The chart cannot be rendered, a template fails or uses too much, or its output is no YAML.
    pub fn render(&self, input: &RenderInput) -> Result<Rendered, RenderError> {
        on_render_stack(|| self.render_here(input))
    }

    fn render_here(&self, input: &RenderInput) -> Result<Rendered, RenderError> {
        self.check(input)?;
        let no_chart = |error: crate::chart::ChartError| {
            let rendered = RenderError::new(RenderErrorKind::Chart, None, error.to_string())
                .with_advice("correct the chart or its values");
            match error.details() {
                Some(details) => rendered.with_helm(details),
                None => rendered,
            }
        };
        // Templates may change what they find in values; the next render must not see that.
        let user = input
            .values
            .as_ref()
            .map_or_else(|| Map::new(Default::default()), Map::deep_copy);
        let processed = process_dependencies(&self.chart, &user).map_err(no_chart)?;
        let mut warnings = processed.warnings;
        let values = coalesce(&processed.chart, &user, &mut warnings).map_err(no_chart)?;
        if !input.skip_schema_validation {
            validate(&processed.chart, &values).map_err(no_chart)?;
        }
        let release = &input.release;
        let shared = [
            ("Release", release_object(release)),
            ("Capabilities", input.capabilities.object()),
        ];
        let scopes = Scopes::new(&processed.chart, values, &shared);

        // Before Go templates run, which may change what others see.
        let mut files = self.render_handlebars(&scopes, input)?;
        let program = self.program(&scopes)?;
        let application = match input.application.as_str() {
            "" => format!("{}/{}", release.namespace, release.name),
            application => application.to_owned(),
        };
        let randomness = Randomness::new(input.seed.as_deref(), &application);
        files.extend(program.run(&scopes.objects, randomness, &input.limits)?);

        let notes_of_chart = format!("{}/templates/{NOTES}", self.chart.name());
        let mut notes = String::new();
        files.retain(|(name, text)| {
            let name = name
                .strip_suffix(crate::handlebars::EXTENSION)
                .unwrap_or(name);
            if name == notes_of_chart {
                notes.clone_from(text);
            }
            !name.ends_with(NOTES)
        });
        let sorted = manifest::sort(files, &mut self.documents.borrow_mut())?;
        warnings.extend(sorted.warnings);
        let mut seen = std::collections::BTreeSet::new();
        warnings.retain(|warning| seen.insert(warning.clone()));
        let mut hooks = sorted.hooks;
        let is_test = |manifest: &Manifest| manifest.hook.as_ref().is_some_and(Hook::is_test);
        hooks.retain(|manifest| !(input.skip_hooks || input.skip_tests && is_test(manifest)));
        let mut crds = Vec::new();
        if input.include_crds {
            collect_crds(&processed.chart, processed.chart.name(), &mut crds)?;
        }
        Ok(Rendered {
            crds,
            manifests: sorted.manifests,
            hooks,
            notes,
            warnings,
            is_reproducible: program.is_reproducible(),
        })
    }

    /// What Helm checks before it renders.
    fn check(&self, input: &RenderInput) -> Result<(), RenderError> {
        let chart_error = |message: String| {
            RenderError::new(RenderErrorKind::Chart, None, message.clone()).with_helm(message)
        };
        let name = &input.release.name;
        let is_label = |label: &str| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        if name.len() > MAXIMUM_RELEASE_NAME || !name.split('.').all(is_label) {
            let rule = format!(
                "at most {MAXIMUM_RELEASE_NAME} lower-case letters, digits, - and . are allowed"
            );
            return Err(
                chart_error(format!("the release name {name:?} is not valid: {rule}"))
                    .with_advice("choose another release name"),
            );
        }
        let metadata = self.chart.metadata();
        if metadata.is_library() {
            return Err(chart_error("library charts are not installable".to_owned())
                .with_advice("render a chart that uses it"));
        }
        self.chart.check_dependencies().map_err(|error| {
            RenderError::new(RenderErrorKind::Chart, None, error.to_string())
                .with_advice("complete charts/")
        })?;
        let (wanted, found) = (&metadata.kube_version, &input.capabilities);
        let fits = || {
            let range = Constraints::parse(wanted).ok()?;
            Some(range.check(&Version::parse(found.kube_version()).ok()?))
        };
        if !wanted.is_empty() && fits() != Some(true) {
            let found = found.full_kube_version();
            return Err(chart_error(format!(
                "chart requires kubeVersion: {wanted} which is incompatible with Kubernetes {found}"
            )));
        }
        Ok(())
    }

    /// The parsed Go templates, from the render before if the same ones take part.
    fn program(&self, scopes: &Scopes) -> Result<Rc<Program>, RenderError> {
        if let Some(program) = &*self.go.borrow()
            && program.is_of(&scopes.templates)
        {
            return Ok(Rc::clone(program));
        }
        let program = Rc::new(Program::parse(scopes.templates.clone())?);
        self.go.replace(Some(Rc::clone(&program)));
        Ok(program)
    }

    fn render_handlebars(
        &self,
        scopes: &Scopes,
        input: &RenderInput,
    ) -> Result<Vec<(String, String)>, RenderError> {
        if scopes.handlebars.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<String> = scopes
            .handlebars
            .iter()
            .map(|(_, _, name, _)| name.clone())
            .collect();
        let parsed = self
            .handlebars
            .borrow()
            .clone()
            .filter(|programs| programs.names == names);
        let programs = match parsed {
            Some(programs) => programs,
            None => {
                let mut charts = Vec::new();
                for scope in 0..scopes.objects.len() {
                    let own = scopes.handlebars.iter().filter(|(of, ..)| *of == scope);
                    let own: Vec<_> = own
                        .map(|(_, path, name, text)| (path.as_str(), name.clone(), &**text))
                        .collect();
                    if !own.is_empty() {
                        charts.push((scope, HandlebarsTemplates::parse(own)?));
                    }
                }
                let programs = Rc::new(HandlebarsPrograms { names, charts });
                self.handlebars.replace(Some(Rc::clone(&programs)));
                programs
            }
        };
        let mut files = Vec::new();
        for (scope, templates) in &programs.charts {
            let Some(objects) = scopes.objects.get(*scope) else {
                continue;
            };
            let mut data = serde_json::json!({
                "Capabilities": input.capabilities.to_json(),
                "revision": input.revision,
                "traceParent": input.trace_parent,
            });
            for name in ["Chart", "Release", "Values"] {
                let value = objects.get(name).unwrap_or_default();
                data[name] = to_json(&value).map_err(|error| {
                    RenderError::new(
                        RenderErrorKind::Execution,
                        Some(Place::file(self.chart.name())),
                        format!("{name}: {error}"),
                    )
                })?;
            }
            files.extend(templates.render(&data, input.limits.output as u64)?);
        }
        Ok(files)
    }
}

fn release_object(release: &Release) -> Value {
    Value::map([
        ("Name", Value::from(release.name.as_str())),
        ("Namespace", Value::from(release.namespace.as_str())),
        ("Revision", Value::Int(release.revision)),
        ("IsInstall", Value::Bool(!release.is_upgrade)),
        ("IsUpgrade", Value::Bool(release.is_upgrade)),
        ("Service", Value::from("Helm")),
    ])
}

/// The CRDs of a chart and its sub-charts, in Helm's order.
fn collect_crds(chart: &Chart, path: &str, crds: &mut Vec<Crd>) -> Result<(), RenderError> {
    for file in chart.crds() {
        let source = format!("{path}/{}", file.name);
        let text = String::from_utf8(file.data.to_vec()).map_err(|_| {
            RenderError::new(
                RenderErrorKind::Manifest,
                Some(Place::file(&source)),
                "the file is not UTF-8 text",
            )
        })?;
        crds.push(Crd { source, text });
    }
    chart
        .dependencies()
        .iter()
        .try_for_each(|child| collect_crds(child, &format!("{path}/charts/{}", child.name()), crds))
}
