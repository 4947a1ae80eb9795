//! Secrets of the cluster, one at a time and by name.

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use stagelink_delivery::ports::{SecretError, SecretKey, SecretValue, Secrets};

use crate::{ApiError, Cluster};

/// Reads Secrets by name, each time anew, so that what was rotated counts.
#[derive(Debug, Clone)]
pub struct ClusterSecrets {
    cluster: Cluster,
}

impl ClusterSecrets {
    /// The Secrets of a cluster.
    pub fn new(cluster: &Cluster) -> Self {
        Self {
            cluster: cluster.clone(),
        }
    }
}

#[async_trait]
impl Secrets for ClusterSecrets {
    async fn get(&self, key: &SecretKey<'_>) -> Result<Option<SecretValue>, SecretError> {
        let error = |problem: String| SecretError {
            name: key.name.to_owned(),
            key: key.key.to_owned(),
            problem,
        };
        let namespace = match key.namespace {
            "" => self.cluster.namespace(),
            namespace => namespace,
        };
        let api: Api<Secret> = Api::namespaced(self.cluster.client(), namespace);
        let secret = api.get_opt(key.name).await;
        let Some(secret) = secret.map_err(|cause| error(ApiError::from(cause).to_string()))? else {
            return Ok(None);
        };
        let Some(value) = secret.data.and_then(|mut data| data.remove(key.key)) else {
            return Ok(None);
        };
        // The bytes that are no text must not be shown.
        let text =
            String::from_utf8(value.0).map_err(|_| error("it is no UTF-8 text".to_owned()))?;
        Ok(Some(SecretValue::new(text)))
    }
}
