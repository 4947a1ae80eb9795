//! What each hook does with an attempt, phase by phase.

use std::time::Duration;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use stagelink_plan::{Phases, Plan, Workload};
use tokio_util::sync::CancellationToken;

use super::between;
use super::decide::close;
use super::journal::Journal;
use super::{Engine, EngineError, Hook};
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
    pub(super) hook: Hook,
    /// How far this machine's clock is behind those of the hooks before.
    pub(super) behind: SignedDuration,
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
            Some(workload) => &mut workload_record(attempt, workload)?.phases,
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

/// A workload's record, made if there is none.
fn workload_record<'a>(
    attempt: &'a mut Attempt,
    workload: &Workload,
) -> Option<&'a mut WorkloadRecord> {
    let named = |record: &WorkloadRecord| record.name == workload.name;
    if !attempt.workloads.iter().any(named) {
        attempt.workloads.push(WorkloadRecord {
            name: workload.name.clone(),
            version: workload.version.clone(),
            metadata: workload.metadata.clone(),
            revision: None,
            replicas: None,
            first_ready_at: None,
            phases: Vec::new(),
        });
    }
    attempt.workloads.iter_mut().find(|record| named(record))
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
    /// The time in this attempt. Hooks run on machines whose clocks differ, and yet nothing in a trace ends
    /// before it began, and what comes later begins later.
    pub(super) fn now(&self) -> Timestamp {
        let now = self.engine.clock.now();
        let now = now.checked_add(self.behind).unwrap_or(now);
        let latest = self.journal.read(|_, attempt| attempt.latest());
        latest.map_or(now, |latest| latest.max(now))
    }

    // === the three hooks ===

    pub(super) async fn pre_sync(&self) -> Result<Verdict, EngineError> {
        self.notice().await?;
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
        let unknown = "the sync failed; the Application's operation says why";
        let mut verdict = (Outcome::Error, Some(unknown.to_owned()));
        let now = self.now();
        for (workload, end) in ends {
            if let Some(revision) = end.revision {
                self.journal.note(|attempt| {
                    if let Some(record) = workload_record(attempt, workload) {
                        record.revision = Some(revision);
                    }
                })?;
            }
            if end.outcome.goes_on() {
                continue;
            }
            let (kind, name) = (&workload.kind, &workload.resource);
            let why = end.reason.as_deref().unwrap_or("it did not become healthy");
            // Argo CD waits for what is under way: it is not that which failed the sync.
            let reason = if end.outcome == Outcome::Fail {
                format!("{kind} {name} was not deployed: {why}")
            } else {
                format!("{unknown}. {kind} {name} was not deployed yet: {why}")
            };
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
            let failed = (end.outcome, Some(reason));
            let scope = Scope(Some(workload));
            self.tell_end(scope, Phase::WorkloadDeploy, &failed);
            self.tell_completed(scope, &failed);
            if failed.0 >= verdict.0 {
                verdict = failed;
            }
        }
        let scope = Scope(None);
        self.end_phase(scope, Phase::AppDeploy, &verdict)?;
        Ok(verdict)
    }

    // === what runs before and after the sync ===

    /// Notes what happened to the workloads since the attempt before, while nothing is applied yet.
    async fn notice(&self) -> Result<(), EngineError> {
        let numbers = (self.journal.delivery(), self.journal.attempt());
        let Some(ledger) = self.journal.read(|ledger, _| ledger.clone()) else {
            return Ok(());
        };
        let workloads = self.engine.workloads;
        let changed = between::changed(&ledger, self.plan, Some(numbers), workloads).await;
        if changed.is_empty() {
            return Ok(());
        }
        self.journal.note(|attempt| attempt.noticed = changed)
    }

    /// What this attempt has noticed.
    pub(super) fn noticed(&self) -> Vec<String> {
        let noticed = self.journal.read(|_, attempt| attempt.noticed.clone());
        noticed.unwrap_or_default()
    }

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
                    self.tell_completed(scope, &verdict);
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
        self.tell_completed(scope, &verdict);
        Ok(verdict)
    }

    async fn wait_until_deployed(&self, workload: &Workload) -> Result<Verdict, EngineError> {
        let scope = Scope(Some(workload));
        let phase = Phase::WorkloadDeploy;
        self.engine
            .observer
            .phase_started(phase, Some(&workload.name));
        self.note_start(scope, phase)?;
        self.tell_start(scope, phase);
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
            let deployment = Scope(None).record(attempt, Phase::AppDeploy);
            let deployment = deployment.and_then(|record| record.started_at);
            if let Some(record) = workload_record(attempt, workload) {
                record.revision = end.revision;
                record.replicas = end.replicas;
                // Kubernetes keeps whole seconds. What was ready before has not changed now.
                let is_new = |at: &Timestamp| at.as_second() >= began.as_second();
                record.first_ready_at = end.first_ready_at.filter(is_new);
            }
            if let Some(record) = scope.record(attempt, phase) {
                // The workload knows better when it began and ended, unless it was deployed
                // before this attempt; but for what is left out of whole seconds.
                if let Some(started_at) = end.started_at.filter(|at| *at >= began) {
                    record.started_at = Some(started_at).max(deployment);
                }
                let after = record.started_at;
                record.ended_at = end.ended_at.filter(|at| Some(*at) >= after);
            }
        })?;
        self.end_phase(scope, phase, &(end.outcome, reason))
    }

    fn start_deployment(&self) -> Result<(), EngineError> {
        if self.completed(Scope(None), Phase::AppDeploy).is_none() {
            let app = Scope(None);
            if self.note_start(app, Phase::AppDeploy)? {
                self.tell_start(app, Phase::AppDeploy);
            }
        }
        Ok(())
    }

    /// Notes what this hook has cost the cluster, unless it has closed the attempt and noted it there.
    pub(super) fn note_calls(&self) -> Result<(), EngineError> {
        let is_closed = self.journal.read(|_, attempt| attempt.ended_at.is_some());
        if is_closed != Some(false) {
            return Ok(());
        }
        self.journal.note(|attempt| self.count_calls(attempt))
    }

    /// Adds this hook's requests, with the one that saves them.
    fn count_calls(&self, attempt: &mut Attempt) {
        let calls = self.engine.calls.calls();
        if calls > 0 {
            let hook = self.hook.as_str().to_owned();
            *attempt.api_calls.entry(hook).or_default() += calls + 1;
        }
    }

    /// Closes the attempt: what was not reached will not be run any more.
    async fn close(&self, verdict: &Verdict) -> Result<(), EngineError> {
        let now = self.now();
        self.journal
            .change(|attempt| {
                close(attempt, now, verdict.0, verdict.1.clone());
                self.count_calls(attempt);
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
            .await?;
        self.tell_completed(Scope(None), verdict);
        Ok(())
    }
}

/// The worse of two verdicts; the earlier one if they are equal.
fn worse(one: Verdict, other: Verdict) -> Verdict {
    if other.0 > one.0 { other } else { one }
}
