//! `KeptnMetric`: a number that a provider knows.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{GoDuration, NameReference, lenient};

/// `KeptnMetric.spec`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricSpec {
    /// The KeptnMetricsProvider, in the namespace of the metric.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub provider: NameReference,
    /// The query, in the provider's language.
    #[serde(default)]
    pub query: String,
    /// How often Keptn's operator asks, in seconds. Stagelink asks when it evaluates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetch_interval_seconds: Option<u64>,
    /// The time range of the query; an instant when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<MetricRange>,
}

/// The time range of a metric's query.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricRange {
    /// Length of the range, up to now; see [`interval`](Self::interval).
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "interval")]
    pub length: Option<GoDuration>,
    /// Distance of the values; only together with an aggregation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<GoDuration>,
    /// How the values become one; only together with a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregation: Option<Aggregation>,
    /// How many values Keptn's operator keeps in the status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_results: Option<u32>,
}

impl MetricRange {
    /// Length of the range when nothing is said (the CRD's default).
    pub const DEFAULT_INTERVAL: GoDuration = GoDuration::from_seconds(300);

    /// Length of the range, up to now.
    pub fn interval(&self) -> GoDuration {
        self.length.unwrap_or(Self::DEFAULT_INTERVAL)
    }
}

/// How several values become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aggregation {
    /// 90th percentile.
    P90,
    /// 95th percentile.
    P95,
    /// 99th percentile.
    P99,
    /// The largest.
    Max,
    /// The smallest.
    Min,
    /// The mean.
    Avg,
    /// The median.
    Median,
}

impl fmt::Display for Aggregation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::P90 => "p90",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Max => "max",
            Self::Min => "min",
            Self::Avg => "avg",
            Self::Median => "median",
        })
    }
}
