//! `generate`: from chart and environment to everything that Argo CD applies.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;
use stagelink_helm::Rendered;
use stagelink_keptn::{KeptnKind, Severity};
use stagelink_plan::{BuiltPlan, ContentDigest, Manifest, PlanSettings};

use crate::chart::{RenderedStage, StageChart, manifests};
use crate::injection::{Injection, inject_context, is_app_context};
use crate::keptn_resources::KeptnFilter;
use crate::options::{AppContext, Options};
use crate::resources::{self, HOOK, HOOK_DELETE_POLICY, Names};
use crate::{Environment, Parameters, PluginError, seed};

/// What `generate` gives.
#[derive(Debug, Clone, Default)]
pub struct Generated {
    /// The manifests, as a stream of YAML documents.
    pub manifests: String,
    /// What a person should know, one line each, without secrets.
    pub warnings: Vec<String>,
}

/// Renders the chart in a directory, injects commit and traceparent, and adds plan and hooks.
///
/// A pure function of the directory's content and the environment, unless the chart asks for
/// randomness and no seed is configured.
///
/// # Errors
/// [`PluginError`] when something is wrong with the chart, the parameters or the environment.
pub fn generate(directory: &Path, environment: &Environment) -> Result<Generated, PluginError> {
    // Both renders on one.
    stagelink_helm::on_render_stack(|| generate_here(directory, environment))
}

fn generate_here(directory: &Path, environment: &Environment) -> Result<Generated, PluginError> {
    let parameters = Parameters::read(environment)?;
    let options = Options::read(&parameters, environment, directory)?;
    let seed = seed::read(environment)?;
    let chart = StageChart::load(directory, environment)?;
    let RenderedStage {
        rendered,
        injection,
        mut warnings,
    } = chart.render(&parameters, environment, &options, seed.clone())?;
    let mut output = Output::default();
    for crd in &rendered.crds {
        output.text(&crd.source, &crd.text);
    }
    let filter = KeptnFilter {
        choice: options.keptn_resources,
        api_versions: &options.api_versions,
    };
    let documents = with_contexts(&rendered, &injection, options.inject.context, &mut warnings);
    for document in &documents {
        let mut value = document.value();
        if !filter.emits(value) {
            continue;
        }
        match &document.changed {
            None if !is_app_context(value) => output.text(document.source, document.text),
            _ => {
                let mut context = value.clone();
                if options.app_context == AppContext::Hook {
                    make_hook(&mut context);
                }
                value = &context;
                output.value(document.source, value)?;
            }
        }
    }

    if let Some(hooks) = &options.hooks {
        let neutral = chart.render_neutral(&parameters, environment, seed)?;
        let digest = digest(&neutral);
        let BuiltPlan { plan, findings } =
            build_plan(&documents, &options, &injection, environment, digest);
        let (errors, others): (Vec<_>, Vec<_>) = findings
            .into_iter()
            .partition(|finding| finding.severity == Severity::Error);
        if !errors.is_empty() {
            return Err(PluginError::Findings(errors));
        }
        warnings.extend(others.iter().map(ToString::to_string));
        for resource in resources::build(&plan, &Names::new(&options.instance), hooks)? {
            output.value("stagelink", &resource)?;
        }
    }
    Ok(Generated {
        manifests: output.0,
        warnings,
    })
}

/// The plan of what was rendered.
pub(crate) fn build_plan(
    documents: &[Document<'_>],
    options: &Options,
    injection: &Injection,
    environment: &Environment,
    digest: ContentDigest,
) -> BuiltPlan {
    let manifests: Vec<_> = documents
        .iter()
        .map(|document| Manifest {
            source: document.source,
            resource: document.value(),
        })
        .collect();
    stagelink_plan::build(
        &manifests,
        &PlanSettings {
            application: options.application.clone(),
            stage: options.stage.clone(),
            namespace: options.namespace.clone(),
            revision: injection.revision.clone(),
            source: environment.source(),
            digest,
            trace_parent: injection.trace_parent,
            block_deployment: options.block_deployment,
            observability_timeout: options.observability_timeout,
        },
    )
}

/// A rendered document, and what became of it.
pub(crate) struct Document<'a> {
    pub(crate) source: &'a str,
    pub(crate) text: &'a str,
    original: &'a Value,
    changed: Option<Value>,
}

impl Document<'_> {
    fn value(&self) -> &Value {
        self.changed.as_ref().unwrap_or(self.original)
    }

    /// True for a resource of Keptn.
    pub(crate) fn is_keptn(&self) -> bool {
        let api_version = self.original["apiVersion"].as_str();
        api_version.is_some_and(KeptnKind::is_keptn_group)
    }
}

/// The documents of a render, KeptnAppContexts with commit and link.
pub(crate) fn with_contexts<'a>(
    rendered: &'a Rendered,
    injection: &Injection,
    inject: bool,
    warnings: &mut Vec<String>,
) -> Vec<Document<'a>> {
    manifests(rendered)
        .map(|manifest| {
            let original = manifest.document();
            let changed = is_app_context(original).then(|| {
                let mut context = original.clone();
                let removed = inject_context(&mut context, injection, inject);
                warnings.extend(
                    removed
                        .iter()
                        .map(|what| format!("{}: {what}", manifest.source)),
                );
                context
            });
            Document {
                source: &manifest.source,
                text: &manifest.text,
                original,
                changed,
            }
        })
        .collect()
}

/// Makes a KeptnAppContext a hook, so that its commit does not make the app OutOfSync, unless the
/// chart has made it one. `HookFailed` keeps it readable after a success.
fn make_hook(context: &mut Value) {
    let Some(metadata) = context.get_mut("metadata").and_then(Value::as_object_mut) else {
        return;
    };
    let annotations = metadata.entry("annotations").or_insert(Value::Null);
    if annotations.is_null() {
        *annotations = Value::Object(serde_json::Map::new());
    }
    let Some(annotations) = annotations.as_object_mut() else {
        return;
    };
    if annotations.contains_key(HOOK) || annotations.contains_key("helm.sh/hook") {
        return;
    }
    annotations.insert(HOOK.to_owned(), Value::from("PreSync"));
    annotations
        .entry(HOOK_DELETE_POLICY)
        .or_insert_with(|| Value::from("HookFailed"));
}

/// The digest of a neutral render: of the resources' content, so that a comment changes nothing.
fn digest(neutral: &Rendered) -> ContentDigest {
    let crds = neutral.crds.iter().map(|crd| crd.text.clone().into_bytes());
    let nothing = Injection::default();
    let documents = with_contexts(neutral, &nothing, false, &mut Vec::new());
    // serde_json writes the keys of a map in their order.
    let documents = documents
        .iter()
        .map(|document| document.value().to_string().into_bytes());
    let all: Vec<Vec<u8>> = crds.chain(documents).collect();
    ContentDigest::of(all.iter().map(Vec::as_slice))
}

/// The stream of documents; nothing of it is printed before all of it is there.
#[derive(Default)]
struct Output(String);

impl Output {
    fn text(&mut self, source: &str, text: &str) {
        // Writing to a String cannot fail.
        let _ = write!(self.0, "---\n# Source: {source}\n{text}");
        if !self.0.ends_with('\n') {
            self.0.push('\n');
        }
    }

    fn value(&mut self, source: &str, value: &Value) -> Result<(), PluginError> {
        let text = stagelink_yaml::emit(value)
            .map_err(|error| PluginError::Environment(format!("{source}: {error}")))?;
        self.text(source, &text);
        Ok(())
    }
}
