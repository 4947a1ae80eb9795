//! Tasks in a cluster: the built-in ones within the hook, all others as Jobs, exactly as Keptn makes
//! them.
//!
//! The name of a Job is computed from the attempt and the task, so that a hook that was killed finds
//! the Job that it had made, and never makes a second one. Nothing is run twice silently: a task that
//! was begun longer ago than its finished Job is kept (`ttlSecondsAfterFinished`), and that has no
//! Job, may have ended unseen, and is an error
//! ([`stagelink_delivery::Outcome::Error`]).

mod end;
mod events;
mod job;
mod run;
mod secrets;
mod sight;
mod start;
mod stop;
mod words;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use stagelink_delivery::ports::{ItemEnd, TaskRequest, TaskRunner};
use stagelink_http::Resolve;
use tokio_util::sync::CancellationToken;

use crate::Cluster;
use crate::definitions::TaskDefinitions;
use end::Refusal;

/// The image that runs functions for Deno, if Keptn's variable `FUNCTION_RUNNER_IMAGE` names no other.
pub const DENO_IMAGE: &str = "ghcr.io/keptn/deno-runtime:v3.0.1";
/// The image that runs functions for Python, if Keptn's variable `PYTHON_RUNNER_IMAGE` names no other.
pub const PYTHON_IMAGE: &str = "ghcr.io/keptn/python-runtime:v1.0.8";

/// Tells people what happens to a task: its name, and a line without secrets.
pub type Tell = Arc<dyn Fn(&str, &str) + Send + Sync>;

/// How tasks are run in a cluster.
#[derive(Clone)]
pub struct ClusterTasksSettings {
    /// Owners of the Jobs: what is deleted takes them along. For example the ConfigMap with the
    /// ledger, or the hook's own Job.
    pub owners: Vec<OwnerReference>,
    /// Namespace in which definitions are looked for after the app's.
    pub keptn_namespace: String,
    /// The image that runs functions for Deno.
    pub deno_image: String,
    /// The image that runs functions for Python.
    pub python_image: String,
    /// Servers whose requests go to another address, for built-in tasks.
    pub resolve: Resolve,
    /// How long an image may fail to be pulled. The kubelet tries again after 10 s.
    pub image_grace: Duration,
    /// How long a Secret, a ConfigMap, a service account or quota may be missing.
    pub start_grace: Duration,
    /// Fires when the hook has to end. If it will be started again (it has no owner that says
    /// otherwise: a Job that is deleted or has failed, or a Pod), Jobs are left running, to be found
    /// again. A task that is cancelled for any other reason has its Job deleted.
    pub interrupted: CancellationToken,
    /// Who is told what happens to a task.
    pub tell: Tell,
}

impl Default for ClusterTasksSettings {
    fn default() -> Self {
        Self {
            owners: Vec::new(),
            keptn_namespace: "keptn-system".to_owned(),
            deno_image: DENO_IMAGE.to_owned(),
            python_image: PYTHON_IMAGE.to_owned(),
            resolve: Resolve::default(),
            image_grace: Duration::from_secs(15),
            start_grace: Duration::from_secs(5),
            interrupted: CancellationToken::new(),
            tell: Arc::new(|_, _| {}),
        }
    }
}

impl fmt::Debug for ClusterTasksSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterTasksSettings")
            .field("keptn_namespace", &self.keptn_namespace)
            .field("deno_image", &self.deno_image)
            .field("python_image", &self.python_image)
            .finish_non_exhaustive()
    }
}

/// Runs tasks in the namespace of a cluster.
#[derive(Debug)]
pub struct ClusterTasks {
    cluster: Cluster,
    definitions: TaskDefinitions,
    settings: ClusterTasksSettings,
}

impl ClusterTasks {
    /// A runner with these settings. Nothing is asked yet.
    pub fn new(cluster: &Cluster, settings: ClusterTasksSettings) -> Self {
        Self {
            definitions: TaskDefinitions::new(cluster, &settings.keptn_namespace),
            cluster: cluster.clone(),
            settings,
        }
    }
}

#[async_trait]
impl TaskRunner for ClusterTasks {
    async fn run(&self, task: &TaskRequest<'_>, cancel: &CancellationToken) -> ItemEnd {
        let end = self.run_definition(task, cancel).await;
        end.unwrap_or_else(Refusal::into_end)
    }
}
