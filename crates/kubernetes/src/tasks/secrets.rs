//! The Secrets that a task names: never in its Job, and never in what is told of it.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use serde_json::Value;

use super::job::Program;
use crate::ApiError;

/// Keys of Secrets, by the Secrets' names; `None` stands for all keys.
pub(super) type NamedSecrets = BTreeMap<String, Option<BTreeSet<String>>>;

/// The Secrets in the environment of a task.
pub(super) fn named_secrets(program: &Program<'_>) -> NamedSecrets {
    let mut named = NamedSecrets::new();
    match program {
        Program::Function { function, .. } => {
            if let Some(secret) = function.secret {
                named.insert(secret.to_owned(), Some(["SECURE_DATA".to_owned()].into()));
            }
        }
        Program::Container(container) => {
            for variable in &container.env {
                let reference = variable
                    .value_from
                    .as_ref()
                    .map(|from| &from["secretKeyRef"]);
                let part = |field: &str| Some(reference?[field].as_str()?.to_owned());
                if let (Some(name), Some(key)) = (part("name"), part("key")) {
                    let keys = named.entry(name).or_insert_with(|| Some(BTreeSet::new()));
                    if let Some(keys) = keys {
                        keys.insert(key);
                    }
                }
            }
            let sources = container.rest.get("envFrom").and_then(Value::as_array);
            for source in sources.into_iter().flatten() {
                if let Some(name) = source["secretRef"]["name"].as_str() {
                    named.insert(name.to_owned(), None);
                }
            }
        }
    }
    named
}

/// A Secret that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("Secret {name} cannot be read: {source}")]
pub(super) struct SecretUnreadable {
    name: String,
    source: ApiError,
}

/// The values of these keys. What is not there has no value.
pub(super) async fn values(
    api: &Api<Secret>,
    named: &NamedSecrets,
) -> Result<Vec<String>, SecretUnreadable> {
    let mut values = Vec::new();
    for (name, keys) in named {
        let secret = api.get_opt(name).await.map_err(|error| SecretUnreadable {
            name: name.clone(),
            source: error.into(),
        })?;
        let data = secret.and_then(|secret| secret.data).unwrap_or_default();
        values.extend(
            data.into_iter()
                .filter(|(key, _)| keys.as_ref().is_none_or(|keys| keys.contains(key)))
                .map(|(_, value)| String::from_utf8_lossy(&value.0).into_owned()),
        );
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use stagelink_keptn::Container;

    use super::*;

    #[test]
    fn secrets_are_found_where_a_container_names_them() {
        let container: Container = serde_json::from_value(json!({
            "name": "c",
            "env": [
                {"name": "A", "valueFrom": {"secretKeyRef": {"name": "one", "key": "a"}}},
                {"name": "B", "valueFrom": {"secretKeyRef": {"name": "one", "key": "b"}}},
                {"name": "C", "valueFrom": {"secretKeyRef": {"name": "two", "key": "c"}}},
                {"name": "D", "valueFrom": {"configMapKeyRef": {"name": "map", "key": "d"}}},
                {"name": "E", "value": "plain"},
            ],
            "envFrom": [{"secretRef": {"name": "two"}}, {"configMapRef": {"name": "map"}}],
        }))
        .unwrap();
        let expected = NamedSecrets::from([
            (
                "one".to_owned(),
                Some(["a".to_owned(), "b".to_owned()].into()),
            ),
            ("two".to_owned(), None),
        ]);
        assert_eq!(named_secrets(&Program::Container(&container)), expected);
    }
}
