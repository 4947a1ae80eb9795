//! What is read of a workload, whatever its kind.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, Time};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A kind of workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Deployment,
    StatefulSet,
    DaemonSet,
    ReplicaSet,
    /// Of Argo Rollouts.
    Rollout,
}

impl Kind {
    pub(crate) fn of(kind: &str) -> Option<Self> {
        Some(match kind {
            "Deployment" => Self::Deployment,
            "StatefulSet" => Self::StatefulSet,
            "DaemonSet" => Self::DaemonSet,
            "ReplicaSet" => Self::ReplicaSet,
            "Rollout" => Self::Rollout,
            _ => return None,
        })
    }

    pub(crate) fn resource(self) -> ApiResource {
        let (group, version, kind, plural) = match self {
            Self::Deployment => ("apps", "v1", "Deployment", "deployments"),
            Self::StatefulSet => ("apps", "v1", "StatefulSet", "statefulsets"),
            Self::DaemonSet => ("apps", "v1", "DaemonSet", "daemonsets"),
            Self::ReplicaSet => ("apps", "v1", "ReplicaSet", "replicasets"),
            Self::Rollout => ("argoproj.io", "v1alpha1", "Rollout", "rollouts"),
        };
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
    }
}

/// A workload as far as its rollout goes; a field that is absent or `null` is at its default.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct View {
    #[serde(deserialize_with = "lenient")]
    pub(crate) spec: Spec,
    #[serde(deserialize_with = "lenient")]
    pub(crate) status: Status,
    #[serde(skip)]
    pub(crate) name: String,
    #[serde(skip)]
    pub(crate) generation: i64,
    #[serde(skip)]
    pub(crate) uid: String,
    #[serde(skip)]
    pub(crate) annotations: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Spec {
    pub(crate) replicas: Option<i64>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) paused: bool,
    #[serde(deserialize_with = "lenient")]
    pub(crate) update_strategy: UpdateStrategy,
    pub(crate) selector: Option<LabelSelector>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) template: Template,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Template {
    #[serde(deserialize_with = "lenient")]
    pub(crate) metadata: TemplateMetadata,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TemplateMetadata {
    #[serde(deserialize_with = "lenient")]
    pub(crate) labels: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct UpdateStrategy {
    #[serde(rename = "type", deserialize_with = "lenient")]
    pub(crate) name: String,
    #[serde(deserialize_with = "lenient")]
    pub(crate) rolling_update: RollingUpdate,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RollingUpdate {
    pub(crate) partition: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Status {
    /// A number; of a Rollout a text, which is a number or, of an old one, a hash.
    pub(crate) observed_generation: Value,
    #[serde(deserialize_with = "lenient")]
    pub(crate) replicas: i64,
    #[serde(deserialize_with = "lenient")]
    pub(crate) updated_replicas: i64,
    #[serde(deserialize_with = "lenient")]
    pub(crate) ready_replicas: i64,
    #[serde(deserialize_with = "lenient")]
    pub(crate) available_replicas: i64,
    #[serde(deserialize_with = "lenient")]
    pub(crate) current_revision: String,
    #[serde(deserialize_with = "lenient")]
    pub(crate) update_revision: String,
    /// Of a Rollout.
    #[serde(deserialize_with = "lenient")]
    pub(crate) current_pod_hash: String,
    #[serde(deserialize_with = "lenient")]
    pub(crate) desired_number_scheduled: i64,
    #[serde(deserialize_with = "lenient")]
    pub(crate) updated_number_scheduled: i64,
    #[serde(deserialize_with = "lenient")]
    pub(crate) number_available: i64,
    #[serde(deserialize_with = "lenient")]
    pub(crate) conditions: Vec<Condition>,
    /// Of a Rollout.
    #[serde(deserialize_with = "lenient")]
    pub(crate) phase: String,
    /// Of a Rollout.
    #[serde(deserialize_with = "lenient")]
    pub(crate) message: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Condition {
    #[serde(rename = "type", deserialize_with = "lenient")]
    pub(crate) name: String,
    #[serde(deserialize_with = "lenient")]
    pub(crate) status: String,
    #[serde(deserialize_with = "lenient")]
    pub(crate) reason: String,
    #[serde(deserialize_with = "lenient")]
    pub(crate) message: String,
    pub(crate) last_update_time: Option<Time>,
}

/// A field that is `null` counts as absent.
fn lenient<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    from: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

impl View {
    pub(crate) fn of(object: &DynamicObject) -> Result<Self, serde_json::Error> {
        let mut view: Self = serde_json::from_value(object.data.clone())?;
        view.name = object.metadata.name.clone().unwrap_or_default();
        view.generation = object.metadata.generation.unwrap_or_default();
        view.uid = object.metadata.uid.clone().unwrap_or_default();
        view.annotations = object.metadata.annotations.clone().unwrap_or_default();
        Ok(view)
    }

    /// Replicas that it is to have.
    pub(crate) fn wanted(&self, kind: Kind) -> Option<u32> {
        let wanted = match kind {
            Kind::DaemonSet => self.status.desired_number_scheduled,
            _ => self.spec.replicas.unwrap_or(1),
        };
        u32::try_from(wanted).ok()
    }

    /// What the label of its pods says that tells its new version's from others, if the workload knows.
    pub(crate) fn new_hash(&self, kind: Kind) -> Option<&str> {
        let hash = match kind {
            Kind::StatefulSet => &self.status.update_revision,
            Kind::Rollout => &self.status.current_pod_hash,
            _ => return None,
        };
        Some(hash.as_str()).filter(|hash| !hash.is_empty())
    }

    pub(crate) fn condition(&self, name: &str) -> Option<&Condition> {
        let mut conditions = self.status.conditions.iter();
        conditions.find(|condition| condition.name == name)
    }
}

/// When a workload was last changed and, if it is healthy, since when it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    /// When somebody last changed what it is to be; not its scale, and not its status.
    pub(crate) changed: Option<Timestamp>,
    /// When its rollout was complete, else when its status last changed.
    pub(crate) complete: Option<Timestamp>,
}

impl Times {
    /// From the times that the API server keeps for each writer, and the condition that tells of a
    /// complete rollout. They are whole seconds.
    pub(crate) fn of(object: &DynamicObject, view: &View) -> Self {
        let written = |by_controller: bool| {
            let entries = object.metadata.managed_fields.iter().flatten();
            entries
                .filter(|entry| {
                    let part = entry.subresource.as_deref().unwrap_or_default();
                    part == if by_controller { "status" } else { "" }
                })
                .filter_map(|entry| entry.time.as_ref().map(|time| time.0))
                .max()
        };
        let complete = view
            .condition("Progressing")
            .filter(|condition| condition.reason == "NewReplicaSetAvailable")
            .and_then(|condition| condition.last_update_time.as_ref())
            .map(|time| time.0);
        Self {
            changed: written(false),
            complete: complete.or_else(|| written(true)),
        }
    }
}
