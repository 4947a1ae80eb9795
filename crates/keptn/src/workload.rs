//! `KeptnWorkload`: one Deployment, StatefulSet, DaemonSet or Rollout, as Keptn's operator sees it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ResourceReference, lenient};

/// What is run around the deployment of a workload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadPhases {
    /// Names of the task definitions to run before the deployment.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::list"
    )]
    pub pre_deployment_tasks: Vec<String>,
    /// Names of the evaluation definitions to judge before the deployment.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::list"
    )]
    pub pre_deployment_evaluations: Vec<String>,
    /// Names of the task definitions to run after the deployment.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::list"
    )]
    pub post_deployment_tasks: Vec<String>,
    /// Names of the evaluation definitions to judge after the deployment.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::list"
    )]
    pub post_deployment_evaluations: Vec<String>,
}

/// `KeptnWorkload.spec`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadSpec {
    /// Name of the app.
    #[serde(default)]
    pub app: String,
    /// Version of the workload.
    #[serde(default)]
    pub version: String,
    /// What is run around its deployment.
    #[serde(flatten)]
    pub phases: WorkloadPhases,
    /// The resource behind it.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub resource_reference: ResourceReference,
    /// Goes to its spans.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "lenient::texts"
    )]
    pub metadata: BTreeMap<String, String>,
}
