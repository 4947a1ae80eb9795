//! What a Job and its pods say about the task: pure, from the API's objects alone.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, ContainerStatus, Pod};
use kube::ResourceExt as _;

/// What hinders a container that has not started yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hindrance {
    pub(super) kind: HindranceKind,
    /// Short cause, for people to filter by.
    pub(super) reason: String,
    /// What the cluster says about it.
    pub(super) message: String,
}

impl Hindrance {
    /// Its message is that of the runtime, which repeats the command: with the values of variables.
    pub(super) fn may_hold_secrets(&self) -> bool {
        let reason = self.reason.as_str();
        NEVER_RAN.contains(&reason) || (CONTAINER.contains(&reason) && reason != CONFIG)
    }

    /// Only an event has told it, so that it lasts until the container starts; one about making a pod
    /// until there is a pod.
    pub(super) fn is_told_by_event(&self, has_pod: bool) -> bool {
        match self.reason.as_str() {
            NO_POD => !has_pod,
            reason => MOUNTS.contains(&reason),
        }
    }
}

/// What becomes of a container that is hindered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HindranceKind {
    /// It will never start.
    Final,
    /// The image is not to be had, which a registry may mend in a moment.
    Image,
    /// Something that it needs is not there or not allowed, which may come in a moment.
    Missing,
    /// It is waited for until the task's time is up: for a node, for a volume.
    Waiting,
}

/// The image cannot be pulled, in the kubelet's words (`pkg/kubelet/images/types.go`).
const IMAGE: [&str; 6] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
    "SignatureValidationFailed",
];

/// A Secret or ConfigMap of the container's environment is missing, or a key of it.
const CONFIG: &str = "CreateContainerConfigError";

/// The container cannot be made or started (`pkg/kubelet/container/sync_result.go`,
/// `pkg/kubelet/kuberuntime`).
const CONTAINER: [&str; 5] = [
    CONFIG,
    "CreateContainerError",
    "PreCreateHookError",
    "PreStartHookError",
    "RunContainerError",
];

/// The event of a Job that no pod can be made for: quota, admission, a service account that is not there.
const NO_POD: &str = "FailedCreate";

/// Events of a pod that lacks something which takes its time.
const MOUNTS: [&str; 3] = [
    "FailedMount",
    "FailedAttachVolume",
    "FailedCreatePodSandBox",
];

/// How a container is said to have ended that never ran: containerd's word, and the kubelet's.
const NEVER_RAN: [&str; 2] = ["StartError", "ContainerCannotRun"];

/// What a pod says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PodSight {
    pub(super) name: String,
    pub(super) uid: String,
    /// It is being deleted or was evicted: how its container ended is not the task's doing.
    pub(super) disrupted: Option<String>,
    /// The main container runs, or has run.
    pub(super) has_started: bool,
    /// The main container ended well.
    pub(super) has_succeeded: bool,
    /// How it failed last.
    pub(super) failure: Option<Failure>,
    /// What keeps it from starting.
    pub(super) hindrance: Option<Hindrance>,
}

/// A failed run of the main container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// How often the container has failed in this pod, this time included.
    pub(super) times: u32,
    /// The log is that of the run before the present one.
    pub(super) is_previous: bool,
    pub(super) exit_code: i32,
    /// The kubelet's word, for example `Error` or `OOMKilled`.
    pub(super) reason: String,
    /// The termination message, if the container wrote one.
    pub(super) message: String,
}

/// How a Job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum JobEnd {
    Complete,
    Failed {
        /// For example `BackoffLimitExceeded` or `DeadlineExceeded`.
        reason: String,
        message: String,
    },
}

/// How a Job ended, if it has. `SuccessCriteriaMet` and `FailureTarget` come about two seconds before
/// `Complete` and `Failed`, and decide already (Keptn takes them, too).
pub(super) fn job_end(job: &Job) -> Option<JobEnd> {
    let conditions = job.status.as_ref()?.conditions.as_deref()?;
    let mut conditions = conditions
        .iter()
        .filter(|condition| condition.status == "True");
    conditions.find_map(|condition| match condition.type_.as_str() {
        "Complete" | "SuccessCriteriaMet" => Some(JobEnd::Complete),
        "Failed" | "FailureTarget" => Some(JobEnd::Failed {
            reason: condition.reason.clone().unwrap_or_default(),
            message: condition.message.clone().unwrap_or_default(),
        }),
        _ => None,
    })
}

