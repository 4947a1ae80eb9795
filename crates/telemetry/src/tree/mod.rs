//! The span tree: a pure function of the ledger.
//!
//! Names, kind, attributes, events, statuses and links are Keptn's, as its operator makes them
//! (lifecycle-operator v2.0.0); OpenTelemetry's `cicd.*`, `vcs.*` and `deployment.*` and our own
//! `stagelink.*` stand beside them. Deliberate differences:
//!
//! - A phase that failed in non-blocking mode says so; Keptn marks it as succeeded.
//! - Every span is ended once its attempt is closed; Keptn never ends the root of a deprecated
//!   version, nor a task that nobody waits for any more.
//! - The hash in the root's name is that of the delivery's number, not of a generation.

mod phase;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use stagelink_delivery::identity::{AttemptId, SpanPath};
use stagelink_delivery::ledger::{
    Attempt, Delivery, Ledger, PhaseRecord, Relation, WorkloadRecord,
};
use stagelink_delivery::{Outcome, Phase, app_version_name, workload_name, workload_version_name};

use crate::conventions::{self as keys, result};
use crate::span::{Attributes, Event, Kind, Link, Span, Status};
use crate::vcs;

/// A span and its place in the tree.
#[derive(Debug, Clone, PartialEq)]
pub struct TreeSpan {
    /// Where it stands; the same in every attempt.
    pub path: SpanPath,
    /// The span.
    pub span: Span,
}

/// The spans of one attempt, each after its parent, open ones too.
pub fn span_tree(ledger: &Ledger, delivery: &Delivery, attempt: &Attempt) -> Vec<TreeSpan> {
    let mut tree = Tree {
        ledger,
        delivery,
        attempt,
        id: ledger.attempt_id(delivery.number, attempt.number),
        spans: Vec::new(),
    };
    tree.root();
    for record in &attempt.phases {
        tree.phase(&Owner::App, record);
        if record.phase == Phase::AppDeploy {
            for workload in &attempt.workloads {
                tree.workload(workload, record);
            }
        }
    }
    tree.spans
}

/// The spans of all attempts of a ledger, oldest first.
pub fn all_spans(ledger: &Ledger) -> Vec<Span> {
    ledger
        .deliveries
        .iter()
        .flat_map(|delivery| {
            delivery
                .attempts
                .iter()
                .flat_map(move |attempt| span_tree(ledger, delivery, attempt))
        })
        .map(|placed| placed.span)
        .collect()
}

struct Tree<'a> {
    ledger: &'a Ledger,
    delivery: &'a Delivery,
    attempt: &'a Attempt,
    id: AttemptId<'a>,
    spans: Vec<TreeSpan>,
}

/// What a phase belongs to.
enum Owner<'a> {
    App,
    Workload(&'a WorkloadRecord),
}

/// How a span ended, or that it did not.
struct End<'a> {
    at: Option<Timestamp>,
    outcome: Option<Outcome>,
    reason: &'a str,
}

impl<'a> Tree<'a> {
    fn root(&mut self) {
        let attempt = self.attempt;
        let name = app_version_name(
            &self.ledger.app,
            &self.delivery.app_version,
            self.delivery.number,
        );
        let end = End {
            at: attempt.ended_at,
            outcome: attempt.outcome.or(closed(attempt)),
            reason: attempt.reason.as_deref().unwrap_or_default(),
        };
        let mut attributes = self.app_attributes();
        attributes.set(keys::PIPELINE_NAME, self.pipeline());
        attributes.set(keys::PIPELINE_ACTION, "SYNC");
        attributes.set(
            keys::PIPELINE_RUN_ID,
            format!(
                "{}/{}.{}",
                self.ledger.id.0, self.delivery.number, attempt.number
            ),
        );
        if let (Some(_), Some(outcome)) = (end.at, end.outcome) {
            attributes.set(keys::PIPELINE_RESULT, result(outcome));
            if !outcome.goes_on() {
                attributes.set(keys::ERROR_TYPE, outcome.as_str());
            }
        }
        vcs::describe(attempt, &mut attributes);
        attributes.set(keys::DIGEST, self.delivery.digest.as_str());
        for (key, text) in [
            (keys::REVISION, attempt.revision.as_deref()),
            (keys::APPLICATION, Some(attempt.application.as_str())),
            (keys::OPERATION, Some(attempt.operation.name.as_str())),
            (keys::SOURCE_PATH, Some(attempt.source.path.as_str())),
        ] {
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                attributes.set(key, text);
            }
        }

