//! Task definitions that a chart does not have itself: in the app's namespace, then in Keptn's.

use std::collections::BTreeMap;

use kube::Api;
use kube::api::DynamicObject;
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::Value;
use stagelink_keptn::{FunctionError, KeptnKind, ResolvedFunction, Severity, TaskDefinitionSpec};
use stagelink_plan::DefinitionMetadata;

use crate::{ApiError, Cluster};

/// A definition, and what it is labelled with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TaskDefinition {
    pub(crate) spec: TaskDefinitionSpec,
    pub(crate) metadata: DefinitionMetadata,
}

/// Why there is no definition.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DefinitionError {
    #[error(
        "there is no KeptnTaskDefinition {name} in the chart, {}; add it to the chart or to the cluster",
        .places.join(", ")
    )]
    NotFound {
        name: String,
        /// Where it was looked for, and what stood in the way.
        places: Vec<String>,
    },
    #[error("KeptnTaskDefinition {namespace}/{name} is not valid: {problem}")]
    Invalid {
        namespace: String,
        name: String,
        problem: String,
    },
    #[error("KeptnTaskDefinition {namespace}/{name} cannot be read: {source}")]
    Unavailable {
        namespace: String,
        name: String,
        source: ApiError,
    },
    #[error(transparent)]
    Function(#[from] FunctionError),
}

/// Where definitions are looked for.
#[derive(Debug, Clone)]
pub(crate) struct Definitions {
    cluster: Cluster,
    /// In this order.
    namespaces: Vec<String>,
}

impl Definitions {
    /// Definitions of the cluster's namespace, then of Keptn's.
    pub(crate) fn new(cluster: &Cluster, keptn_namespace: &str) -> Self {
        let mut namespaces = vec![cluster.namespace().to_owned()];
        if !keptn_namespace.is_empty() && keptn_namespace != cluster.namespace() {
            namespaces.push(keptn_namespace.to_owned());
        }
        Self {
            cluster: cluster.clone(),
            namespaces,
        }
    }

    /// The definition of this name.
    pub(crate) async fn task(&self, name: &str) -> Result<TaskDefinition, DefinitionError> {
        let mut places = Vec::new();
        for namespace in &self.namespaces {
            match self.get(namespace, name).await {
                Ok(Some(resource)) => return read(namespace, name, resource),
                Ok(None) => places.push(format!("in the namespace {namespace}")),
                // A hook may read in the app's namespace only; elsewhere somebody has to allow it.
                Err(error) if error.is_forbidden() => {
                    places.push(format!("or it may not be seen ({error})"));
                }
                Err(source) => {
                    return Err(DefinitionError::Unavailable {
                        namespace: namespace.clone(),
                        name: name.to_owned(),
                        source,
                    });
                }
            }
        }
        Err(DefinitionError::NotFound {
            name: name.to_owned(),
            places,
        })
    }

    /// The resource in the newest version that the cluster serves.
    async fn get(&self, namespace: &str, name: &str) -> Result<Option<DynamicObject>, ApiError> {
        let kind = KeptnKind::TASK_DEFINITION;
        for version in kind.versions {
            let version = GroupVersionKind::gvk(kind.group, version, kind.kind);
            let resource = ApiResource::from_gvk_with_plural(&version, kind.plural);
            let api: Api<DynamicObject> =
                Api::namespaced_with(self.cluster.client(), namespace, &resource);
            match api.get(name).await.map_err(ApiError::from) {
                Ok(found) => return Ok(Some(found)),
                Err(error) if error.is_not_found() => {
                    // Only an answer about the object itself has its name.
                    let details = error.status().and_then(|status| status.details.as_ref());
                    if details.is_some_and(|details| details.name == name) {
                        return Ok(None);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Finds the code of a function and merges in what it refers to; the definitions of `known` count
    /// first, and those that are looked up are added to it.
    pub(crate) async fn function<'a>(
        &self,
        name: &str,
        spec: &'a TaskDefinitionSpec,
        known: &'a mut BTreeMap<String, TaskDefinitionSpec>,
    ) -> Result<Option<ResolvedFunction<'a>>, DefinitionError> {
        loop {
            let missing = match spec.resolve_function(name, |other| known.get(other)) {
                Err(FunctionError::Missing { to, .. }) => to,
                // Asked again below, as what is found borrows from what is known in the end.
                Ok(_) => break,
                Err(error) => return Err(error.into()),
            };
            let parent = self.task(&missing).await?;
            known.insert(missing, parent.spec);
        }
        Ok(spec.resolve_function(name, |other| known.get(other))?)
    }
}

/// A definition as Keptn would take it.
fn read(
    namespace: &str,
    name: &str,
    resource: DynamicObject,
) -> Result<TaskDefinition, DefinitionError> {
    let invalid = |problem: String| DefinitionError::Invalid {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        problem,
    };
    let resource = serde_json::to_value(resource).map_err(|error| invalid(error.to_string()))?;
    // JSON is YAML.
    let findings = stagelink_keptn::validate(name, &resource.to_string());
    if let Some(finding) = findings
        .iter()
        .find(|finding| finding.severity == Severity::Error)
    {
        let place = if finding.field.is_empty() {
            String::new()
        } else {
            format!("{}: ", finding.field)
        };
        return Err(invalid(format!("{place}{}", finding.problem)));
    }
    let spec = match &resource["spec"] {
        Value::Null => TaskDefinitionSpec::default(),
        spec => serde::Deserialize::deserialize(spec)
            .map_err(|error: serde_json::Error| invalid(error.to_string()))?,
    };
    Ok(TaskDefinition {
        spec,
        metadata: DefinitionMetadata::of(&resource["metadata"]),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn definition(spec: Value) -> Result<TaskDefinition, String> {
        let resource = json!({
            "apiVersion": "lifecycle.keptn.sh/v1", "kind": "KeptnTaskDefinition",
            "metadata": {"name": "check", "labels": {"team": "shop"}}, "spec": spec,
        });
        let resource = serde_json::from_value(resource).unwrap();
        read("shop", "check", resource).map_err(|error| error.to_string())
    }

    #[test]
    fn what_keptn_would_refuse_is_refused() {
        let found =
            definition(json!({"container": {"name": "c", "image": "i"}, "retries": 2})).unwrap();
        assert_eq!(found.spec.retries(), 2);
        assert_eq!(found.metadata.labels["team"], "shop");
        for (spec, expected) in [
            (json!({}), "Either Container, Python, or Deno"),
            (
                json!({"container": {"name": "c"}, "deno": {"inline": {"code": "1"}}}),
                "Only one of Container",
            ),
            (
                json!({"container": {"name": "c"}, "retries": "many"}),
                "spec.retries",
            ),
        ] {
            let error = definition(spec).unwrap_err();
            assert!(
                error.starts_with("KeptnTaskDefinition shop/check is not valid: ")
                    && error.contains(expected),
                "{error}"
            );
        }
    }
}
