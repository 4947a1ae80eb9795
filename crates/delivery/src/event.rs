//! What happens in a delivery, as the events that Keptn's operator makes of it: their reasons, messages and
//! annotations (lifecycle-operator `controllers/common/eventsender/eventsender.go` and
//! `controllers/common/phase/handler.go`).
//!
//! What did not pass says why at the end of Keptn's words; Keptn leaves that to its own resources.

use std::collections::BTreeMap;

use jiff::Timestamp;
use stagelink_plan::{TraceParent, Workload};

use crate::Phase;
use crate::ledger::{ItemRecord, ObjectiveRecord};

/// Bytes that a message has at most, as many as Kubernetes allows (`events.k8s.io/v1`).
const LONGEST_MESSAGE: usize = 1024;

/// What an event is about: the first part of its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventPhase {
    /// A phase of the app or of a workload.
    Phase(Phase),
    /// All of the app.
    AppCompleted,
    /// All of a workload.
    WorkloadCompleted,
    /// A task.
    ReconcileTask,
    /// What a task needs before it can be begun.
    CreateTask,
    /// An evaluation.
    ReconcileEvaluation,
}

impl EventPhase {
    /// Keptn's short name, for reasons (`apis/lifecycle/v1/common/phases.go`).
    pub fn short_name(self) -> &'static str {
        match self {
            Self::Phase(phase) => phase.short_name(),
            Self::AppCompleted => "AppCompleted",
            Self::WorkloadCompleted => "WorkloadCompleted",
            Self::ReconcileTask => "ReconcileTask",
            Self::CreateTask => "CreateTask",
            Self::ReconcileEvaluation => "ReconcileEvaluation",
        }
    }

    /// Keptn's long name, for messages.
    pub fn long_name(self) -> &'static str {
        match self {
            Self::Phase(phase) => phase.long_name(),
            Self::AppCompleted => "App Completed",
            Self::WorkloadCompleted => "Workload Completed",
            Self::ReconcileTask => "Reconcile Task",
            Self::CreateTask => "Create Task",
            Self::ReconcileEvaluation => "Reconcile Evaluation",
        }
    }
}

/// What became of it: the second part of the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventState {
    /// It begins.
    Started,
    /// It has ended, and the delivery goes on.
    Finished,
    /// It has ended, and the delivery does not go on.
    Failed,
    /// What it needs is not there.
    NotFound,
}

impl EventState {
    /// Keptn's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "Started",
            Self::Finished => "Finished",
            Self::Failed => "Failed",
            Self::NotFound => "NotFound",
        }
    }
}

/// The resource of Keptn's that an event would be about; here it need not be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventObject {
    /// Name of the KeptnAppVersion or KeptnWorkloadVersion.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Version of the app or the workload.
    pub version: String,
    /// What its events say of it in annotations.
    pub annotations: BTreeMap<String, String>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryEvent {
    /// What it is about.
    pub phase: EventPhase,
    /// What became of that.
    pub state: EventState,
    /// What happened, in Keptn's words, for example `has started`.
    pub text: String,
    /// True if people should look at it.
    pub warning: bool,
    /// Keptn's resource.
    pub object: EventObject,
    /// The workload that it is about, if it is about one.
    pub workload: Option<Workload>,
    /// When it happened.
    pub at: Timestamp,
    /// The span of what it is about. With the reason it tells one event from all others.
    pub trace_parent: TraceParent,
}

impl DeliveryEvent {
    /// Keptn's reason, for example `AppPreDeployTasksStarted`.
    pub fn reason(&self) -> String {
        format!("{}{}", self.phase.short_name(), self.state.as_str())
    }

    /// Keptn's message, as long as it may be.
    pub fn message(&self) -> String {
        let object = &self.object;
        let mut about = format!(" / Namespace: {}, Name: {}", object.namespace, object.name);
        if !object.version.is_empty() {
            about.push_str(&format!(", Version: {}", object.version));
        }
        let head = format!("{}: ", self.phase.long_name());
        let room = LONGEST_MESSAGE.saturating_sub(head.len() + about.len());
        format!("{head}{}{about}", clipped(&self.text, room))
    }

    /// Keptn's annotations, with the span in `traceparent`.
    pub fn annotations(&self) -> BTreeMap<String, String> {
        let mut annotations = self.object.annotations.clone();
        for (key, text) in [
            ("namespace", self.object.namespace.clone()),
            ("name", self.object.name.clone()),
            ("phase", self.phase.short_name().to_owned()),
            ("traceparent", self.trace_parent.to_string()),
        ] {
            annotations.insert(key.to_owned(), text);
        }
        annotations
    }
}

