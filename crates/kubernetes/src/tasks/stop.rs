//! Tasks that are not wanted any more.

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, Preconditions, PropagationPolicy};
use stagelink_delivery::ports::{ItemEnd, TaskRequest};

use super::ClusterTasks;
use super::end::End;
use super::job::job_name;
use super::sight::job_end;
use super::start::JobId;
use crate::ApiError;

/// The longest that a stopped task waits for its Job to be deleted: a hook that is stopped has little
/// time itself.
const STOPPING: Duration = Duration::from_secs(10);

/// The longest that a stopped hook asks what will become of it.
const ASKING: Duration = Duration::from_secs(3);

impl ClusterTasks {
    /// Stops a task whose Job may be there, or be on its way.
    pub(super) async fn stop_unknown(&self, task: &TaskRequest<'_>) -> ItemEnd {
        let found = tokio::time::timeout(STOPPING, self.find(task)).await;
        let found = found.ok().and_then(Result::ok).flatten();
        self.stop(&job_name(task), found.map(|(id, _)| id)).await
    }

    /// Ends a task that nobody wants any more; its pods are gone before its Job is, so that a later one
    /// never runs beside them. When only this pod of the hook has to end, its next one wants the task.
    pub(super) async fn stop(&self, name: &str, id: Option<JobId>) -> ItemEnd {
        let message = if self.settings.interrupted.is_cancelled() && self.hook_comes_back().await {
            format!("the hook has to end; Job {name} goes on, if it was made")
        } else if let Some(id) = &id {
            match tokio::time::timeout(STOPPING, self.delete(id)).await {
                Ok(Ok(())) => format!("it was stopped: Job {name} was deleted"),
                Ok(Err(error)) => {
                    format!("it was to be stopped, but Job {name} cannot be deleted: {error}")
                }
                Err(_) => format!(
                    "it was to be stopped, but Job {name} could not be deleted within {} s; delete it",
                    STOPPING.as_secs()
                ),
            }
        } else {
            "it was stopped before it had begun".to_owned()
        };
        End::Error {
            reason: "Cancelled",
            message,
        }
        .item_end(name)
    }

    /// Whether a hook that has to end is started again: a Job's pod is, unless the Job is being deleted
    /// or has failed, for example because its time is over; a pod of its own never is.
    async fn hook_comes_back(&self) -> bool {
        for owner in &self.settings.owners {
            match owner.kind.as_str() {
                "Pod" => return false,
                "Job" => {
                    let jobs = self.jobs();
                    let asked = tokio::time::timeout(ASKING, jobs.get_opt(&owner.name)).await;
                    // Who cannot be asked is taken to live on: nothing is stopped for nothing.
                    let Ok(Ok(job)) = asked else {
                        return true;
                    };
                    return job.is_some_and(|job: Job| {
                        job.uid().as_deref() == Some(&owner.uid)
                            && job.metadata.deletion_timestamp.is_none()
                            && job_end(&job).is_none()
                    });
                }
                _ => {}
            }
        }
        true
    }

    /// Deletes a Job, its pods first.
    pub(super) async fn delete(&self, id: &JobId) -> Result<(), ApiError> {
        let parameters = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Foreground),
            preconditions: Some(Preconditions {
                uid: Some(id.uid.clone()),
                ..Preconditions::default()
            }),
            ..DeleteParams::default()
        };
        let deleted = self.jobs().delete(&id.name, &parameters).await;
        match deleted.map_err(ApiError::from) {
            Ok(_) => Ok(()),
            // Somebody else was faster; with another UID, too.
            Err(error) if error.is_not_found() || error.is_conflict() => Ok(()),
            Err(error) => Err(error),
        }
    }
}