        if !attempt.api_calls.is_empty() {
            attributes.set(keys::API_CALLS, attempt.api_calls.values().sum::<u64>());
        }
        for (hook, calls) in &attempt.api_calls {
            let key = format!("{}.{}", keys::API_CALLS, hook.to_lowercase());
            attributes.set(key, *calls);
        }

        let mut events = vec![event(
            attempt.started_at,
            "App Version Pre-Deployment Tasks started",
        )];
        for line in &attempt.noticed {
            let mut noticed = event(attempt.started_at, "Workload changed without a delivery");
            noticed.attributes.set(keys::REASON, line.as_str());
            events.push(noticed);
        }
        let status = finish(&name, &end, &mut events);
        let links = attempt
            .links
            .iter()
            .map(|link| Link {
                to: link.trace_parent,
                attributes: [
                    keys::LINK_TYPE,
                    (keys::LINK_RELATION, relation(link.relation)),
                ]
                .into_iter()
                .collect(),
            })
            .collect();
        self.add(
            SpanPath::root(),
            None,
            &Owner::App,
            name,
            attempt.started_at,
            &end,
            attributes,
            events,
            status,
        );
        if let Some(root) = self.spans.last_mut() {
            root.span.links = links;
        }
    }

    fn workload(&mut self, workload: &'a WorkloadRecord, deploy: &PhaseRecord) {
        let starts = workload.phases.iter().filter_map(|phase| phase.started_at);
        let Some(start) = starts.min() else {
            return;
        };
        let name = workload_version_name(&self.ledger.app, &workload.name, &workload.version);
        // Until its app is deployed, more phases may follow.
        let over = deploy.ended_at.or(self.attempt.ended_at);
        let ends: Vec<End<'_>> = workload
            .phases
            .iter()
            .filter(|phase| phase.started_at.is_some())
            .map(|phase| self.phase_end(phase))
            .collect();
        let worst = ends.iter().max_by_key(|end| end.outcome);
        let end = End {
            at: over.map(|over| ends.iter().filter_map(|end| end.at).max().unwrap_or(over)),
            outcome: over.and(worst.and_then(|end| end.outcome)),
            reason: worst.map_or("", |end| end.reason),
        };
        let mut events = vec![event(start, "WorkloadVersion Pre-Deployment Tasks started")];
        let status = finish(&name, &end, &mut events);
        let mut attributes = self.workload_attributes(workload);
        replicas(workload, &mut attributes);
        let owner = Owner::Workload(workload);
        self.add(
            SpanPath::workload(&workload.name),
            Some(SpanPath::phase(Phase::AppDeploy)),
            &owner,
            name,
            start,
            &end,
            attributes,
            events,
            status,
        );
        for phase in &workload.phases {
            self.phase(&owner, phase);
        }
    }

    fn app_attributes(&self) -> Attributes {
        [
            (keys::APP_NAME, &self.ledger.app),
            (keys::APP_VERSION, &self.delivery.app_version),
            (keys::APP_NAMESPACE, &self.ledger.namespace),
        ]
        .into_iter()
        .map(|(key, text)| (key, text.as_str()))
        .collect()
    }

    fn workload_attributes(&self, workload: &WorkloadRecord) -> Attributes {
        let name = workload_name(&self.ledger.app, &workload.name);
        [
            (keys::APP_NAME, self.ledger.app.as_str()),
            (keys::WORKLOAD_NAME, &name),
            (keys::WORKLOAD_VERSION, &workload.version),
            (keys::WORKLOAD_NAMESPACE, &self.ledger.namespace),
        ]
        .into_iter()
        .collect()
    }

    fn pipeline(&self) -> String {
        if self.attempt.application.is_empty() {
            format!("{}-{}", self.ledger.app, self.ledger.stage)
        } else {
            self.attempt.application.clone()
        }
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "these are the parts of a span, each made by the caller in its own way"
    )]
    fn add(
        &mut self,
        path: SpanPath,
        parent: Option<SpanPath>,
        owner: &Owner<'_>,
        name: String,
        start: Timestamp,
        end: &End<'_>,
        mut attributes: Attributes,
        events: Vec<Event>,
        status: Status,
    ) {
        attributes.set(keys::ENVIRONMENT, self.ledger.stage.as_str());
        attributes.set(keys::STAGE, self.ledger.stage.as_str());
        attributes.set(keys::DELIVERY, self.delivery.number);
        attributes.set(keys::ATTEMPT, self.attempt.number);
        if let Some(outcome) = end.outcome {
            attributes.set(keys::OUTCOME, outcome.as_str());
        }
        if !end.reason.is_empty() {
            attributes.set(keys::REASON, clip(end.reason));
        }
        // Metadata comes last and overrides, as in Keptn's span handler.
        for (key, value) in &self.attempt.metadata {
            attributes.set(key.as_str(), clip(value));
        }
        let mut scope = keys::APP_SCOPE;
        if let Owner::Workload(workload) = owner {
            scope = keys::WORKLOAD_SCOPE;
            for (key, value) in &workload.metadata {
                attributes.set(key.as_str(), clip(value));
            }
        }
        self.spans.push(TreeSpan {
            span: Span {
                trace_id: self.id.trace_id(),
                span_id: self.id.span_id(&path),
                parent: parent.map(|parent| self.id.span_id(&parent)),
                scope: scope.to_owned(),
                name,
                kind: Kind::Consumer,
                start,
                end: end.at.map(|at| at.max(start)),
                attributes,
                events,
                links: Vec::new(),
                status,
            },
            path,
        });
    }
}

