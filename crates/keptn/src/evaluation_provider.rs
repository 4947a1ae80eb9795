//! `KeptnEvaluationProvider`: what metrics providers were called before v1alpha2 of the metrics API.

use serde::{Deserialize, Serialize};

use crate::SecretKeyReference;

/// `KeptnEvaluationProvider.spec` (legacy).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EvaluationProviderSpec {
    /// URL of the provider.
    #[serde(default)]
    pub target_server: String,
    /// Where the credentials are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<SecretKeyReference>,
    /// Name of the Secret with the credentials, as in v1alpha1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_name: Option<String>,
}
