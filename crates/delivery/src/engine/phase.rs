//! Running one phase: its tasks or evaluations side by side, each noted before and after.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use stagelink_plan::Phases;
use tokio_util::sync::CancellationToken;

use super::EngineError;
use super::run::{Run, Scope, Verdict, definitions};
use crate::identity::SpanPath;
use crate::ledger::{Attempt, ItemRecord, ItemReport};
use crate::name::item_name;
use crate::ports::{EvaluationRequest, ItemEnd, KeptnContext, TaskRequest};
use crate::{Outcome, Phase, State};

impl Run<'_> {
    /// The verdict of a phase that has ended.
    pub(super) fn completed(&self, scope: Scope<'_>, phase: Phase) -> Option<Verdict> {
        let found = self.journal.read(|_, attempt| {
            let phases = match scope.0 {
                Some(workload) => {
                    &attempt
                        .workloads
                        .iter()
                        .find(|record| record.name == workload.name)?
                        .phases
                }
                None => &attempt.phases,
            };
            let record = phases.iter().find(|record| record.phase == phase)?;
            Some((record.outcome?, record.reason.clone()))
        });
        found.flatten()
    }

    /// Begins a phase; true if nobody had. It is saved with what comes next.
    pub(super) fn note_start(&self, scope: Scope<'_>, phase: Phase) -> Result<bool, EngineError> {
        let now = self.now();
        self.journal.note(|attempt| {
            let start = self.start_of(phase, attempt, now);
            let Some(record) = scope.record(attempt, phase) else {
                return false;
            };
            record.state = State::Progressing;
            let is_new = record.started_at.is_none();
            record.started_at.get_or_insert(start);
            is_new
        })
    }

    /// When a phase begins that begins now, for a hook. With nothing to run before the sync there is
    /// no PreSync hook, and the deployment began with the attempt, before any hook ran.
    fn start_of(&self, phase: Phase, attempt: &Attempt, now: Timestamp) -> Timestamp {
        let is_early = phase == Phase::AppDeploy || is_before_deployment(phase);
        if is_early && self.plan.starts_at_sync() {
            return attempt.started_at;
        }
        now
    }

    /// Ends a phase; in non-blocking mode a failure becomes a warning. It is saved with what comes
    /// next: its items, which are, would give the same verdict again.
    pub(super) fn end_phase(
        &self,
        scope: Scope<'_>,
        phase: Phase,
        verdict: &Verdict,
    ) -> Result<Verdict, EngineError> {
        let (mut outcome, reason) = verdict.clone();
        if !outcome.goes_on() && !self.plan.block_deployment {
            outcome = Outcome::Warn;
        }
        let now = self.now();
        let is_empty = self.journal.note(|attempt| {
            let start = self.start_of(phase, attempt, now);
            let Some(record) = scope.record(attempt, phase) else {
                return true;
            };
            record.started_at.get_or_insert(start);
            let is_empty = phase.check_type().is_some() && record.items.is_empty();
            let took_no_time = is_empty && is_before_deployment(phase);
            record
                .ended_at
                .get_or_insert(if took_no_time { start } else { now });
            record.outcome = Some(outcome);
            record.reason.clone_from(&reason);
            record.state = match outcome {
                Outcome::Pass => State::Succeeded,
                Outcome::Warn => State::Warning,
                _ => State::Failed,
            };
            is_empty
        })?;
        self.engine
            .observer
            .phase_ended(phase, scope.workload_name(), outcome);
        let verdict = (outcome, reason);
        if !is_empty {
            self.tell_end(scope, phase, &verdict);
        }
        Ok(verdict)
    }

    /// Runs the tasks or evaluations of a phase in parallel; the first failure decides.
    pub(super) async fn phase(
        &self,
        scope: Scope<'_>,
        phase: Phase,
        phases: &Phases,
    ) -> Result<Verdict, EngineError> {
        if let Some(verdict) = self.completed(scope, phase) {
            return Ok(verdict);
        }
        if self.cancel.is_cancelled() {
            return Err(EngineError::Interrupted);
        }
        let definitions = definitions(phases, phase);
        if definitions.is_empty() {
            return self.end_phase(scope, phase, &(Outcome::Pass, None));
        }
        self.engine
            .observer
            .phase_started(phase, scope.workload_name());
        self.tell_start(scope, phase);
        let (items, known) = self.start_items(scope, phase, definitions).await?;
        let verdict = self.items(scope, phase, items, known).await?;
        self.end_phase(scope, phase, &verdict)
    }

    /// Notes all items of a phase as begun, in one write; gives their records, and how many of them
    /// an earlier run of the hook had noted.
    async fn start_items(
        &self,
        scope: Scope<'_>,
        phase: Phase,
        definitions: &[String],
    ) -> Result<(Vec<ItemRecord>, usize), EngineError> {
        let now = self.now();
        let path = scope.path(phase);
        let check = phase.check_type().map_or("", |check| check.as_str());
        let names: Vec<String> = self
            .journal
            .read(|ledger, _| {
                let id = ledger.attempt_id(self.journal.delivery(), self.journal.attempt());
                definitions
                    .iter()
                    .enumerate()
                    .map(|(index, definition)| {
                        let suffix = id.name_suffix(&path.item(index, definition));
                        item_name(check, definition, suffix)
                    })
                    .collect()
            })
            .unwrap_or_default();
        self.journal
            .change(|attempt| {
                let Some(record) = scope.record(attempt, phase) else {
                    return (Vec::new(), 0);
                };
                record.started_at.get_or_insert(now);
                record.state = State::Progressing;
                let known = record.items.len();
                for (definition, name) in definitions.iter().zip(&names).skip(known) {
                    record.items.push(ItemRecord {
                        definition: definition.clone(),
                        name: name.clone(),
                        outcome: None,
                        started_at: now,
                        ended_at: None,
                        report: ItemReport::default(),
                    });
                }
                (record.items.clone(), known)
            })
            .await
    }

    async fn items(
        &self,
        scope: Scope<'_>,
        phase: Phase,
        items: Vec<ItemRecord>,
        known: usize,
    ) -> Result<Verdict, EngineError> {
        let mut verdict: Verdict = (Outcome::Pass, None);
        let reports = self.reports();
        let stop = self.cancel.child_token();
        let mut running = FuturesUnordered::new();
        for (index, item) in items.iter().enumerate() {
            match item.outcome {
                Some(outcome) => verdict = first_failure(verdict, outcome, item, &item.report),
                None => {
                    let begun_before = (index < known).then_some(item.started_at);
                    let run = (index, item, begun_before);
                    running.push(self.item(scope, phase, run, &reports, &stop));
                }
            }
        }
        if !verdict.0.goes_on() {
            stop.cancel();
        }
        while let Some(end) = running.next().await {
            let (index, end) = end?;
            verdict = first_failure(verdict, end.outcome, &items[index], &end.report);
            if !verdict.0.goes_on() {
                // Nobody waits for its siblings any more.
                stop.cancel();
            }
        }
        Ok(verdict)
    }

    /// Runs one item and notes its end.
    async fn item(
        &self,
        scope: Scope<'_>,
        phase: Phase,
        (index, item, begun_before): (usize, &ItemRecord, Option<Timestamp>),
        reports: &BTreeMap<String, ItemReport>,
        stop: &CancellationToken,
    ) -> Result<(usize, ItemEnd), EngineError> {
        self.engine.observer.item_started(&item.name);
        let is_evaluation = phase
            .check_type()
            .is_some_and(|check| check.is_evaluation());
        let end = if is_evaluation {
            let request = EvaluationRequest {
                plan: self.plan,
                name: &item.name,
                definition_name: &item.definition,
                definition: self.plan.evaluation_definitions.get(&item.definition),
                reports,
            };
            self.engine.evaluator.evaluate(&request, stop).await
        } else {
            let run = (item, begun_before);
            self.task(scope, phase, run, reports, stop).await?
        };
        // An item that was stopped because the hook must end is run again when the hook is.
        if self.cancel.is_cancelled() && !end.outcome.goes_on() {
            return Err(EngineError::Interrupted);
        }
        let now = self.now();
        let record = self
            .journal
            .change(|attempt| {
                let record = scope.record(attempt, phase)?.items.get_mut(index)?;
                record.outcome = Some(end.outcome);
                record.ended_at = Some(now);
                record.report = end.report.clone();
                Some(record.clone())
            })
            .await?;
        self.engine
            .observer
            .item_ended(&item.name, end.outcome, &end.report.message);
        if let Some(record) = record {
            self.tell_item(scope, phase, (index, &record));
        }
        Ok((index, end))
    }

    async fn task(
        &self,
        scope: Scope<'_>,
        phase: Phase,
        (item, begun_before): (&ItemRecord, Option<Timestamp>),
        reports: &BTreeMap<String, ItemReport>,
        stop: &CancellationToken,
    ) -> Result<ItemEnd, EngineError> {
        let Some(check_type) = phase.check_type() else {
            return Err(EngineError::Superseded);
        };
        let path = scope.path(phase);
        let Some(trace_parent) = self.journal.read(|ledger, _| {
            ledger
                .attempt_id(self.journal.delivery(), self.journal.attempt())
                .trace_parent(&path)
        }) else {
            return Err(EngineError::Superseded);
        };
        let plan = self.plan;
        let mut metadata = plan.metadata.clone();
        metadata.insert("traceparent".to_owned(), trace_parent.to_string());
        let mut context = KeptnContext {
            app_name: plan.app.clone(),
            task_type: check_type.as_str().to_owned(),
            metadata,
            ..KeptnContext::default()
        };
        match scope.0 {
            Some(workload) => {
                context.metadata.extend(workload.metadata.clone());
                context.object_type = "Workload".to_owned();
                context.workload_name = format!("{}-{}", plan.app, workload.name);
                context.workload_version.clone_from(&workload.version);
                context
                    .metadata
                    .insert("traceparent".to_owned(), trace_parent.to_string());
            }
            None => {
                context.object_type = "App".to_owned();
                context.app_version.clone_from(&plan.app_version);
            }
        }
        let request = TaskRequest {
            plan,
            name: &item.name,
            definition_name: &item.definition,
            definition: plan.task_definitions.get(&item.definition),
            delivery: self.journal.delivery(),
            attempt: self.journal.attempt(),
            begun_before,
            check_type,
            context,
            trace_parent,
            reports,
        };
        Ok(self.engine.tasks.run(&request, stop).await)
    }

    /// What the tasks of this attempt told, by definition.
    fn reports(&self) -> BTreeMap<String, ItemReport> {
        let reports = self.journal.read(|_, attempt| {
            attempt
                .all_phases()
                .flat_map(|record| &record.items)
                .filter(|item| item.outcome.is_some())
                .map(|item| (item.definition.clone(), item.report.clone()))
                .collect()
        });
        reports.unwrap_or_default()
    }
}

