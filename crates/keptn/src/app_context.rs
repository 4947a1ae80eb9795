//! `KeptnAppContext`: what is run around the deployment of an app.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::lenient;

/// `KeptnAppContext.spec`. It belongs to the KeptnApp of the same name and namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppContextSpec {
    /// Names of the task definitions to run before anything is changed.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::list"
    )]
    pub pre_deployment_tasks: Vec<String>,
    /// Names of the evaluation definitions to judge before anything is changed.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::list"
    )]
    pub pre_deployment_evaluations: Vec<String>,
    /// Names of the task definitions to run once everything is healthy.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::list"
    )]
    pub post_deployment_tasks: Vec<String>,
    /// Names of the evaluation definitions to judge after those tasks.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::list"
    )]
    pub post_deployment_evaluations: Vec<String>,
    /// Names of the task definitions that carry the release to the next stage.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::list"
    )]
    pub promotion_tasks: Vec<String>,
    /// Goes to every span and every task.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "lenient::texts"
    )]
    pub metadata: BTreeMap<String, String>,
    /// Traceparents of the spans that led here; Keptn does not check them.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::list"
    )]
    pub span_links: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_items_and_values_are_left_out() {
        let spec: AppContextSpec = serde_json::from_value(serde_json::json!({
            "spanLinks": [null], "preDeploymentTasks": null, "metadata": {"commitID": null, "a": "b"}
        }))
        .unwrap();
        assert!(spec.span_links.is_empty() && spec.pre_deployment_tasks.is_empty());
        assert_eq!(spec.metadata.len(), 1);
    }
}
