//! `KeptnAppCreationRequest`: Keptn's own wish to make a KeptnApp from workloads.

use serde::{Deserialize, Serialize};

/// `KeptnAppCreationRequest.spec`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppCreationRequestSpec {
    /// Name of the app to make.
    #[serde(default)]
    pub app_name: String,
}
