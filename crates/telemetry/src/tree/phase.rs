//! Spans of phases, and of the tasks and evaluations in them.

use stagelink_delivery::event::{objective_failure, task_failure};
use stagelink_delivery::identity::SpanPath;
use stagelink_delivery::ledger::{ItemRecord, PhaseRecord};
use stagelink_delivery::{Outcome, Phase, State, workload_name};

use super::{End, Owner, Tree, clip, event, finish, replicas, status};
use crate::conventions::{self as keys, result};
use crate::span::{Attributes, Status};

/// The reason of what was left open when its attempt was closed.
const GIVEN_UP: &str = "the delivery ended before this did";
/// Its cause, as `error.type`.
const CANCELLED: &str = "cancelled";

impl<'a> Tree<'a> {
    pub(super) fn phase(&mut self, owner: &Owner<'_>, record: &'a PhaseRecord) {
        // A phase that was given up before it began has no span, as in Keptn.
        let Some(start) = record.started_at else {
            return;
        };
        let name = record.phase.short_name();
        let (path, parent, name, mut attributes) = match owner {
            Owner::App => (
                SpanPath::phase(record.phase),
                SpanPath::root(),
                name.to_owned(),
                self.app_attributes(),
            ),
            Owner::Workload(workload) => (
                SpanPath::workload_phase(&workload.name, record.phase),
                SpanPath::workload(&workload.name),
                format!("{}/{name}", workload_name(&self.ledger.app, &workload.name)),
                self.workload_attributes(workload),
            ),
        };
        let end = self.phase_end(record);
        if let (Owner::Workload(workload), Phase::WorkloadDeploy) = (owner, record.phase) {
            replicas(workload, &mut attributes);
        }
        attributes.set(keys::PHASE, record.phase.short_name());
        if record.phase.check_type().is_none() {
            self.task_convention(
                &mut attributes,
                &name,
                path.as_str(),
                Some("deploy"),
                &end,
                "",
            );
        }
        let mut events = Vec::new();
        let status = match (end.at, end.outcome) {
            (Some(at), Some(outcome)) => {
                let passed = outcome == Outcome::Pass;
                let what = if passed {
                    "has succeeded"
                } else {
                    "has failed"
                };
                events.push(event(at, format!("{} {what}", record.phase.long_name())));
                status(passed)
            }
            _ => Status::Unset,
        };
        self.add(
            path.clone(),
            Some(parent),
            owner,
            name,
            start,
            &end,
            attributes,
            events,
            status,
        );
        for (index, item) in record.items.iter().enumerate() {
            self.item(owner, record, &path, index, item);
        }
    }

