//! From rendered manifests to a plan.

mod definitions;
mod version;
mod workloads;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use stagelink_keptn::{AppContextSpec, AppSpec, ConfigSpec, Finding, KeptnKind, Severity};

use crate::plan::{PLAN_VERSION, Phases, Plan, Source};
use crate::{ContentDigest, TraceParent};

/// The key of a context's metadata that holds the commit, as in Keptn's guide.
pub const COMMIT_ID: &str = "commitID";

/// One rendered resource.
#[derive(Debug, Clone, Copy)]
pub struct Manifest<'a> {
    /// Where it comes from, for findings: a template's or a file's name.
    pub source: &'a str,
    /// The resource. Lists (`kind: List`) are looked into; anything that is no resource is passed over.
    pub resource: &'a Value,
}

/// What the manifests do not say about a delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanSettings {
    /// Name of the Argo CD Application; the app's name when the manifests give none.
    pub application: String,
    /// Name of the stage.
    pub stage: String,
    /// Namespace that the stage is deployed to, unless the KeptnAppContext or KeptnApp states one.
    pub namespace: String,
    /// The revision that was rendered.
    pub revision: Option<String>,
    /// Where the revision comes from.
    pub source: Source,
    /// Digest of the content.
    pub digest: ContentDigest,
    /// The span that led here, when it is known from elsewhere than the context.
    pub trace_parent: Option<TraceParent>,
    /// False turns a failed gate into a warning; `None` for what a KeptnConfig in the chart says, else true.
    pub block_deployment: Option<bool>,
    /// How long the workloads may take; `None` for what a KeptnConfig in the chart says, else 5 minutes.
    pub observability_timeout: Option<Duration>,
}

/// A plan, and everything that was found on the way. With an error among the findings the plan is
/// not to be used.
#[derive(Debug, Clone)]
pub struct BuiltPlan {
    /// The plan.
    pub plan: Plan,
    /// Everything that was found, in the order of the manifests.
    pub findings: Vec<Finding>,
}

/// A resource of the manifests with its place and name.
struct Resource<'a> {
    source: &'a str,
    value: &'a Value,
    kind: &'a str,
    name: &'a str,
    namespace: &'a str,
}

impl<'a> Resource<'a> {
    fn id(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }

    fn finding(&self, severity: Severity, problem: impl Into<String>) -> Finding {
        Finding::new(severity, self.source, problem).in_resource(self.id())
    }

    /// Reads `spec`; what cannot be read is a finding.
    fn spec<T: serde::de::DeserializeOwned + Default>(
        &self,
        findings: &mut Vec<Finding>,
    ) -> Option<T> {
        let spec = match self.value.get("spec") {
            None | Some(Value::Null) => return Some(T::default()),
            Some(spec) => spec,
        };
        match serde::Deserialize::deserialize(spec) {
            Ok(spec) => Some(spec),
            Err(error) => {
                findings.push(
                    self.finding(Severity::Error, format!("it cannot be read: {error}"))
                        .at("spec")
                        .advise("correct the field's type or value"),
                );
                None
            }
        }
    }

    fn keptn(&self) -> Option<KeptnKind> {
        KeptnKind::of(self.value["apiVersion"].as_str()?, self.kind)
    }
}

