//! Definitions, metrics and providers of the manifests, and whether everything named is there.

use std::collections::BTreeMap;

use stagelink_keptn::{
    EvaluationDefinitionSpec, Finding, FunctionError, KeptnKind, MetricSpec, MetricsProviderSpec,
    Severity, TaskDefinitionSpec,
};

use super::Resource;
use crate::{DefinitionMetadata, Phases, Plan};

#[derive(Default)]
pub(super) struct Definitions {
    pub tasks: BTreeMap<String, TaskDefinitionSpec>,
    pub task_metadata: BTreeMap<String, DefinitionMetadata>,
    pub evaluations: BTreeMap<String, EvaluationDefinitionSpec>,
    pub metrics: BTreeMap<String, MetricSpec>,
    pub providers: BTreeMap<String, MetricsProviderSpec>,
}

pub(super) fn collect(
    resources: &[Resource<'_>],
    app_namespace: &str,
    findings: &mut Vec<Finding>,
) -> Definitions {
    let mut definitions = Definitions::default();
    for resource in resources {
        let Some(kind) = resource.keptn() else {
            continue;
        };
        let name = resource.name.to_owned();
        let qualified = format!("{}/{}", resource.namespace, resource.name);
        // Keptn looks in the app's namespace first.
        let at_home = resource.namespace == app_namespace;
        match kind {
            KeptnKind::TASK_DEFINITION => {
                if let Some(spec) = resource.spec::<TaskDefinitionSpec>(findings)
                    && (at_home || !definitions.tasks.contains_key(&name))
                {
                    check_task(resource, &spec, findings);
                    let metadata = DefinitionMetadata::of(&resource.value["metadata"]);
                    definitions.task_metadata.remove(&name);
                    if metadata != DefinitionMetadata::default() {
                        definitions.task_metadata.insert(name.clone(), metadata);
                    }
                    definitions.tasks.insert(name, spec);
                }
            }
            KeptnKind::EVALUATION_DEFINITION => {
                if let Some(spec) = resource.spec::<EvaluationDefinitionSpec>(findings)
                    && (at_home || !definitions.evaluations.contains_key(&name))
                {
                    check_targets(resource, &spec, findings);
                    definitions.evaluations.insert(name, spec);
                }
            }
            KeptnKind::METRIC => {
                if let Some(spec) = resource.spec(findings) {
                    definitions.metrics.insert(qualified, spec);
                }
            }
            KeptnKind::METRICS_PROVIDER => {
                if let Some(spec) = resource.spec(findings) {
                    definitions.providers.insert(qualified, spec);
                }
            }
            _ => {}
        }
    }
    definitions
}

fn check_task(resource: &Resource<'_>, spec: &TaskDefinitionSpec, findings: &mut Vec<Finding>) {
    let runtimes = [
        spec.container.is_some(),
        spec.python.is_some(),
        spec.deno().is_some(),
    ];
    // Keptn's webhook says both in these words.
    let problem = match runtimes.iter().filter(|there| **there).count() {
        0 => "Forbidden! Either Container, Python, or Deno field must be defined",
        1 => return,
        _ => "Forbidden! Only one of Container, Python, or Deno field can be defined",
    };
    findings.push(
        resource
            .finding(Severity::Error, problem)
            .at("spec")
            .advise("keep exactly one of container, python and deno"),
    );
}

fn check_targets(
    resource: &Resource<'_>,
    spec: &EvaluationDefinitionSpec,
    findings: &mut Vec<Finding>,
) {
    for (index, objective) in spec.objectives.iter().enumerate() {
        if let Err(error) = objective.target() {
            findings.push(
                resource
                    .finding(Severity::Error, error.to_string())
                    .at(format!("spec.objectives[{index}].evaluationTarget")),
            );
        }
    }
}

/// Where a finding is reported: source and resource.
type Place = (String, String);

/// Reports every definition, metric and provider that is named but not among the manifests.
pub(super) fn check_references(
    plan: &Plan,
    home: Option<Place>,
    workload_places: &[Place],
    findings: &mut Vec<Finding>,
) {
    if let Some(place) = &home {
        check_phases(plan, &plan.phases, place, findings);
    }
    for (workload, place) in plan.workloads.iter().zip(workload_places) {
        check_phases(plan, &workload.phases, place, findings);
    }
    let place = home.unwrap_or_else(|| (plan.application.clone(), String::new()));
    for (name, spec) in &plan.task_definitions {
        if let Err(error) = spec.resolve_function(name, |name| plan.task_definitions.get(name)) {
            let severity = match error {
                FunctionError::Missing { .. } => Severity::Unresolved,
                _ => Severity::Error,
            };
            findings.push(
                Finding::new(severity, &place.0, error.to_string())
                    .in_resource(format!("KeptnTaskDefinition/{name}")),
            );
        }
    }
    check_metrics(plan, &place.0, findings);
}

fn check_phases(plan: &Plan, phases: &Phases, place: &Place, findings: &mut Vec<Finding>) {
    let lists = [
        ("preDeploymentTasks", &phases.pre_deployment_tasks, true),
        (
            "preDeploymentEvaluations",
            &phases.pre_deployment_evaluations,
            false,
        ),
        ("postDeploymentTasks", &phases.post_deployment_tasks, true),
        (
            "postDeploymentEvaluations",
            &phases.post_deployment_evaluations,
            false,
        ),
        ("promotionTasks", &phases.promotion_tasks, true),
    ];
    for (field, names, tasks) in lists {
        for name in names {
            let (kind, known): (_, Vec<&String>) = if tasks {
                (
                    "KeptnTaskDefinition",
                    plan.task_definitions.keys().collect(),
                )
            } else {
                (
                    "KeptnEvaluationDefinition",
                    plan.evaluation_definitions.keys().collect(),
                )
            };
            if known.contains(&name) {
                continue;
            }
            let advice = match stagelink_keptn::nearest(
                name,
                known.iter().map(|name| name.as_str()),
            ) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!(
                    "add a {kind} {name:?} to the chart, unless the namespace {:?} or Keptn's own has it",
                    plan.namespace
                ),
            };
            findings.push(
                Finding::new(
                    Severity::Unresolved,
                    &place.0,
                    format!("names the {kind} {name:?}, which the chart does not have"),
                )
                .in_resource(&place.1)
                .at(if place.1.starts_with("Keptn") {
                    format!("spec.{field}")
                } else {
                    annotation(field)
                })
                .advise(advice),
            );
        }
    }
}

