//! The Keptn resources as Rust types, and their validation.
//!
//! Field names, defaults and constraints are those of the CRDs of Keptn's lifecycle-toolkit
//! (commit 40e195d, Apache-2.0).

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `KeptnTaskDefinition.spec` (placeholder shape, to be completed).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskDefinitionSpec(pub BTreeMap<String, serde_json::Value>);
/// `KeptnEvaluationDefinition.spec` (placeholder shape, to be completed).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvaluationDefinitionSpec(pub BTreeMap<String, serde_json::Value>);
/// `KeptnMetric.spec` (placeholder shape, to be completed).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricSpec(pub BTreeMap<String, serde_json::Value>);
/// `KeptnMetricsProvider.spec` (placeholder shape, to be completed).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricsProviderSpec(pub BTreeMap<String, serde_json::Value>);
