//! `KeptnMetricsProvider`: who knows a number.

use serde::{Deserialize, Serialize};

use crate::SecretKeyReference;

/// `KeptnMetricsProvider.spec`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricsProviderSpec {
    /// Type of the provider as it is written; see [`provider_type`](Self::provider_type).
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "type")]
    pub type_name: Option<String>,
    /// URL of the provider; may be empty for type `stagelink`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub target_server: String,
    /// Where the credentials are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<SecretKeyReference>,
    /// True to accept any TLS certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insecure_skip_tls_verify: Option<bool>,
}

/// The types of provider: Keptn's, and Stagelink's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProviderType {
    /// Prometheus.
    Prometheus,
    /// Thanos, asked as Prometheus.
    Thanos,
    /// Cortex, asked as Prometheus.
    Cortex,
    /// Dynatrace, Metrics API v2.
    Dynatrace,
    /// Dynatrace Query Language.
    Dql,
    /// Datadog.
    Datadog,
    /// Elasticsearch.
    Elastic,
    /// Results of Stagelink's built-in tasks in the same delivery; not known to Keptn.
    Stagelink,
}

impl ProviderType {
    /// All types with their names.
    pub const ALL: [(&'static str, Self); 8] = [
        ("prometheus", Self::Prometheus),
        ("thanos", Self::Thanos),
        ("cortex", Self::Cortex),
        ("dynatrace", Self::Dynatrace),
        ("dql", Self::Dql),
        ("datadog", Self::Datadog),
        ("elastic", Self::Elastic),
        ("stagelink", Self::Stagelink),
    ];

    /// The type with this name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, provider)| provider)
    }
}

impl MetricsProviderSpec {
    /// The type of a provider whose resource has this name.
    ///
    /// v1alpha2 has no field for the type: there the resource's own name is the type.
    /// `None` if the type is unknown.
    pub fn provider_type(&self, resource_name: &str) -> Option<ProviderType> {
        ProviderType::from_name(self.type_name.as_deref().unwrap_or(resource_name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_is_the_field_or_the_name() {
        let typed = |text: &str| MetricsProviderSpec {
            type_name: Some(text.to_owned()),
            ..MetricsProviderSpec::default()
        };
        assert_eq!(
            typed("Prometheus").provider_type("x"),
            Some(ProviderType::Prometheus)
        );
        assert_eq!(
            typed("stagelink").provider_type("x"),
            Some(ProviderType::Stagelink)
        );
        assert_eq!(typed("other").provider_type("prometheus"), None);
        assert_eq!(
            MetricsProviderSpec::default().provider_type("dql"),
            Some(ProviderType::Dql)
        );
    }
}
