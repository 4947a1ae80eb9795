//! What each hook does with an attempt, phase by phase.

use std::time::Duration;

use futures::future::join_all;
use stagelink_plan::{Phases, Plan, Workload};
use tokio_util::sync::CancellationToken;

use super::decide::close;
use super::journal::Journal;
use super::{Engine, EngineError};
use crate::identity::SpanPath;
use crate::ledger::{Attempt, PhaseRecord, WorkloadRecord};
use crate::{Outcome, Phase, State};

/// What came of a phase or of all: an outcome, and why it is not a pass.
pub(super) type Verdict = (Outcome, Option<String>);

/// One hook's work on one attempt.
pub(super) struct Run<'a> {
    pub(super) engine: &'a Engine<'a>,
    pub(super) plan: &'a Plan,
    pub(super) journal: &'a Journal<'a>,
    pub(super) cancel: &'a CancellationToken,
}

/// Whose phase it is: the app's, or a workload's.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a>(pub(super) Option<&'a Workload>);

impl<'a> Scope<'a> {
    pub(super) fn workload_name(self) -> Option<&'a str> {
        self.0.map(|workload| workload.name.as_str())
    }

    pub(super) fn path(self, phase: Phase) -> SpanPath {
        match self.0 {
            Some(workload) => SpanPath::workload_phase(&workload.name, phase),
            None => SpanPath::phase(phase),
        }
    }

    /// The phase's record, made if there is none.
    pub(super) fn record(self, attempt: &mut Attempt, phase: Phase) -> Option<&mut PhaseRecord> {
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

pub(super) fn definitions(phases: &Phases, phase: Phase) -> &[String] {
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
        self.start_deployment()?;
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
        self.end_phase(scope, Phase::AppDeploy, &verdict)?;
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
        self.start_deployment()?;
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
            self.end_phase(app, Phase::AppDeploy, &verdict)?;
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
            let deployment = self.end_phase(app, Phase::AppDeploy, &deployment)?;
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
        self.note_start(scope, phase)?;
        self.journal.flush().await?;
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
        self.journal.note(|attempt| {
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
        })?;
        self.end_phase(scope, phase, &(end.outcome, reason))
    }

    fn start_deployment(&self) -> Result<(), EngineError> {
        if self.completed(Scope(None), Phase::AppDeploy).is_none() {
            self.note_start(Scope(None), Phase::AppDeploy)?;
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
}

/// The worse of two verdicts; the earlier one if they are equal.
fn worse(one: Verdict, other: Verdict) -> Verdict {
    if other.0 > one.0 { other } else { one }
}
