//! Keys and values of attributes: Keptn's, OpenTelemetry's and our own.

use stagelink_delivery::Outcome;

/// Keptn's tracer for an app (`lifecycle/keptnappversion/controller.go`).
pub const APP_SCOPE: &str = "keptn/lifecycle-operator/appversion";
/// Keptn's tracer for a workload (`lifecycle/keptnworkloadversion/controller.go`).
pub const WORKLOAD_SCOPE: &str = "keptn/lifecycle-operator/workloadversion";

// Keptn's keys: `apis/lifecycle/v1/common/common.go`.
pub(crate) const APP_NAME: &str = "keptn.deployment.app.name";
pub(crate) const APP_VERSION: &str = "keptn.deployment.app.version";
pub(crate) const APP_NAMESPACE: &str = "keptn.deployment.app.namespace";
pub(crate) const WORKLOAD_NAME: &str = "keptn.deployment.workload.name";
pub(crate) const WORKLOAD_VERSION: &str = "keptn.deployment.workload.version";
pub(crate) const WORKLOAD_NAMESPACE: &str = "keptn.deployment.workload.namespace";
pub(crate) const TASK_NAME: &str = "keptn.deployment.task.name";
pub(crate) const TASK_TYPE: &str = "keptn.deployment.task.type";
pub(crate) const EVALUATION_NAME: &str = "keptn.deployment.evaluation.name";
pub(crate) const EVALUATION_TYPE: &str = "keptn.deployment.evaluation.type";

// OpenTelemetry's keys: semantic conventions 1.44.0.
pub(crate) const ENVIRONMENT: &str = "deployment.environment.name";
pub(crate) const ERROR_TYPE: &str = "error.type";
pub(crate) const PIPELINE_NAME: &str = "cicd.pipeline.name";
pub(crate) const PIPELINE_ACTION: &str = "cicd.pipeline.action.name";
pub(crate) const PIPELINE_RUN_ID: &str = "cicd.pipeline.run.id";
pub(crate) const PIPELINE_RESULT: &str = "cicd.pipeline.result";
pub(crate) const PIPELINE_TASK_NAME: &str = "cicd.pipeline.task.name";
pub(crate) const PIPELINE_TASK_TYPE: &str = "cicd.pipeline.task.type";
pub(crate) const PIPELINE_TASK_RUN_ID: &str = "cicd.pipeline.task.run.id";
pub(crate) const PIPELINE_TASK_RESULT: &str = "cicd.pipeline.task.run.result";
pub(crate) const REPOSITORY_URL: &str = "vcs.repository.url.full";
pub(crate) const REPOSITORY_NAME: &str = "vcs.repository.name";
pub(crate) const REPOSITORY_OWNER: &str = "vcs.owner.name";
pub(crate) const REPOSITORY_PROVIDER: &str = "vcs.provider.name";
pub(crate) const HEAD_NAME: &str = "vcs.ref.head.name";
pub(crate) const HEAD_REVISION: &str = "vcs.ref.head.revision";

/// The stage, on every span.
pub const STAGE: &str = "stagelink.stage";
/// Number of the delivery, on every span.
pub const DELIVERY: &str = "stagelink.delivery.number";
/// Number of the attempt, on every span.
pub const ATTEMPT: &str = "stagelink.attempt.number";
/// What came of it: `pass`, `warn`, `fail`, `inconclusive` or `error`.
pub const OUTCOME: &str = "stagelink.outcome";
/// In one line, why it is not a pass.
pub const REASON: &str = "stagelink.reason";
/// The phase, on spans of phases, by Keptn's short name.
pub const PHASE: &str = "stagelink.phase";
/// The definition of a task or an evaluation.
pub const DEFINITION: &str = "stagelink.definition";
/// The content digest, on roots.
pub const DIGEST: &str = "stagelink.digest";
/// The revision as Argo CD gave it, on roots.
pub const REVISION: &str = "stagelink.revision";
/// Name of the Argo CD Application, on roots.
pub const APPLICATION: &str = "stagelink.application";
/// Name of the sync operation, on roots.
pub const OPERATION: &str = "stagelink.operation";
/// Requests to the cluster's API server by all hooks together, on roots.
pub const API_CALLS: &str = "stagelink.api_calls";
/// Replicas that a workload is to have, on the spans of workloads and their deployments.
pub const REPLICAS: &str = "stagelink.workload.replicas";
/// When the first replica of the version was ready, in RFC 3339, on the same.
pub const FIRST_READY: &str = "stagelink.workload.first_ready";
/// Path of the chart in its repository, on roots.
pub const SOURCE_PATH: &str = "stagelink.source.path";
/// Before the name of a number that a task measured.
pub const RESULT_PREFIX: &str = "stagelink.result.";
/// Before the metric of an objective; the value is Keptn's message.
pub const OBJECTIVE_PREFIX: &str = "stagelink.objective.";
/// Before the key of a fact that a task told.
pub const DETAIL_PREFIX: &str = "stagelink.";
/// Why a root links to a span: `previous-stage` or `previous-attempt`.
pub const LINK_RELATION: &str = "stagelink.link.relation";

/// Keptn's attribute of every link (`keptnappversion/controller.go`, `getLinkedSpans`).
pub(crate) const LINK_TYPE: (&str, &str) = ("opentracing.ref_type", "follows-from");

/// The convention's word for an outcome (`cicd.pipeline.result`): `failure` is "the work did not
/// pass", `error` is "it could not be told or not be carried out".
pub(crate) fn result(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass | Outcome::Warn => "success",
        Outcome::Fail => "failure",
        Outcome::Inconclusive | Outcome::Error => "error",
    }
}
