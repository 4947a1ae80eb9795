//! `KeptnAppVersion`: one delivery of an app, as Keptn's operator records it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{AppContextSpec, AppSpec, WorkloadReference, lenient};

/// `KeptnAppVersion.spec`: the KeptnApp and its context at the moment of the delivery.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppVersionSpec {
    /// Name of the app.
    #[serde(default)]
    pub app_name: String,
    /// Version of the app.
    #[serde(default)]
    pub version: String,
    /// The version before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_version: Option<String>,
    /// Revision of the app; 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,
    /// The workloads of the app.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::list"
    )]
    pub workloads: Vec<WorkloadReference>,
    /// A trace context carrier; Keptn never fills it.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "lenient::texts"
    )]
    pub trace_id: BTreeMap<String, String>,
    /// The context.
    #[serde(flatten)]
    pub context: AppContextSpec,
}

impl From<&AppVersionSpec> for AppSpec {
    fn from(version: &AppVersionSpec) -> Self {
        Self {
            version: version.version.clone(),
            revision: version.revision,
            workloads: version.workloads.clone(),
            ..Self::default()
        }
    }
}
