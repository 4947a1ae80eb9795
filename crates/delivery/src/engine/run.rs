//! Running the phases of an attempt.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use stagelink_plan::{Phases, Plan, Workload};
use tokio_util::sync::CancellationToken;

use super::decide::close;
use super::journal::Journal;
use super::{Engine, EngineError};
use crate::identity::SpanPath;
use crate::ledger::{Attempt, ItemRecord, ItemReport, PhaseRecord, WorkloadRecord};
use crate::name::item_name;
use crate::ports::{EvaluationRequest, ItemEnd, KeptnContext, TaskRequest};
use crate::{Outcome, Phase, State};

/// What came of a phase or of all: an outcome, and why it is not a pass.
type Verdict = (Outcome, Option<String>);

/// One hook's work on one attempt.
pub(super) struct Run<'a> {
    pub(super) engine: &'a Engine<'a>,
    pub(super) plan: &'a Plan,
    pub(super) journal: &'a Journal<'a>,
    pub(super) cancel: &'a CancellationToken,
}

/// Whose phase it is: the app's, or a workload's.
#[derive(Clone, Copy)]
struct Scope<'a>(Option<&'a Workload>);

impl<'a> Scope<'a> {
    fn workload_name(self) -> Option<&'a str> {
        self.0.map(|workload| workload.name.as_str())
    }

    fn path(self, phase: Phase) -> SpanPath {
        match self.0 {
            Some(workload) => SpanPath::workload_phase(&workload.name, phase),
            None => SpanPath::phase(phase),
        }
    }

    /// The phase's record, made if there is none.
    fn record(self, attempt: &mut Attempt, phase: Phase) -> Option<&mut PhaseRecord> {
        let phases = match self.0 {
            Some(workload) => {
                let named = |record: &WorkloadRecord| record.name == workload.name;
                if !attempt.workloads.iter().any(named) {
                    attempt.workloads.push(WorkloadRecord {
                        name: workload.name.clone(),
                        version: workload.version.clone(),
                        metadata: workload.metadata.clone(),
                        phases: Vec::new(),
                    });
                }
                &mut attempt
                    .workloads
                    .iter_mut()
                    .find(|record| named(record))?
                    .phases
            }
            None => &mut attempt.phases,
        };
        if !phases.iter().any(|record| record.phase == phase) {
            phases.push(PhaseRecord {
                phase,
                state: State::Pending,
                outcome: None,
                started_at: None,
                ended_at: None,
                reason: None,
                items: Vec::new(),
            });
        }
        phases.iter_mut().find(|record| record.phase == phase)
    }
}

fn definitions(phases: &Phases, phase: Phase) -> &[String] {
    match phase {
        Phase::AppPreDeployTasks | Phase::WorkloadPreDeployTasks => &phases.pre_deployment_tasks,
        Phase::AppPreDeployEvaluations | Phase::WorkloadPreDeployEvaluations => {
            &phases.pre_deployment_evaluations
        }
        Phase::AppPostDeployTasks | Phase::WorkloadPostDeployTasks => &phases.post_deployment_tasks,
        Phase::AppPostDeployEvaluations | Phase::WorkloadPostDeployEvaluations => {
            &phases.post_deployment_evaluations
        }
        Phase::PromotionTasks => &phases.promotion_tasks,
        Phase::AppDeploy | Phase::WorkloadDeploy => &[],
    }
}

