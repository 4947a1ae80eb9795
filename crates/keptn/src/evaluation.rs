//! `KeptnEvaluation`: one run of an evaluation definition.

use serde::{Deserialize, Serialize};

use crate::GoDuration;

/// `KeptnEvaluation.spec`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EvaluationSpec {
    /// Name of the evaluation definition.
    #[serde(default)]
    pub evaluation_definition: String,
    /// Name of the workload; absent for an app's evaluation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// Version of the workload; empty for an app's evaluation, but required by the schema.
    #[serde(default)]
    pub workload_version: String,
    /// Name of the app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_name: Option<String>,
    /// Version of the app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_version: Option<String>,
    /// `pre-eval` or `post-eval`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_type: Option<String>,
    /// How often it is tried; 10 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<i64>,
    /// The wait between two tries; 5 s when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_interval: Option<GoDuration>,
    /// As in v1alpha1 to v1alpha3; never had an effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail_action: Option<String>,
}