/// Builds the plan of a delivery from the rendered manifests.
///
/// The app is the one that a KeptnAppContext names, else a KeptnApp, else the only
/// `app.kubernetes.io/part-of` of the workloads, else the Application itself. Two contexts are an
/// error; a definition that is named but not among the manifests is [`Severity::Unresolved`],
/// because it may be in the cluster.
pub fn build(manifests: &[Manifest<'_>], settings: &PlanSettings) -> BuiltPlan {
    let mut findings = Vec::new();
    let mut resources = Vec::new();
    for manifest in manifests {
        collect(
            manifest.source,
            manifest.resource,
            &settings.namespace,
            0,
            &mut resources,
        );
    }
    let of = |kind: KeptnKind| {
        resources
            .iter()
            .filter(move |resource| resource.keptn() == Some(kind))
    };

    let context = one(of(KeptnKind::APP_CONTEXT), &mut findings);
    let context_spec: Option<AppContextSpec> =
        context.and_then(|context| context.spec(&mut findings));
    let app = match context {
        // Only the app of the context's name is its app.
        Some(context) => of(KeptnKind::APP).find(|app| app.name == context.name),
        None => one(of(KeptnKind::APP), &mut findings),
    };
    let app_spec: Option<AppSpec> = app.and_then(|app| app.spec(&mut findings));
    let config: ConfigSpec = of(KeptnKind::CONFIG)
        .next()
        .and_then(|config| config.spec(&mut findings))
        .unwrap_or_default();

    let named = context.or(app).map(|resource| resource.name.to_owned());
    let found = workloads::find(
        &resources,
        named.as_deref(),
        &settings.application,
        &mut findings,
    );
    let app_name = found.app;
    let app_version = match app_spec.as_ref().map(|app| app.version.as_str()) {
        Some(stated) if !stated.is_empty() => stated.to_owned(),
        _ => version::of_app(&app_name, &found.workloads),
    };

    let mut phases = context_spec
        .as_ref()
        .map(context_phases)
        .unwrap_or_default();
    if let Some(app) = app_spec.as_ref().filter(|_| phases == Phases::default()) {
        phases = app_phases(app);
    }
    let mut metadata = context_spec
        .as_ref()
        .map(|spec| spec.metadata.clone())
        .unwrap_or_default();
    if let Some(revision) = &settings.revision {
        let commit = metadata.entry(COMMIT_ID.to_owned()).or_default();
        if commit.is_empty() {
            commit.clone_from(revision);
        }
    }
    let links = links(
        context,
        context_spec.as_ref(),
        settings.trace_parent,
        &mut findings,
    );

    // The app lives where its context does, and its tasks run there.
    let namespace = context
        .or(app)
        .map_or(settings.namespace.as_str(), |resource| resource.namespace);
    let definitions = definitions::collect(&resources, namespace, &mut findings);
    let plan = Plan {
        version: PLAN_VERSION,
        app: app_name,
        app_version,
        stage: settings.stage.clone(),
        application: settings.application.clone(),
        namespace: namespace.to_owned(),
        revision: settings.revision.clone(),
        source: settings.source.clone(),
        digest: settings.digest.clone(),
        metadata,
        links,
        block_deployment: settings.block_deployment.unwrap_or_else(|| config.blocks()),
        observability_timeout: settings
            .observability_timeout
            .unwrap_or_else(|| config.observability().as_std()),
        phases,
        workloads: found.workloads,
        task_definitions: definitions.tasks,
        task_metadata: definitions.task_metadata,
        evaluation_definitions: definitions.evaluations,
        metrics: definitions.metrics,
        metrics_providers: definitions.providers,
    };
    let home = context
        .or(app)
        .map(|resource| (resource.source.to_owned(), resource.id()));
    definitions::check_references(&plan, home, &found.places, &mut findings);
    BuiltPlan { plan, findings }
}

/// Deepest nesting of lists in lists that is looked into.
const MAX_LISTS: usize = 4;

fn collect<'a>(
    source: &'a str,
    value: &'a Value,
    default_namespace: &'a str,
    depth: usize,
    into: &mut Vec<Resource<'a>>,
) {
    let Some(kind) = value["kind"].as_str() else {
        return;
    };
    if kind.ends_with("List")
        && let Some(items) = value["items"].as_array()
    {
        if depth < MAX_LISTS {
            for item in items {
                collect(source, item, default_namespace, depth + 1, into);
            }
        }
        return;
    }
    let metadata = &value["metadata"];
    into.push(Resource {
        source,
        value,
        kind,
        name: metadata["name"].as_str().unwrap_or_default(),
        namespace: metadata["namespace"]
            .as_str()
            .filter(|namespace| !namespace.is_empty())
            .unwrap_or(default_namespace),
    });
}

/// The only resource; a second one is an error that names both.
fn one<'b, 'a>(
    mut resources: impl Iterator<Item = &'b Resource<'a>>,
    findings: &mut Vec<Finding>,
) -> Option<&'b Resource<'a>> {
    let first = resources.next()?;
    for other in resources {
        findings.push(
            other
                .finding(
                    Severity::Error,
                    format!(
                        "there are two of this kind, {} in {} and {} in {}, but a stage delivers one app",
                        first.id(),
                        first.source,
                        other.id(),
                        other.source
                    ),
                )
                .advise("keep one of them, or make an Application for each"),
        );
    }
    Some(first)
}

fn context_phases(spec: &AppContextSpec) -> Phases {
    Phases {
        pre_deployment_tasks: names(&spec.pre_deployment_tasks),
        pre_deployment_evaluations: names(&spec.pre_deployment_evaluations),
        post_deployment_tasks: names(&spec.post_deployment_tasks),
        post_deployment_evaluations: names(&spec.post_deployment_evaluations),
        promotion_tasks: names(&spec.promotion_tasks),
    }
}

/// Until v1alpha3 the KeptnApp itself had the lists.
fn app_phases(spec: &AppSpec) -> Phases {
    Phases {
        pre_deployment_tasks: names(&spec.pre_deployment_tasks),
        pre_deployment_evaluations: names(&spec.pre_deployment_evaluations),
        post_deployment_tasks: names(&spec.post_deployment_tasks),
        post_deployment_evaluations: names(&spec.post_deployment_evaluations),
        promotion_tasks: Vec::new(),
    }
}

fn names(list: &[String]) -> Vec<String> {
    list.iter()
        .filter(|name| !name.is_empty())
        .cloned()
        .collect()
}

fn links(
    context: Option<&Resource<'_>>,
    spec: Option<&AppContextSpec>,
    injected: Option<TraceParent>,
    findings: &mut Vec<Finding>,
) -> Vec<TraceParent> {
    let mut links = Vec::new();
    if let (Some(context), Some(spec)) = (context, spec) {
        let written = context.value["spec"]["spanLinks"].as_array();
        if written.is_some_and(|items| items.iter().any(|item| item.is_null() || item == "")) {
            findings.push(
                context
                    .finding(Severity::Warning, "an empty link is left out")
                    .at("spec.spanLinks")
                    .advise("put the item under a condition, so that it is only there with a traceparent"),
            );
        }
        for (index, link) in spec
            .span_links
            .iter()
            .enumerate()
            .filter(|(_, link)| !link.is_empty())
        {
            match link.parse::<TraceParent>() {
                Ok(link) if links.contains(&link) => {}
                Ok(link) => links.push(link),
                Err(error) => findings.push(
                    context
                        .finding(Severity::Warning, format!("the link is left out: {error}"))
                        .at(format!("spec.spanLinks[{index}]")),
                ),
            }
        }
    }
    if let Some(link) = injected.filter(|link| !links.contains(link)) {
        links.push(link);
    }
    links
}

/// Labels or annotations of a resource as texts; anything else in them is passed over.
fn texts(map: &Value) -> BTreeMap<&str, &str> {
    map.as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
        .collect()
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
