//! `KeptnTask`: one run of a task definition.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{GoDuration, Parameters, SecureParameters, lenient};

/// `KeptnTask.spec`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskSpec {
    /// Name of the task definition.
    #[serde(default)]
    pub task_definition: String,
    /// What the task is told in `KEPTN_CONTEXT`.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub context: TaskContext,
    /// Fill what the definition's parameters lack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Parameters>,
    /// Overrides the definition's Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secure_parameters: Option<SecureParameters>,
    /// `pre`, `post` or `promotion`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_type: Option<String>,
    /// How often a failed task is tried again; 10 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<i32>,
    /// How long the task may take; 5 minutes when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
}

/// `KEPTN_CONTEXT`: the order of the fields, and which are always there, are Keptn's.
///
/// ```
/// let context = stagelink_keptn::TaskContext { app_name: "a".into(), ..Default::default() };
/// assert_eq!(
///     serde_json::to_string(&context)?,
///     r#"{"workloadName":"","appName":"a","appVersion":"","workloadVersion":"","taskType":"","objectType":""}"#
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskContext {
    /// Name of the workload; empty for an app's task.
    pub workload_name: String,
    /// Name of the app.
    pub app_name: String,
    /// Version of the app; empty for a workload's task.
    pub app_version: String,
    /// Version of the workload; empty for an app's task.
    pub workload_version: String,
    /// `pre`, `post` or `promotion`.
    pub task_type: String,
    /// `App` or `Workload`.
    pub object_type: String,
    /// The app's metadata with `traceparent`.
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "lenient::texts"
    )]
    pub metadata: BTreeMap<String, String>,
}