/// What a pod says about its container of this name; sidecars do not count.
pub(super) fn pod_sight(pod: &Pod, container: &str) -> PodSight {
    let mut sight = PodSight {
        name: pod.name_any(),
        uid: pod.uid().unwrap_or_default(),
        disrupted: disruption(pod),
        has_started: false,
        has_succeeded: false,
        failure: None,
        hindrance: None,
    };
    let Some(status) = &pod.status else {
        return sight;
    };
    let all = status.container_statuses.as_deref().unwrap_or_default();
    let main = all.iter().find(|status| status.name == container);
    if let Some(main) = main {
        sight.has_started = main.restart_count > 0
            || has_run(main.state.as_ref())
            || has_run(main.last_state.as_ref());
        let now = terminated(main.state.as_ref());
        sight.has_succeeded = now.is_some_and(|end| end.exit_code == 0);
        sight.failure = failure(main);
        if let Some(end) = now.or_else(|| terminated(main.last_state.as_ref()))
            && is_never_ran(end)
        {
            sight.has_started = false;
            sight.failure = None;
            sight.hindrance = Some(Hindrance {
                kind: HindranceKind::Final,
                reason: end.reason.clone().unwrap_or_default(),
                message: end.message.clone().unwrap_or_default(),
            });
        }
    }
    if !sight.has_started && sight.hindrance.is_none() {
        let before = status
            .init_container_statuses
            .as_deref()
            .unwrap_or_default();
        let all = before.iter().chain(main);
        sight.hindrance = all
            .filter_map(|status| status.state.as_ref()?.waiting.as_ref())
            .find_map(|waiting| {
                let text = |text: &Option<String>| text.clone().unwrap_or_default();
                waiting_hindrance(&text(&waiting.reason), &text(&waiting.message))
            })
            .or_else(|| unschedulable(pod));
    }
    sight
}

fn terminated(state: Option<&ContainerState>) -> Option<&ContainerStateTerminated> {
    state?.terminated.as_ref()
}

fn has_run(state: Option<&ContainerState>) -> bool {
    state.is_some_and(|state| state.running.is_some() || state.terminated.is_some())
}

fn is_never_ran(end: &ContainerStateTerminated) -> bool {
    let reason = end.reason.as_deref().unwrap_or_default();
    NEVER_RAN.contains(&reason)
}

fn failure(status: &ContainerStatus) -> Option<Failure> {
    let restarts = u32::try_from(status.restart_count).unwrap_or(0);
    let (end, is_previous, times) = match terminated(status.state.as_ref()) {
        Some(end) if end.exit_code != 0 => (end, false, restarts.saturating_add(1)),
        Some(_) => return None,
        None => (terminated(status.last_state.as_ref())?, true, restarts),
    };
    Some(Failure {
        times: times.max(1),
        is_previous,
        exit_code: end.exit_code,
        reason: end.reason.clone().unwrap_or_default(),
        message: end.message.clone().unwrap_or_default(),
    })
}

/// Why a pod ends that its task does not end.
fn disruption(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_deref());
    let target = conditions
        .unwrap_or_default()
        .iter()
        .find(|condition| condition.type_ == "DisruptionTarget" && condition.status == "True");
    let text = |text: Option<&String>, other: &str| {
        text.filter(|text| !text.is_empty())
            .map_or_else(|| other.to_owned(), Clone::clone)
    };
    if let Some(target) = target {
        let reason = text(target.reason.as_ref(), "DisruptionTarget");
        return Some(text(target.message.as_ref(), &reason));
    }
    // The kubelet itself gave it up: `Evicted`, `NodeShutdown`, `OutOfcpu` and others.
    let reason = status.and_then(|status| status.reason.as_ref());
    if let Some(reason) =
        reason.filter(|reason| !reason.is_empty() && *reason != "DeadlineExceeded")
    {
        let message = status.and_then(|status| status.message.as_ref());
        return Some(text(message, reason));
    }
    pod.metadata
        .deletion_timestamp
        .as_ref()
        .map(|_| "it was deleted".to_owned())
}

fn waiting_hindrance(reason: &str, message: &str) -> Option<Hindrance> {
    let (kind, reason) = match reason {
        "InvalidImageName" => (HindranceKind::Final, reason),
        _ if IMAGE.contains(&reason) => (HindranceKind::Image, "ImagePullFailed"),
        _ if CONTAINER.contains(&reason) => (HindranceKind::Missing, reason),
        _ => return None,
    };
    Some(Hindrance {
        kind,
        reason: reason.to_owned(),
        message: message.to_owned(),
    })
}

fn unschedulable(pod: &Pod) -> Option<Hindrance> {
    let conditions = pod.status.as_ref()?.conditions.as_deref()?;
    let condition = conditions.iter().find(|condition| {
        condition.type_ == "PodScheduled"
            && condition.status == "False"
            && condition.reason.as_deref() == Some("Unschedulable")
    })?;
    Some(Hindrance {
        kind: HindranceKind::Waiting,
        reason: "Unschedulable".to_owned(),
        message: condition.message.clone().unwrap_or_default(),
    })
}

/// What an event about the Job or its pod says that neither of them says itself.
pub(super) fn event_hindrance(reason: &str, message: &str) -> Option<Hindrance> {
    let kind = match reason {
        NO_POD => HindranceKind::Missing,
        // A volume may take its time; a ConfigMap or Secret that is not there does not.
        "FailedMount" if message.contains("not found") || message.contains("non-existent") => {
            HindranceKind::Missing
        }
        _ if MOUNTS.contains(&reason) => HindranceKind::Waiting,
        _ => return None,
    };
    Some(Hindrance {
        kind,
        reason: reason.to_owned(),
        message: message.to_owned(),
    })
}

#[cfg(test)]
mod tests;
