//! What a provider of metrics is.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use stagelink_delivery::ledger::ItemReport;
use stagelink_delivery::ports::{SecretError, SecretKey, SecretValue};
use stagelink_keptn::{MetricSpec, MetricsProviderSpec, ProviderType};

use crate::evaluation::Settings;
use crate::prometheus::{Prometheus, PrometheusError};
use crate::results::TaskResults;

/// Who knows the values of metrics.
#[async_trait]
pub(crate) trait Provider: Send + Sync + fmt::Debug {
    /// The metric's value as it is now.
    async fn value(&self, metric: &MetricSpec) -> Result<Value, MetricError>;

    /// False if the answer stays the same for as long as an evaluation takes.
    fn is_live(&self) -> bool;
}

/// A metric's value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Value {
    /// The number; may be NaN.
    pub(crate) number: f64,
    /// How Keptn writes it.
    pub(crate) text: String,
}

/// Why there is no value. One line, never a secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MetricError {
    /// The provider has nothing to say.
    #[error("{0}")]
    NoData(String),
    /// The provider gives more than one value.
    #[error("too many values in query result: {0}")]
    TooMany(String),
    /// The provider cannot be asked or does not answer as it should.
    #[error(transparent)]
    Prometheus(#[from] PrometheusError),
    /// A secret cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A resource is missing or wrong. It will be so at the next try as well.
    #[error("{0}")]
    Resource(String),
}

impl MetricError {
    /// True if another try cannot help.
    pub(crate) fn is_lasting(&self) -> bool {
        matches!(
            self,
            Self::Resource(_) | Self::Prometheus(PrometheusError::Query { .. })
        )
    }
}

/// A KeptnMetricsProvider.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProviderResource<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    pub(crate) spec: &'a MetricsProviderSpec,
}

/// The provider that a resource describes.
pub(crate) async fn provider(
    resource: ProviderResource<'_>,
    settings: &Settings,
    reports: &BTreeMap<String, ItemReport>,
) -> Result<Box<dyn Provider>, MetricError> {
    let ProviderResource { name, spec, .. } = resource;
    match spec.provider_type(name) {
        Some(ProviderType::Prometheus | ProviderType::Thanos | ProviderType::Cortex) => {
            Ok(Box::new(Prometheus::new(resource, settings).await?))
        }
        Some(ProviderType::Stagelink) => Ok(Box::new(TaskResults::new(reports))),
        Some(
            ProviderType::Dynatrace
            | ProviderType::Dql
            | ProviderType::Datadog
            | ProviderType::Elastic,
        ) => Err(MetricError::Resource(format!(
            "KeptnMetricsProvider {name} has the type {}, which Stagelink does not ask yet; use prometheus, thanos, cortex or stagelink",
            type_name(resource)
        ))),
        None => Err(MetricError::Resource(format!(
            "KeptnMetricsProvider {name} has the unknown type {:?}; use prometheus, thanos, cortex or stagelink",
            type_name(resource)
        ))),
    }
}

fn type_name(resource: ProviderResource<'_>) -> String {
    let name = resource.spec.type_name.as_deref().unwrap_or(resource.name);
    name.chars().take(50).collect()
}

impl ProviderResource<'_> {
    /// A key of the Secret that the provider names. None if it names none, or an optional one that
    /// is not there.
    pub(crate) async fn secret(
        &self,
        settings: &Settings,
        key: &str,
    ) -> Result<Option<SecretValue>, MetricError> {
        let Some(reference) = self
            .spec
            .secret_key_ref
            .as_ref()
            .filter(|reference| !reference.name.is_empty())
        else {
            return Ok(None);
        };
        let secret = SecretKey {
            namespace: self.namespace,
            name: &reference.name,
            key,
        };
        match settings.secrets.get(&secret).await? {
            None if reference.optional != Some(true) => Err(MetricError::Resource(format!(
                "Secret {} in namespace {} has no key {key}, which KeptnMetricsProvider {} needs; add it",
                reference.name, self.namespace, self.name
            ))),
            value => Ok(value),
        }
    }
}