/// What is known of a workload's replicas.
fn replicas(workload: &WorkloadRecord, attributes: &mut Attributes) {
    if let Some(replicas) = workload.replicas {
        attributes.set(keys::REPLICAS, u64::from(replicas));
    }
    if let Some(at) = workload.first_ready_at {
        attributes.set(keys::FIRST_READY, at.to_string());
    }
}

/// What a closed attempt without an outcome came to.
fn closed(attempt: &Attempt) -> Option<Outcome> {
    attempt.ended_at.map(|_| Outcome::Error)
}

/// Keptn's closing event and status of a root, a task or an evaluation.
fn finish(name: &str, end: &End<'_>, events: &mut Vec<Event>) -> Status {
    let (Some(at), Some(outcome)) = (end.at, end.outcome) else {
        return Status::Unset;
    };
    let passed = outcome.goes_on();
    let what = if passed { "has finished" } else { "has failed" };
    events.push(event(at, format!("{name} {what}")));
    status(passed)
}

fn status(passed: bool) -> Status {
    if passed {
        Status::Ok
    } else {
        Status::Error("Failed".to_owned())
    }
}

fn event(time: Timestamp, name: impl Into<String>) -> Event {
    Event {
        time,
        name: name.into(),
        attributes: Attributes::default(),
    }
}

fn relation(relation: Relation) -> &'static str {
    match relation {
        Relation::PreviousStage => "previous-stage",
        Relation::PreviousAttempt => "previous-attempt",
    }
}

/// Keeps texts that tasks told within what collectors take.
fn clip(text: &str) -> String {
    const MAX: usize = 4096;
    if text.len() <= MAX {
        return text.to_owned();
    }
    let mut end = MAX;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}