impl Run<'_> {
    // === the three hooks ===

    pub(super) async fn pre_sync(&self) -> Result<Verdict, EngineError> {
        let verdict = self.before_sync().await?;
        if !verdict.0.goes_on() {
            self.close(&verdict).await?;
        }
        Ok(verdict)
    }

    pub(super) async fn post_sync(&self) -> Result<Verdict, EngineError> {
        // Without a PreSync Job this is where the attempt begins; else all of it is known already.
        let before = self.before_sync().await?;
        if !before.0.goes_on() {
            self.close(&before).await?;
            return Ok(before);
        }
        let verdict = self.after_sync(before).await?;
        self.close(&verdict).await?;
        Ok(verdict)
    }

    pub(super) async fn sync_fail(&self) -> Result<Verdict, EngineError> {
        let failed = self.journal.read(|_, attempt| {
            attempt
                .failed_phase()
                .map(|record| (record.outcome, record.reason.clone()))
        });
        let verdict = match failed.flatten() {
            Some((Some(outcome), reason)) => (outcome, reason),
            _ => self.failed_deployment().await?,
        };
        self.close(&verdict).await?;
        Ok(verdict)
    }

    /// Why the sync failed although no check did: what the workloads say, else Argo CD knows.
    async fn failed_deployment(&self) -> Result<Verdict, EngineError> {
        self.start_deployment().await?;
        let ends = join_all(self.plan.workloads.iter().map(|workload| async move {
            let end = self
                .engine
                .workloads
                .wait_until_deployed(workload, Duration::ZERO, self.cancel)
                .await;
            (workload, end)
        }))
        .await;
        let mut verdict = (
            Outcome::Error,
            Some("the sync failed; the Application's operation says why".to_owned()),
        );
        let now = self.engine.clock.now();
        for (workload, end) in ends {
            if end.outcome.goes_on() {
                continue;
            }
            let reason = format!(
                "{} {} was not deployed: {}",
                workload.kind,
                workload.resource,
                end.reason.as_deref().unwrap_or("it did not become healthy")
            );
            self.journal
                .change(|attempt| {
                    let Some(record) = Scope(Some(workload)).record(attempt, Phase::WorkloadDeploy)
                    else {
                        return;
                    };
                    record.started_at = record.started_at.or(end.started_at).or(Some(now));
                    record.ended_at = end.ended_at.or(Some(now));
                    record.outcome = Some(end.outcome);
                    record.state = State::Failed;
                    record.reason = Some(reason.clone());
                })
                .await?;
            verdict = (end.outcome, Some(reason));
        }
        let scope = Scope(None);
        self.end_phase(scope, Phase::AppDeploy, &verdict).await?;
        Ok(verdict)
    }

    // === what runs before and after the sync ===

    async fn before_sync(&self) -> Result<Verdict, EngineError> {
        let app = Scope(None);
        let mut verdict = (Outcome::Pass, None);
        for phase in [Phase::AppPreDeployTasks, Phase::AppPreDeployEvaluations] {
            verdict = worse(verdict, self.phase(app, phase, &self.plan.phases).await?);
            if !verdict.0.goes_on() {
                return Ok(verdict);
            }
        }
        self.start_deployment().await?;
        let workloads = join_all(self.plan.workloads.iter().map(|workload| async move {
            let mut verdict = (Outcome::Pass, None);
            for phase in [
                Phase::WorkloadPreDeployTasks,
                Phase::WorkloadPreDeployEvaluations,
            ] {
                let scope = Scope(Some(workload));
                verdict = worse(verdict, self.phase(scope, phase, &workload.phases).await?);
                if !verdict.0.goes_on() {
                    break;
                }
            }
            Ok::<_, EngineError>(verdict)
        }))
        .await;
        for workload in workloads {
            verdict = worse(verdict, workload?);
        }
        if !verdict.0.goes_on() {
            self.end_phase(app, Phase::AppDeploy, &verdict).await?;
        }
        Ok(verdict)
    }

    async fn after_sync(&self, before: Verdict) -> Result<Verdict, EngineError> {
        let app = Scope(None);
        let mut verdict = before;
        if self.completed(app, Phase::AppDeploy).is_none() {
            let workloads = join_all(
                self.plan
                    .workloads
                    .iter()
                    .map(|workload| self.deploy(workload)),
            )
            .await;
            let mut deployment = (Outcome::Pass, None);
            for workload in workloads {
                deployment = worse(deployment, workload?);
            }
            let deployment = self.end_phase(app, Phase::AppDeploy, &deployment).await?;
            verdict = worse(verdict, deployment);
        } else if let Some(deployment) = self.completed(app, Phase::AppDeploy) {
            verdict = worse(verdict, deployment);
        }
        for phase in [
            Phase::AppPostDeployTasks,
            Phase::AppPostDeployEvaluations,
            Phase::PromotionTasks,
        ] {
            if !verdict.0.goes_on() {
                break;
            }
            verdict = worse(verdict, self.phase(app, phase, &self.plan.phases).await?);
        }
        Ok(verdict)
    }

    /// A workload becomes healthy, then what follows it is run.
    async fn deploy(&self, workload: &Workload) -> Result<Verdict, EngineError> {
        let scope = Scope(Some(workload));
        let mut verdict = match self.completed(scope, Phase::WorkloadDeploy) {
            Some(verdict) => verdict,
            None => self.wait_until_deployed(workload).await?,
        };
        for phase in [
            Phase::WorkloadPostDeployTasks,
            Phase::WorkloadPostDeployEvaluations,
        ] {
            if !verdict.0.goes_on() {
                break;
            }
            verdict = worse(verdict, self.phase(scope, phase, &workload.phases).await?);
        }
        Ok(verdict)
    }

    async fn wait_until_deployed(&self, workload: &Workload) -> Result<Verdict, EngineError> {
        let scope = Scope(Some(workload));
        let phase = Phase::WorkloadDeploy;
        self.engine
            .observer
            .phase_started(phase, Some(&workload.name));
        self.start_phase(scope, phase).await?;
        let end = self
            .engine
            .workloads
            .wait_until_deployed(workload, self.plan.observability_timeout, self.cancel)
            .await;
        if self.cancel.is_cancelled() {
            return Err(EngineError::Interrupted);
        }
        let reason = (end.outcome != Outcome::Pass).then(|| {
            let reason = end.reason.as_deref().unwrap_or("it did not become healthy");
            format!(
                "{} {} was not deployed: {reason}",
                workload.kind, workload.resource
            )
        });
        self.journal
            .change(|attempt| {
                let began = attempt.started_at;
                if let Some(record) = scope.record(attempt, phase) {
                    // The workload knows better when it began and ended, unless it was deployed
                    // before this attempt.
                    if let Some(started_at) = end.started_at.filter(|at| *at >= began) {
                        record.started_at = Some(started_at);
                    }
                    let after = record.started_at;
                    record.ended_at = end.ended_at.filter(|at| Some(*at) >= after);
                }
            })
            .await?;
        self.end_phase(scope, phase, &(end.outcome, reason)).await
    }

    async fn start_deployment(&self) -> Result<(), EngineError> {
        if self.completed(Scope(None), Phase::AppDeploy).is_none() {
            self.start_phase(Scope(None), Phase::AppDeploy).await?;
        }
        Ok(())
    }

    /// Closes the attempt: what was not reached will not be run any more.
    async fn close(&self, verdict: &Verdict) -> Result<(), EngineError> {
        let now = self.engine.clock.now();
        self.journal
            .change(|attempt| {
                close(attempt, now, verdict.0, verdict.1.clone());
                if verdict.0.goes_on() {
                    return;
                }
                for phase in Phase::APP {
                    if let Some(record) = Scope(None).record(attempt, phase)
                        && record.started_at.is_none()
                    {
                        record.state = State::Deprecated;
                    }
                }
            })
            .await
    }

    // === one phase ===

    /// The verdict of a phase that has ended.
    fn completed(&self, scope: Scope<'_>, phase: Phase) -> Option<Verdict> {
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

    async fn start_phase(&self, scope: Scope<'_>, phase: Phase) -> Result<(), EngineError> {
        let now = self.engine.clock.now();
        self.journal
            .change(|attempt| {
                if let Some(record) = scope.record(attempt, phase) {
                    record.started_at.get_or_insert(now);
                    record.state = State::Progressing;
                }
            })
            .await
    }

    /// Ends a phase; in non-blocking mode a failure becomes a warning.
    async fn end_phase(
        &self,
        scope: Scope<'_>,
        phase: Phase,
        verdict: &Verdict,
    ) -> Result<Verdict, EngineError> {
        let (mut outcome, reason) = verdict.clone();
        if !outcome.goes_on() && !self.plan.block_deployment {
            outcome = Outcome::Warn;
        }
        let now = self.engine.clock.now();
        self.journal
            .change(|attempt| {
                let Some(record) = scope.record(attempt, phase) else {
                    return;
                };
                record.started_at.get_or_insert(now);
                record.ended_at.get_or_insert(now);
                record.outcome = Some(outcome);
                record.reason.clone_from(&reason);
                record.state = match outcome {
                    Outcome::Pass => State::Succeeded,
                    Outcome::Warn => State::Warning,
                    _ => State::Failed,
                };
            })
            .await?;
        self.engine
            .observer
            .phase_ended(phase, scope.workload_name(), outcome);
        Ok((outcome, reason))
    }

    /// Runs the tasks or evaluations of a phase in parallel; the first failure decides.
    async fn phase(
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
            return self.end_phase(scope, phase, &(Outcome::Pass, None)).await;
        }
        self.engine
            .observer
            .phase_started(phase, scope.workload_name());
        let items = self.start_items(scope, phase, definitions).await?;
        let verdict = self.items(scope, phase, items).await?;
        self.end_phase(scope, phase, &verdict).await
    }

    /// Notes all items of a phase as begun, in one write; gives their records.
    async fn start_items(
        &self,
        scope: Scope<'_>,
        phase: Phase,
        definitions: &[String],
    ) -> Result<Vec<ItemRecord>, EngineError> {
        let now = self.engine.clock.now();
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
                    return Vec::new();
                };
                record.started_at.get_or_insert(now);
                record.state = State::Progressing;
                for (definition, name) in definitions.iter().zip(&names).skip(record.items.len()) {
                    record.items.push(ItemRecord {
                        definition: definition.clone(),
                        name: name.clone(),
                        outcome: None,
                        started_at: now,
                        ended_at: None,
                        report: ItemReport::default(),
                    });
                }
                record.items.clone()
            })
            .await
    }

    async fn items(
        &self,
        scope: Scope<'_>,
        phase: Phase,
        items: Vec<ItemRecord>,
    ) -> Result<Verdict, EngineError> {
        let mut verdict: Verdict = (Outcome::Pass, None);
        let reports = self.reports();
        let stop = self.cancel.child_token();
        let mut running = FuturesUnordered::new();
        for (index, item) in items.iter().enumerate() {
            match item.outcome {
                Some(outcome) => verdict = first_failure(verdict, outcome, item, &item.report),
                None => running.push(self.item(scope, phase, index, item, &reports, &stop)),
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
        index: usize,
        item: &ItemRecord,
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
            self.task(scope, phase, item, reports, stop).await?
        };
        // An item that was stopped because the hook must end is run again when the hook is.
        if self.cancel.is_cancelled() && !end.outcome.goes_on() {
            return Err(EngineError::Interrupted);
        }
        let now = self.engine.clock.now();
        self.journal
            .change(|attempt| {
                let record = scope.record(attempt, phase);
                if let Some(record) = record.and_then(|record| record.items.get_mut(index)) {
                    record.outcome = Some(end.outcome);
                    record.ended_at = Some(now);
                    record.report = end.report.clone();
                }
            })
            .await?;
        self.engine
            .observer
            .item_ended(&item.name, end.outcome, &end.report.message);
        Ok((index, end))
    }

    async fn task(
        &self,
        scope: Scope<'_>,
        phase: Phase,
        item: &ItemRecord,
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

/// The worse of two verdicts; the earlier one if they are equal.
fn worse(one: Verdict, other: Verdict) -> Verdict {
    if other.0 > one.0 { other } else { one }
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
