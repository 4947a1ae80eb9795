//! The container of a task (`core/v1 Container`).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::lenient;

/// A container as Kubernetes has it: the fields that a delivery reads are typed, all others are
/// kept as they are, so that a Job made from it loses nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// Name of the container; required by Kubernetes.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub name: String,
    /// Image with tag or digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Entry point; the image's own when empty.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::list"
    )]
    pub command: Vec<String>,
    /// Arguments of the entry point; the image's own when empty.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::list"
    )]
    pub args: Vec<String>,
    /// Environment variables in the order of the resource.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::list"
    )]
    pub env: Vec<EnvironmentVariable>,
    /// Working directory; the image's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// Everything else, untouched.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// One environment variable (`core/v1 EnvVar`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentVariable {
    /// Name of the variable.
    #[serde(default)]
    pub name: String,
    /// Its value, unless it comes from elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Where the value comes from: a Secret, a ConfigMap, a field of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_from: Option<Value>,
}

impl Container {
    /// The image without tag and digest, for example `ghcr.io/stagelink/stagelink-task`.
    pub fn image_repository(&self) -> Option<&str> {
        let image = self.image.as_deref()?;
        let image = image.split_once('@').map_or(image, |(name, _)| name);
        Some(match image.rsplit_once(':') {
            // A colon before a slash belongs to the registry's port.
            Some((name, tag)) if !tag.contains('/') => name,
            _ => image,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_of_a_container_is_lost() {
        let container = json!({
            "name": "a", "image": "b:1", "args": ["x"], "env": [{"name": "N", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
            "workingDir": "/w", "resources": {"limits": {"cpu": 1}}, "volumeMounts": [{"name": "v", "mountPath": "/v"}],
        });
        let read: Container = serde_json::from_value(container.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), container);
    }

    #[test]
    fn the_repository_of_an_image_has_neither_tag_nor_digest() {
        for (image, repository) in [
            ("busybox", "busybox"),
            ("busybox:1.36", "busybox"),
            ("localhost:5000/a/b", "localhost:5000/a/b"),
            ("localhost:5000/a/b:1@sha256:00", "localhost:5000/a/b"),
        ] {
            let container = Container {
                image: Some(image.to_owned()),
                ..Container::default()
            };
            assert_eq!(container.image_repository(), Some(repository));
        }
        assert_eq!(Container::default().image_repository(), None);
    }
}