    fn item(
        &mut self,
        owner: &Owner<'_>,
        phase: &PhaseRecord,
        parent: &SpanPath,
        index: usize,
        item: &ItemRecord,
    ) {
        let Some(check) = phase.phase.check_type() else {
            return;
        };
        let path = parent.item(index, &item.definition);
        let (name_key, type_key) = if check.is_evaluation() {
            (keys::EVALUATION_NAME, keys::EVALUATION_TYPE)
        } else {
            (keys::TASK_NAME, keys::TASK_TYPE)
        };
        let (app_version, workload, workload_version) = match owner {
            Owner::App => (self.delivery.app_version.as_str(), String::new(), ""),
            Owner::Workload(workload) => (
                "",
                workload_name(&self.ledger.app, &workload.name),
                workload.version.as_str(),
            ),
        };
        let mut attributes: Attributes = [
            (keys::APP_NAME, self.ledger.app.as_str()),
            (keys::APP_VERSION, app_version),
            (keys::WORKLOAD_NAME, &workload),
            (keys::WORKLOAD_VERSION, workload_version),
            (name_key, &item.name),
            (type_key, check.as_str()),
        ]
        .into_iter()
        .collect();

        let ended_at = item.ended_at.filter(|_| item.outcome.is_some());
        let given_up = ended_at.is_none() && self.attempt.ended_at.is_some();
        let message = match (&*item.report.message, &*item.report.reason) {
            _ if given_up => GIVEN_UP,
            ("", reason) => reason,
            (message, _) => message,
        };
        let objectives = item
            .report
            .objectives
            .iter()
            .filter(|objective| !objective.outcome.goes_on());
        let outcome = item.outcome.or((given_up).then_some(Outcome::Error));
        let passed = outcome.is_none_or(|outcome| outcome == Outcome::Pass);
        // What an objective says is more than that there is one.
        let unmet: Vec<String> = objectives
            .clone()
            .map(|objective| format!("{}: {}", objective.metric, objective.message))
            .collect();
        let unmet = unmet.join("; ");
        let why = if unmet.is_empty() { message } else { &unmet };
        let end = End {
            at: ended_at
                .or_else(|| phase.ended_at.filter(|_| given_up))
                .or(self.attempt.ended_at),
            outcome,
            reason: if passed { "" } else { why },
        };
        attributes.set(keys::DEFINITION, item.definition.as_str());
        let cause = if given_up {
            CANCELLED
        } else {
            &item.report.reason
        };
        self.task_convention(
            &mut attributes,
            &item.definition,
            &item.name,
            check.is_evaluation().then_some("test"),
            &end,
            cause,
        );
        for (name, value) in &item.report.results {
            attributes.set(format!("{}{name}", keys::RESULT_PREFIX), *value);
        }
        for (index, objective) in item.report.objectives.iter().enumerate() {
            let mut key = format!("{}{}", keys::OBJECTIVE_PREFIX, objective.metric);
            // Two objectives may be on metrics of one name in two namespaces.
            if attributes.get(&key).is_some() {
                key = format!("{key}.{}", index + 1);
            }
            attributes.set(key, clip(&objective.message));
        }
        for (key, value) in &item.report.details {
            attributes.set_new(&format!("{}{key}", keys::DETAIL_PREFIX), clip(value));
        }

        let mut events = Vec::new();
        let status = finish(&item.name, &end, &mut events);
        if let (Some(at), Status::Error(_)) = (end.at, &status) {
            if check.is_evaluation() {
                events.extend(objectives.map(|objective| {
                    let text = objective_failure(objective, &clip(&objective.message));
                    event(at, text)
                }));
            } else {
                events.push(event(at, task_failure(&item.name, &clip(message))));
            }
        }
        self.add(
            path,
            Some(parent.clone()),
            owner,
            item.name.clone(),
            item.started_at,
            &end,
            attributes,
            events,
            status,
        );
    }

    pub(super) fn phase_end<'r>(&self, record: &'r PhaseRecord) -> End<'r> {
        let from_state = match record.state {
            State::Succeeded => Some(Outcome::Pass),
            State::Warning => Some(Outcome::Warn),
            State::Failed | State::Deprecated => Some(Outcome::Fail),
            State::Pending | State::Progressing | State::Unknown => None,
        };
        // When a phase ended may be known before how; until then it is open.
        let outcome = record.outcome.or(from_state);
        let ended_at = record.ended_at.filter(|_| outcome.is_some());
        let given_up = ended_at.is_none() && self.attempt.ended_at.is_some();
        End {
            at: ended_at.or(self.attempt.ended_at),
            outcome: outcome.or(given_up.then_some(Outcome::Error)),
            reason: match &record.reason {
                Some(reason) => reason,
                None if given_up => GIVEN_UP,
                None => "",
            },
        }
    }

    /// `cicd.pipeline.task.*`: the conventions' view of what is run in a delivery.
    fn task_convention(
        &self,
        attributes: &mut Attributes,
        name: &str,
        run: &str,
        kind: Option<&str>,
        end: &End<'_>,
        cause: &str,
    ) {
        attributes.set(keys::PIPELINE_NAME, self.pipeline());
        attributes.set(keys::PIPELINE_TASK_NAME, name);
        attributes.set(keys::PIPELINE_TASK_RUN_ID, run);
        if let Some(kind) = kind {
            attributes.set(keys::PIPELINE_TASK_TYPE, kind);
        }
        let (Some(_), Some(outcome)) = (end.at, end.outcome) else {
            return;
        };
        let result = match cause {
            CANCELLED => "cancellation",
            // The reason of a Job that ran out of time.
            "DeadlineExceeded" if !outcome.goes_on() => "timeout",
            _ => result(outcome),
        };
        attributes.set(keys::PIPELINE_TASK_RESULT, result);
        if !outcome.goes_on() {
            let identifier = !cause.is_empty()
                && cause.len() <= 64
                && cause.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            // The convention wants few different values, so no sentences.
            let error = if identifier { cause } else { outcome.as_str() };
            attributes.set(keys::ERROR_TYPE, error);
        }
    }
}
