//! `KeptnWorkloadVersion`: one delivery of a workload, as Keptn's operator records it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{WorkloadSpec, lenient};

/// `KeptnWorkloadVersion.spec`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadVersionSpec {
    /// Name of the workload, `<app>-<workload>`.
    #[serde(default)]
    pub workload_name: String,
    /// The version before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_version: Option<String>,
    /// A trace context carrier.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "lenient::texts"
    )]
    pub trace_id: BTreeMap<String, String>,
    /// The workload.
    #[serde(flatten)]
    pub workload: WorkloadSpec,
}
