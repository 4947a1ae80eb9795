//! Keptn's events of what a hook does.

use std::collections::BTreeMap;

use super::phase::item_path;
use super::run::{Run, Scope, Verdict};
use crate::event::{
    DeliveryEvent, EventObject, EventPhase, EventState, evaluation_failure, task_failure,
};
use crate::identity::SpanPath;
use crate::ledger::ItemRecord;
use crate::{Outcome, Phase, app_version_name, workload_name, workload_version_name};

/// What an item's report says when its definition is nowhere.
const DEFINITION_NOT_FOUND: &str = "DefinitionNotFound";

impl Run<'_> {
    /// A phase begins.
    pub(super) fn tell_start(&self, scope: Scope<'_>, phase: Phase) {
        let told = (EventPhase::Phase(phase), EventState::Started);
        let text = "has started".to_owned();
        self.tell(scope, &scope.path(phase), told, (text, false), []);
    }

    /// A phase has ended.
    pub(super) fn tell_end(&self, scope: Scope<'_>, phase: Phase, verdict: &Verdict) {
        self.tell_verdict(scope, &scope.path(phase), EventPhase::Phase(phase), verdict);
    }

    /// All of the app, or of a workload, has ended.
    pub(super) fn tell_completed(&self, scope: Scope<'_>, verdict: &Verdict) {
        let (path, phase) = match scope.workload_name() {
            Some(name) => (SpanPath::workload(name), EventPhase::WorkloadCompleted),
            None => (SpanPath::root(), EventPhase::AppCompleted),
        };
        self.tell_verdict(scope, &path, phase, verdict);
    }

    fn tell_verdict(
        &self,
        scope: Scope<'_>,
        path: &SpanPath,
        phase: EventPhase,
        (outcome, reason): &Verdict,
    ) {
        let (state, words) = match outcome {
            Outcome::Pass => (EventState::Finished, "has finished"),
            Outcome::Warn => (EventState::Finished, "has finished with a warning"),
            _ => (EventState::Failed, "has failed"),
        };
        let text = match reason.as_deref().filter(|_| *outcome != Outcome::Pass) {
            Some(reason) => format!("{words}: {reason}"),
            None => words.to_owned(),
        };
        let warning = *outcome != Outcome::Pass;
        self.tell(scope, path, (phase, state), (text, warning), []);
    }

    /// A task or an evaluation has ended. Only one that the delivery does not go on after is told of.
    pub(super) fn tell_item(
        &self,
        scope: Scope<'_>,
        phase: Phase,
        (index, item): (usize, &ItemRecord),
    ) {
        let is_evaluation = phase
            .check_type()
            .is_some_and(|check| check.is_evaluation());
        if item.outcome.is_none_or(Outcome::goes_on) {
            return;
        }
        let report = &item.report;
        let (about, state, text) = if is_evaluation {
            let text = evaluation_failure(item);
            (EventPhase::ReconcileEvaluation, EventState::Failed, text)
        } else if report.reason == DEFINITION_NOT_FOUND {
            let text = format!("could not find KeptnTaskDefinition: {}", item.definition);
            (EventPhase::CreateTask, EventState::NotFound, text)
        } else {
            let message = match (&*report.message, &*report.reason) {
                ("", reason) => reason,
                (message, _) => message,
            };
            let text = task_failure(&item.name, message);
            (EventPhase::ReconcileTask, EventState::Failed, text)
        };
        let (name, definition) = if is_evaluation {
            ("evaluationName", "evaluationDefinitionName")
        } else {
            ("taskName", "taskDefinitionName")
        };
        let names = [
            (name, item.name.as_str()),
            (definition, item.definition.as_str()),
        ];
        let path = item_path(scope, phase, index, item);
        self.tell(scope, &path, (about, state), (text, true), names);
    }

    fn tell<const N: usize>(
        &self,
        scope: Scope<'_>,
        path: &SpanPath,
        (phase, state): (EventPhase, EventState),
        (text, warning): (String, bool),
        names: [(&str, &str); N],
    ) {
        let (delivery, attempt) = (self.journal.delivery(), self.journal.attempt());
        let trace_parent = self
            .journal
            .read(|ledger, _| ledger.attempt_id(delivery, attempt).trace_parent(path));
        // Somebody else has taken over the delivery.
        let Some(trace_parent) = trace_parent else {
            return;
        };
        let mut object = self.object(scope, delivery);
        let names = names.map(|(key, text)| (key.to_owned(), text.to_owned()));
        object.annotations.extend(names);
        self.engine.events.send(DeliveryEvent {
            phase,
            state,
            text,
            warning,
            object,
            workload: scope.0.cloned(),
            at: self.now(),
            trace_parent,
        });
    }

    /// Keptn's resource for the app or a workload.
    fn object(&self, scope: Scope<'_>, delivery: u64) -> EventObject {
        let plan = self.plan;
        let app = ("appName", plan.app.clone());
        let (name, namespace, version, annotations) = match scope.0 {
            Some(workload) => {
                let version = &workload.version;
                let name = workload_version_name(&plan.app, &workload.name, version);
                let annotations = vec![
                    app,
                    ("workloadName", workload_name(&plan.app, &workload.name)),
                    ("workloadVersion", version.clone()),
                    ("workloadVersionName", name.clone()),
                ];
                (name, &workload.namespace, version, annotations)
            }
            None => {
                let version = &plan.app_version;
                let name = app_version_name(&plan.app, version, delivery);
                let annotations = vec![
                    app,
                    ("appVersion", version.clone()),
                    ("appVersionName", name.clone()),
                ];
                (name, &plan.namespace, version, annotations)
            }
        };
        let annotations = annotations.into_iter();
        EventObject {
            name,
            namespace: namespace.clone(),
            version: version.clone(),
            annotations: annotations
                .map(|(key, text)| (key.to_owned(), text))
                .collect::<BTreeMap<_, _>>(),
        }
    }
}