/// `preDeploymentTasks` as the annotation `keptn.sh/pre-deployment-tasks`.
fn annotation(field: &str) -> String {
    let mut text = String::from("keptn.sh/");
    for character in field.chars() {
        if character.is_ascii_uppercase() {
            text.push('-');
        }
        text.push(character.to_ascii_lowercase());
    }
    text
}

fn check_metrics(plan: &Plan, source: &str, findings: &mut Vec<Finding>) {
    for (name, spec) in &plan.evaluation_definitions {
        for (index, objective) in spec.objectives.iter().enumerate() {
            let Some(metric) = &objective.keptn_metric_ref else {
                continue;
            };
            let namespace = metric.namespace.as_deref().filter(|text| !text.is_empty());
            let key = format!("{}/{}", namespace.unwrap_or(&plan.namespace), metric.name);
            if !plan.metrics.contains_key(&key) {
                findings.push(
                    Finding::new(
                        Severity::Unresolved,
                        source,
                        format!("names the KeptnMetric {key:?}, which the chart does not have"),
                    )
                    .in_resource(format!("KeptnEvaluationDefinition/{name}"))
                    .at(format!("spec.objectives[{index}].keptnMetricRef"))
                    .advise("add it to the chart, unless the cluster has it"),
                );
            }
        }
    }
    for (key, metric) in &plan.metrics {
        let (namespace, name) = key.split_once('/').unwrap_or(("", key));
        // A provider must be in the metric's namespace.
        let provider = format!("{namespace}/{}", metric.provider.name);
        if !plan.metrics_providers.contains_key(&provider) {
            findings.push(
                Finding::new(
                    Severity::Unresolved,
                    source,
                    format!(
                        "names the KeptnMetricsProvider {provider:?}, which the chart does not have"
                    ),
                )
                .in_resource(format!("KeptnMetric/{name}"))
                .at("spec.provider.name")
                .advise("add it to the chart, unless the cluster has it"),
            );
        }
    }
}
