//! Annotations of a hook's own Job.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::Job;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::{ApiError, Cluster};

/// Adds annotations to a Job in the cluster's namespace; others stay.
///
/// # Errors
/// [`ApiError`] if it is not there, or may not be changed.
pub async fn annotate_job(
    cluster: &Cluster,
    name: &str,
    annotations: &BTreeMap<String, String>,
) -> Result<(), ApiError> {
    let jobs: Api<Job> = Api::namespaced(cluster.client(), cluster.namespace());
    let patch = Patch::Merge(json!({"metadata": {"annotations": annotations}}));
    jobs.patch(name, &PatchParams::default(), &patch).await?;
    Ok(())
}
