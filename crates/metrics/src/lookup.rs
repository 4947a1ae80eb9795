//! Which KeptnMetric and KeptnMetricsProvider an objective means.

use stagelink_keptn::{MetricSpec, Objective};
use stagelink_plan::Plan;

use crate::provider::{MetricError, ProviderResource};

/// The most names in a message.
const MAX_NAMES: usize = 10;

/// A KeptnMetric of the plan, and its provider.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found<'a> {
    pub(crate) metric: &'a MetricSpec,
    pub(crate) provider: ProviderResource<'a>,
}

/// The metric that an objective names: in its explicit namespace and nowhere else, or in the app's
/// and then in Keptn's (`lifecycle-operator/.../providers/keptnmetric`). Its provider is in the
/// metric's namespace.
pub(crate) fn find<'a>(
    plan: &'a Plan,
    objective: &Objective,
    keptn_namespace: &str,
) -> Result<Found<'a>, MetricError> {
    let Some(reference) = &objective.keptn_metric_ref else {
        return Err(MetricError::Resource(
            "the objective names no keptnMetricRef; objectives with a query of their own (v1alpha1, v1alpha2) are not evaluated, so make a KeptnMetric of it".to_owned(),
        ));
    };
    let explicit = reference
        .namespace
        .as_deref()
        .filter(|namespace| !namespace.is_empty());
    let namespaces: &[&str] = match explicit {
        Some(namespace) => &[namespace],
        None => &[&plan.namespace, keptn_namespace],
    };
    let name = &reference.name;
    let found = namespaces
        .iter()
        .find_map(|namespace| plan.metrics.get_key_value(&format!("{namespace}/{name}")));
    let Some((key, metric)) = found else {
        return Err(MetricError::Resource(format!(
            "KeptnMetric {name} is not in namespace {}; the chart has {}",
            namespaces.join(" or "),
            list(plan.metrics.keys())
        )));
    };
    let namespace = key.split_once('/').map_or("", |(namespace, _)| namespace);
    let provider = &metric.provider.name;
    let Some((key, spec)) = plan
        .metrics_providers
        .get_key_value(&format!("{namespace}/{provider}"))
    else {
        return Err(MetricError::Resource(format!(
            "KeptnMetricsProvider {provider} of KeptnMetric {name} is not in namespace {namespace}; the chart has {}",
            list(plan.metrics_providers.keys())
        )));
    };
    let (namespace, name) = key.split_once('/').unwrap_or(("", key));
    Ok(Found {
        metric,
        provider: ProviderResource {
            namespace,
            name,
            spec,
        },
    })
}

fn list<'a>(names: impl ExactSizeIterator<Item = &'a String>) -> String {
    let more = names.len().saturating_sub(MAX_NAMES);
    let names: Vec<_> = names.take(MAX_NAMES).map(String::as_str).collect();
    match (names.as_slice(), more) {
        ([], _) => "none".to_owned(),
        (names, 0) => names.join(", "),
        (names, more) => format!("{} and {more} more", names.join(", ")),
    }
}
