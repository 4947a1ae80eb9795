//! Which KeptnMetric and KeptnMetricsProvider an objective means.

use stagelink_delivery::ports::{Definition, DefinitionError, Definitions};
use stagelink_keptn::{KeptnKind, MetricSpec, MetricsProviderSpec, Objective};
use stagelink_plan::Plan;

use crate::provider::{MetricError, ProviderResource};

/// The most names in a message.
const MAX_NAMES: usize = 10;

/// A KeptnMetric, and where it is.
#[derive(Debug, Clone)]
pub(crate) struct FoundMetric {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) spec: MetricSpec,
}

/// A KeptnMetricsProvider.
#[derive(Debug, Clone)]
pub(crate) struct FoundProvider {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) spec: MetricsProviderSpec,
}

impl FoundProvider {
    pub(crate) fn resource(&self) -> ProviderResource<'_> {
        ProviderResource {
            namespace: &self.namespace,
            name: &self.name,
            spec: &self.spec,
        }
    }
}

/// The metric that an objective names: in its explicit namespace and nowhere else, or in the app's
/// and then in Keptn's (`lifecycle-operator/.../providers/keptnmetric`). The chart's count before
/// those of the stage.
pub(crate) async fn metric(
    plan: &Plan,
    objective: &Objective,
    keptn_namespace: &str,
    definitions: &dyn Definitions,
) -> Result<FoundMetric, MetricError> {
    let Some(reference) = &objective.keptn_metric_ref else {
        return Err(MetricError::Resource(
            "the objective names no keptnMetricRef; objectives with a query of their own (v1alpha1, v1alpha2) are not evaluated, so make a KeptnMetric of it".to_owned(),
        ));
    };
    let explicit = reference
        .namespace
        .as_deref()
        .filter(|namespace| !namespace.is_empty());
    let namespaces = match explicit {
        Some(namespace) => vec![namespace],
        None => namespaces(plan, keptn_namespace),
    };
    let name = &reference.name;
    for namespace in &namespaces {
        if let Some(spec) = plan.metrics.get(&format!("{namespace}/{name}")) {
            return Ok(FoundMetric {
                namespace: (*namespace).to_owned(),
                name: name.clone(),
                spec: spec.clone(),
            });
        }
    }
    let found = definitions
        .find(KeptnKind::METRIC, &namespaces, name)
        .await
        .map_err(|error| {
            let what = format!("KeptnMetric {name}");
            missing(&what, &namespaces, plan.metrics.keys(), error)
        })?;
    Ok(FoundMetric {
        spec: read(&found)?,
        namespace: found.namespace,
        name: found.name,
    })
}

/// The provider of a metric, which is in the metric's namespace.
pub(crate) async fn provider(
    plan: &Plan,
    metric: &FoundMetric,
    definitions: &dyn Definitions,
) -> Result<FoundProvider, MetricError> {
    let namespace = metric.namespace.as_str();
    let name = &metric.spec.provider.name;
    let spec = match plan.metrics_providers.get(&format!("{namespace}/{name}")) {
        Some(spec) => spec.clone(),
        None => {
            let found = definitions
                .find(KeptnKind::METRICS_PROVIDER, &[namespace], name)
                .await
                .map_err(|error| {
                    let what =
                        format!("KeptnMetricsProvider {name} of KeptnMetric {}", metric.name);
                    missing(&what, &[namespace], plan.metrics_providers.keys(), error)
                })?;
            read(&found)?
        }
    };
    Ok(FoundProvider {
        namespace: namespace.to_owned(),
        name: name.clone(),
        spec,
    })
}

/// Where Keptn looks for what a name means.
pub(crate) fn namespaces<'a>(plan: &'a Plan, keptn_namespace: &'a str) -> Vec<&'a str> {
    let mut namespaces = vec![plan.namespace.as_str()];
    if !keptn_namespace.is_empty() && keptn_namespace != plan.namespace {
        namespaces.push(keptn_namespace);
    }
    namespaces
}

/// Why there is no such resource, neither in the chart nor where the stage keeps others.
fn missing<'a>(
    what: &str,
    namespaces: &[&str],
    chart: impl ExactSizeIterator<Item = &'a String>,
    error: DefinitionError,
) -> MetricError {
    let DefinitionError::NotFound { places, .. } = error else {
        return MetricError::Resource(error.to_string());
    };
    let mut text = format!(
        "{what} is not in namespace {}; the chart has {}",
        namespaces.join(" or "),
        list(chart)
    );
    if !places.is_empty() {
        text += &format!("; the cluster has none {}", places.join(", "));
    }
    MetricError::Resource(text)
}

fn read<T: serde::de::DeserializeOwned + Default>(found: &Definition) -> Result<T, MetricError> {
    found
        .read()
        .map_err(|error| MetricError::Resource(error.to_string()))
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
