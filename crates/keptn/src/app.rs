//! `KeptnApp`: which workloads in which versions an app is made of.

use serde::{Deserialize, Serialize};

use crate::lenient;

/// `KeptnApp.spec`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppSpec {
    /// Version of the app.
    #[serde(default)]
    pub version: String,
    /// Counted up to deliver the same version again; 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,
    /// The workloads of the app.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::list"
    )]
    pub workloads: Vec<WorkloadReference>,
    /// As in v1alpha1 to v1alpha3; now in [`AppContextSpec`](crate::AppContextSpec).
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::list"
    )]
    pub pre_deployment_tasks: Vec<String>,
    /// As in v1alpha1 to v1alpha3; now in [`AppContextSpec`](crate::AppContextSpec).
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::list"
    )]
    pub pre_deployment_evaluations: Vec<String>,
    /// As in v1alpha1 to v1alpha3; now in [`AppContextSpec`](crate::AppContextSpec).
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::list"
    )]
    pub post_deployment_tasks: Vec<String>,
    /// As in v1alpha1 to v1alpha3; now in [`AppContextSpec`](crate::AppContextSpec).
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::list"
    )]
    pub post_deployment_evaluations: Vec<String>,
}

/// A workload of an app, with its version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadReference {
    /// Name of the workload, without the app's.
    #[serde(default)]
    pub name: String,
    /// Its version.
    #[serde(default)]
    pub version: String,
}
