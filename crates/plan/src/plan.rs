//! The plan's types and its serialised form, JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use stagelink_keptn::{
    EvaluationDefinitionSpec, MetricSpec, MetricsProviderSpec, TaskDefinitionSpec,
};

use crate::{ContentDigest, TraceParent};

/// The version of the serialised form that this crate writes, and the newest that it reads.
pub const PLAN_VERSION: u32 = 1;

/// Why a plan cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The text is not the JSON of a plan.
    #[error("the plan cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// A newer plugin wrote this plan.
    #[error(
        "the plan has version {found}, but this hook reads up to {PLAN_VERSION}; \
         use a hook image at least as new as the plugin"
    )]
    Newer {
        /// The version that was found.
        found: u32,
    },
}

/// All that a delivery needs. See the crate's documentation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Version of the serialised form.
    pub version: u32,
    /// Name of the app (Keptn's `KeptnApp`, or `app.kubernetes.io/part-of`).
    pub app: String,
    /// Version of the app, made as Keptn makes it when no KeptnApp states one
    /// (`reference/crd-reference/app`: the workload's, or a hash over all).
    pub app_version: String,
    /// Name of the stage, for example `dev`.
    pub stage: String,
    /// Name of the Argo CD Application.
    pub application: String,
    /// Namespace that the stage is deployed to.
    pub namespace: String,
    /// The revision that was rendered, as Argo CD gave it; absent when it gave none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Where the revision comes from.
    #[serde(default)]
    pub source: Source,
    /// Digest of the content, without revision and links.
    pub digest: ContentDigest,
    /// The context's metadata: goes to every span and to every task. Holds `commitID`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Spans of earlier stages that led to this delivery.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<TraceParent>,
    /// Keptn's `blockDeployment`: false turns a failed gate into a warning.
    #[serde(default = "yes")]
    pub block_deployment: bool,
    /// How long the workloads may take to become healthy (Keptn's `observabilityTimeout`).
    #[serde(default = "five_minutes", with = "seconds")]
    pub observability_timeout: Duration,
    /// What is run around the deployment of the app.
    #[serde(default)]
    pub phases: Phases,
    /// What is deployed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<Workload>,
    /// The chart's own task definitions, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub task_definitions: BTreeMap<String, TaskDefinitionSpec>,
    /// Labels and annotations of those of them that have any; Keptn copies them to the task's Job.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub task_metadata: BTreeMap<String, DefinitionMetadata>,
    /// The chart's own evaluation definitions, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub evaluation_definitions: BTreeMap<String, EvaluationDefinitionSpec>,
    /// The chart's own metrics, by `namespace/name`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, MetricSpec>,
    /// The chart's own metrics providers, by `namespace/name`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics_providers: BTreeMap<String, MetricsProviderSpec>,
}

/// Labels and annotations of a definition, without those by which tools keep their own books.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DefinitionMetadata {
    /// Its labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Keys of tools that deploy a definition: on a Job they would say that the tool had deployed that.
const BOOKKEEPING: [&str; 4] = [
    "argocd.argoproj.io/",
    "helm.sh/",
    "kubectl.kubernetes.io/",
    "meta.helm.sh/",
];

impl DefinitionMetadata {
    /// What a resource's `metadata` has of them; what is not text is left out.
    pub fn of(metadata: &Value) -> Self {
        let texts = |field: &str| {
            let all = metadata[field].as_object().into_iter().flatten();
            all.filter(|(key, _)| !BOOKKEEPING.iter().any(|tool| key.starts_with(tool)))
                .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                .collect()
        };
        Self {
            labels: texts("labels"),
            annotations: texts("annotations"),
        }
    }
}

/// Where a revision comes from (`ARGOCD_APP_SOURCE_*`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// URL of the repository, without credentials.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub repo_url: String,
    /// Path of the chart in the repository.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Branch, tag or range that the Application follows.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub target_revision: String,
}

/// Names of the definitions to run around a deployment, in the order of the resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Phases {
    /// Tasks before anything is changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pre_deployment_tasks: Vec<String>,
    /// Evaluations before anything is changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pre_deployment_evaluations: Vec<String>,
    /// Tasks once everything is healthy.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub post_deployment_tasks: Vec<String>,
    /// Evaluations after those tasks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub post_deployment_evaluations: Vec<String>,
    /// Tasks that carry the release to the next stage; always empty for a workload.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub promotion_tasks: Vec<String>,
}

/// One workload of the app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Workload {
    /// Name of the KeptnWorkload, from its labels.
    pub name: String,
    /// Version, from its labels or its image.
    pub version: String,
    /// Kind of the resource: `Deployment`, `StatefulSet`, `DaemonSet`, `ReplicaSet` or `Rollout`.
    pub kind: String,
    /// Name of the resource.
    pub resource: String,
    /// Namespace of the resource.
    pub namespace: String,
    /// `keptn.sh/metadata`: goes to the workload's spans, over the app's metadata.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// What is run around the deployment of this workload.
    #[serde(default)]
    pub phases: Phases,
}

impl Plan {
    /// Reads a plan from JSON.
    ///
    /// # Errors
    /// [`PlanError`] when the text is no plan, or one of a newer version.
    pub fn from_json(json: &str) -> Result<Self, PlanError> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let Version { version } = serde_json::from_str(json)?;
        if version > PLAN_VERSION {
            return Err(PlanError::Newer { found: version });
        }
        Ok(serde_json::from_str(json)?)
    }

    /// The plan as JSON, with the same bytes for the same plan.
    ///
    /// # Errors
    /// Only when a resource in it cannot be serialised.
    pub fn to_json(&self) -> Result<String, PlanError> {
        Ok(serde_json::to_string_pretty(self)?)
    }

    /// True if nothing needs to run before the sync, for the app or for a workload.
    pub fn starts_at_sync(&self) -> bool {
        let idle = |phases: &Phases| {
            phases.pre_deployment_tasks.is_empty() && phases.pre_deployment_evaluations.is_empty()
        };
        idle(&self.phases) && self.workloads.iter().all(|workload| idle(&workload.phases))
    }
}

fn yes() -> bool {
    true
}

fn five_minutes() -> Duration {
    Duration::from_secs(300)
}

/// A duration as a number of seconds.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(value.as_secs())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_secs)
    }
}
