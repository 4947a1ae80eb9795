//! Keptn's resources that a chart does not have itself, as the cluster has them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use kube::Api;
use kube::api::DynamicObject;
use kube::core::{ApiResource, GroupVersionKind};
use stagelink_delivery::ports::{Definition, DefinitionError, Definitions};
use stagelink_keptn::{FunctionError, KeptnKind, ResolvedFunction, Severity, TaskDefinitionSpec};
use stagelink_plan::DefinitionMetadata;

use crate::{ApiError, Cluster};

/// Reads definitions of the cluster, in the newest version that it serves.
#[derive(Debug, Clone)]
pub struct ClusterDefinitions {
    cluster: Cluster,
}

#[async_trait]
impl Definitions for ClusterDefinitions {
    async fn find(
        &self,
        kind: KeptnKind,
        namespaces: &[&str],
        name: &str,
    ) -> Result<Definition, DefinitionError> {
        let mut places = Vec::new();
        for namespace in namespaces {
            match self.get(kind, namespace, name).await {
                Ok(Some(resource)) => return read(kind, namespace, name, resource),
                Ok(None) => places.push(format!("in the namespace {namespace}")),
                // A hook may read in the app's namespace only; elsewhere somebody has to allow it.
                Err(error) if error.is_forbidden() => {
                    places.push(format!("or it may not be seen ({error})"));
                }
                Err(source) => {
                    return Err(DefinitionError::Unavailable {
                        kind: kind.kind,
                        namespace: (*namespace).to_owned(),
                        name: name.to_owned(),
                        source: Box::new(source),
                    });
                }
            }
        }
        Err(DefinitionError::NotFound {
            kind: kind.kind,
            name: name.to_owned(),
            places,
        })
    }
}

impl ClusterDefinitions {
    /// The definitions of a cluster.
    pub fn new(cluster: &Cluster) -> Self {
        Self {
            cluster: cluster.clone(),
        }
    }

    /// The resource in the newest version that the cluster serves.
    async fn get(
        &self,
        kind: KeptnKind,
        namespace: &str,
        name: &str,
    ) -> Result<Option<DynamicObject>, ApiError> {
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
}

/// Task definitions of an app's namespace, then of Keptn's.
#[derive(Debug, Clone)]
pub(crate) struct TaskDefinitions {
    definitions: ClusterDefinitions,
    /// In this order.
    namespaces: Vec<String>,
}

/// Why a task has nothing to run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TaskDefinitionError {
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    #[error(transparent)]
    Function(#[from] FunctionError),
}

impl TaskDefinitions {
    pub(crate) fn new(cluster: &Cluster, keptn_namespace: &str) -> Self {
        let mut namespaces = vec![cluster.namespace().to_owned()];
        if !keptn_namespace.is_empty() && keptn_namespace != cluster.namespace() {
            namespaces.push(keptn_namespace.to_owned());
        }
        Self {
            definitions: ClusterDefinitions::new(cluster),
            namespaces,
        }
    }

    /// The definition of this name, and what it is labelled with.
    pub(crate) async fn task(
        &self,
        name: &str,
    ) -> Result<(TaskDefinitionSpec, DefinitionMetadata), DefinitionError> {
        let namespaces: Vec<_> = self.namespaces.iter().map(String::as_str).collect();
        let found = self
            .definitions
            .find(KeptnKind::TASK_DEFINITION, &namespaces, name)
            .await?;
        Ok((found.read()?, found.metadata))
    }

    /// Finds the code of a function and merges in what it refers to; the definitions of `known` count
    /// first, and those that are looked up are added to it.
    pub(crate) async fn function<'a>(
        &self,
        name: &str,
        spec: &'a TaskDefinitionSpec,
        known: &'a mut BTreeMap<String, TaskDefinitionSpec>,
    ) -> Result<Option<ResolvedFunction<'a>>, TaskDefinitionError> {
        loop {
            let missing = match spec.resolve_function(name, |other| known.get(other)) {
                Err(FunctionError::Missing { to, .. }) => to,
                // Asked again below, as what is found borrows from what is known in the end.
                Ok(_) => break,
                Err(error) => return Err(error.into()),
            };
            let (parent, _) = self.task(&missing).await?;
            known.insert(missing, parent);
        }
        Ok(spec.resolve_function(name, |other| known.get(other))?)
    }
}

/// A resource as Keptn would take it.
fn read(
    kind: KeptnKind,
    namespace: &str,
    name: &str,
    resource: DynamicObject,
) -> Result<Definition, DefinitionError> {
    let invalid = |problem: String| DefinitionError::Invalid {
        kind: kind.kind,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        problem,
    };
    let mut resource =
        serde_json::to_value(resource).map_err(|error| invalid(error.to_string()))?;
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
    Ok(Definition {
        kind: kind.kind,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        metadata: DefinitionMetadata::of(&resource["metadata"]),
        spec: resource["spec"].take(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn definition(spec: Value) -> Result<(TaskDefinitionSpec, DefinitionMetadata), String> {
        let resource = json!({
            "apiVersion": "lifecycle.keptn.sh/v1", "kind": "KeptnTaskDefinition",
            "metadata": {"name": "check", "labels": {"team": "shop"}}, "spec": spec,
        });
        let resource = serde_json::from_value(resource).unwrap();
        let read = |resource| {
            let found = read(KeptnKind::TASK_DEFINITION, "shop", "check", resource)?;
            Ok((found.read()?, found.metadata))
        };
        read(resource).map_err(|error: DefinitionError| error.to_string())
    }

    #[test]
    fn what_keptn_would_refuse_is_refused() {
        let (spec, metadata) =
            definition(json!({"container": {"name": "c", "image": "i"}, "retries": 2})).unwrap();
        assert_eq!(spec.retries(), 2);
        assert_eq!(metadata.labels["team"], "shop");
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