/// Where the span of an item stands.
pub(super) fn item_path(
    scope: Scope<'_>,
    phase: Phase,
    index: usize,
    item: &ItemRecord,
) -> SpanPath {
    scope.path(phase).item(index, &item.definition)
}

pub(super) fn is_before_deployment(phase: Phase) -> bool {
    matches!(
        phase,
        Phase::AppPreDeployTasks
            | Phase::AppPreDeployEvaluations
            | Phase::WorkloadPreDeployTasks
            | Phase::WorkloadPreDeployEvaluations
    )
}

/// The first item that does not go on decides; a warning stays one.
fn first_failure(
    verdict: Verdict,
    outcome: Outcome,
    item: &ItemRecord,
    report: &ItemReport,
) -> Verdict {
    if !verdict.0.goes_on() || outcome == Outcome::Pass {
        return verdict;
    }
    let why = if report.message.is_empty() {
        &report.reason
    } else {
        &report.message
    };
    let reason = if why.is_empty() {
        format!("{} did not pass", item.definition)
    } else if why.starts_with(&format!("{}: ", item.definition)) {
        // An evaluation's message begins with its metric, which often has the same name.
        why.clone()
    } else {
        format!("{}: {why}", item.definition)
    };
    if outcome.goes_on() && verdict.0 == Outcome::Warn {
        return verdict;
    }
    (outcome, Some(reason))
}