/// The beginning of a text that fits.
fn clipped(text: &str, room: usize) -> String {
    const MORE: &str = "…";
    if text.len() <= room {
        return text.to_owned();
    }
    let mut end = room.saturating_sub(MORE.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{MORE}", &text[..end])
}

/// Keptn's sentence about a task that failed; its span says it too.
pub fn task_failure(task: &str, message: &str) -> String {
    format!("task '{task}' failed with reason: '{message}'")
}

/// Keptn's sentence about an objective that was not met; the evaluation's span says it too.
pub fn objective_failure(objective: &ObjectiveRecord, message: &str) -> String {
    format!(
        "evaluation of '{}' failed with value: '{}' and reason: '{message}'",
        objective.metric, objective.value
    )
}

/// Keptn's words for an evaluation that failed: a line for each objective that was not met.
pub(crate) fn evaluation_failure(item: &ItemRecord) -> String {
    let mut lines = vec!["evaluation failed".to_owned()];
    let objectives = &item.report.objectives;
    let failed = objectives.iter().filter(|one| !one.outcome.goes_on());
    lines.extend(failed.map(|one| objective_failure(one, &one.message)));
    if lines.len() == 1 {
        lines.extend([&item.report.message, &item.report.reason].map(String::clone));
        lines.retain(|line| !line.is_empty());
        lines.truncate(2);
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(phase: EventPhase, state: EventState, text: &str) -> DeliveryEvent {
        DeliveryEvent {
            phase,
            state,
            text: text.to_owned(),
            warning: false,
            object: EventObject {
                name: "shop-v1-6b86b273".to_owned(),
                namespace: "shop".to_owned(),
                version: "v1".to_owned(),
                annotations: [("appName".to_owned(), "shop".to_owned())].into(),
            },
            workload: None,
            at: Timestamp::UNIX_EPOCH,
            trace_parent: "00-c088f5c586bab8649159ccc39a9862f7-f862289833f1fba3-01"
                .parse()
                .unwrap(),
        }
    }

    #[test]
    fn reasons_messages_and_annotations_are_keptns() {
        let phase = EventPhase::Phase(Phase::AppPreDeployTasks);
        let mut started = event(phase, EventState::Started, "has started");
        assert_eq!(started.reason(), "AppPreDeployTasksStarted");
        assert_eq!(
            started.message(),
            "App Pre-Deployment Tasks: has started / Namespace: shop, Name: shop-v1-6b86b273, Version: v1"
        );
        let annotations = started.annotations();
        let pairs: Vec<String> = annotations
            .iter()
            .map(|(key, text)| format!("{key}={text}"))
            .collect();
        assert_eq!(
            pairs,
            [
                "appName=shop",
                "name=shop-v1-6b86b273",
                "namespace=shop",
                "phase=AppPreDeployTasks",
                "traceparent=00-c088f5c586bab8649159ccc39a9862f7-f862289833f1fba3-01",
            ]
        );
        started.object.version.clear();
        assert!(started.message().ends_with("Name: shop-v1-6b86b273"));
        let failed = event(EventPhase::AppCompleted, EventState::Failed, "has failed");
        assert_eq!(failed.reason(), "AppCompletedFailed");
    }

    #[test]
    fn a_message_is_as_long_as_it_may_be_and_says_at_the_end_what_it_is_about() {
        let text = "é".repeat(LONGEST_MESSAGE);
        let long = event(EventPhase::ReconcileTask, EventState::Failed, &text);
        let message = long.message();
        assert!(message.len() <= LONGEST_MESSAGE && message.len() > LONGEST_MESSAGE - 3);
        assert!(message.starts_with("Reconcile Task: éé"), "{message}");
        let end = "é… / Namespace: shop, Name: shop-v1-6b86b273, Version: v1";
        assert!(message.ends_with(end), "{message}");
    }

    #[test]
    fn an_evaluation_says_which_objectives_were_not_met() {
        let item = |report: serde_json::Value| -> ItemRecord {
            let mut item = serde_json::json!({
                "definition": "speed", "name": "post-eval-speed-1", "outcome": "fail",
                "startedAt": "2026-01-01T00:00:00Z",
            });
            for (key, value) in report.as_object().unwrap() {
                item[key] = value.clone();
            }
            serde_json::from_value(item).unwrap()
        };
        let objective = |metric: &str, outcome: &str| {
            serde_json::json!({"metric": metric, "value": "7", "target": "<5", "outcome": outcome,
                "message": "value '7' did not meet objective '<5'"})
        };
        let unmet = item(
            serde_json::json!({"objectives": [objective("a", "pass"), objective("b", "fail")]}),
        );
        assert_eq!(
            evaluation_failure(&unmet),
            "evaluation failed\nevaluation of 'b' failed with value: '7' and reason: 'value '7' did not meet objective '<5''"
        );
        let missing =
            item(serde_json::json!({"reason": "DefinitionNotFound", "message": "no such"}));
        assert_eq!(evaluation_failure(&missing), "evaluation failed\nno such");
    }
}
