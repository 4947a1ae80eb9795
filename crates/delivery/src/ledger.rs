//! The ledger: what has happened to an app's deliveries so far.
//!
//! It makes hooks restartable and carries what PreSync knows to PostSync. Every span of a trace
//! can be made from it, so nothing else needs to be kept for telemetry. It never holds a secret.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use stagelink_plan::{ContentDigest, Source, TraceParent};

use crate::identity::{AttemptId, LedgerId, SpanPath};
use crate::{Outcome, Phase, State};

/// The version of the serialised form that this crate writes, and the newest that it reads.
pub const LEDGER_VERSION: u32 = 1;

/// All deliveries of one app in one namespace, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    /// Version of the serialised form.
    pub version: u32,
    /// What this ledger is known by; traces are named after it.
    pub id: LedgerId,
    /// Name of the app.
    pub app: String,
    /// Name of the stage.
    pub stage: String,
    /// Namespace that the stage is deployed to.
    pub namespace: String,
    /// Attempts were put away with spans that somebody still has to take ([`LedgerStore::spool`]).
    ///
    /// [`LedgerStore::spool`]: crate::ports::LedgerStore::spool
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub spooled: bool,
    /// The deliveries, oldest first.
    pub deliveries: Vec<Delivery>,
}

/// One content of the app on its way through this stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// Number in this ledger, from 1.
    pub number: u64,
    /// The content.
    pub digest: ContentDigest,
    /// Version of the app.
    pub app_version: String,
    /// The attempts, oldest first; never empty.
    pub attempts: Vec<Attempt>,
}

/// One try at a delivery, with a trace of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// Number in the delivery, from 1.
    pub number: u64,
    /// The sync operation that this attempt belongs to.
    pub operation: Operation,
    /// The revision that was rendered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Where it came from.
    #[serde(default)]
    pub source: Source,
    /// Name of the Argo CD Application.
    pub application: String,
    /// Metadata for every span.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Links of the root span: earlier stages, and the attempt before this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; absent while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// What came of it; absent while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// In one line, why the outcome is not a pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What happened to the workloads since the attempt before, without a delivery; a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub noticed: Vec<String>,
    /// The phases that were reached, in order.
    #[serde(default)]
    pub phases: Vec<PhaseRecord>,
    /// The workloads, in the plan's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<WorkloadRecord>,
    /// What happened in it was put away with its spans; here is an outline.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub spooled: bool,
    /// By hook, requests to the cluster's API server until that hook noted its end.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub api_calls: BTreeMap<String, u64>,
    /// By the name of an exporter: paths of the spans that it has taken, none if it could not take any
    /// yet. The root is sent last, so its path stands for all.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub exported: BTreeMap<String, BTreeSet<SpanPath>>,
}

/// A sync operation of Argo CD, as a hook knows it from its own Job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// What is common to the names of the operation's Jobs: `<revision>-<start>`.
    pub name: String,
    /// UID of the Job, by hook (`PreSync`, `PostSync`, `SyncFail`). Another UID under the same
    /// operation name is an automatic retry.
    #[serde(default)]
    pub jobs: BTreeMap<String, String>,
}

/// A link of a root span.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// The span that is linked to.
    pub trace_parent: TraceParent,
    /// Why.
    pub relation: Relation,
}

/// Why a root span links to another span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    /// The promotion of the stage before led here.
    PreviousStage,
    /// An earlier attempt at the same delivery.
    PreviousAttempt,
}

/// A phase that was reached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PhaseRecord {
    /// Which phase.
    pub phase: Phase,
    /// Its state.
    #[serde(default)]
    pub state: State,
    /// What came of it; absent while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// When it began; absent for phases that were given up before they began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// In one line, why it is not a pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its tasks or evaluations, in the plan's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<ItemRecord>,
}

/// A workload of the attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadRecord {
    /// Name of the workload.
    pub name: String,
    /// Version of the workload.
    pub version: String,
    /// Metadata for its spans, over the app's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// What the attempt left, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<WorkloadRevision>,
    /// Replicas that it is to have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
    /// When the first replica of this version was ready, if that was in this attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_ready_at: Option<Timestamp>,
    /// The phases that were reached, in order.
    #[serde(default)]
    pub phases: Vec<PhaseRecord>,
}

/// Which of its states a workload is in: another one tells that somebody changed it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadRevision {
    /// UID of the resource; another one after it was deleted and made again.
    pub uid: String,
    /// Its rollout, as its controller counts or names them: a number that grows, or a hash. Empty if it
    /// does neither.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub rollout: String,
    /// What its pods are labelled with as their version, if they are.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
}

/// A task or an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemRecord {
    /// Name of the definition.
    pub definition: String,
    /// Name of the task or evaluation, `<check type>-<definition>-<five digits>` as in Keptn.
    pub name: String,
    /// What came of it; absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// What came of it.
    #[serde(flatten)]
    pub report: ItemReport,
}

/// What a task or an evaluation told when it ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ItemReport {
    /// Short cause of a failure, for example `DeadlineExceeded` (Keptn: a Job's reason).
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// In one line, what happened.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Numbers that a task measured, by name; the embedded metrics provider answers from them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub results: BTreeMap<String, f64>,
    /// Other facts, for example a promotion's branch, commit and URL; they become attributes
    /// `stagelink.<key>` of the span.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
    /// An evaluation's objectives, in the definition's order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub objectives: Vec<ObjectiveRecord>,
}

/// One objective of an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectiveRecord {
    /// Name of the metric.
    pub metric: String,
    /// The value as text; empty if there was none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// The target, for example `<500`.
    pub target: String,
    /// What came of it.
    pub outcome: Outcome,
    /// Keptn's message, for example `value '7' met objective '<500'`.
    pub message: String,
}

impl Ledger {
    /// A ledger without deliveries.
    pub fn new(id: LedgerId, app: &str, stage: &str, namespace: &str) -> Self {
        Self {
            version: LEDGER_VERSION,
            id,
            app: app.to_owned(),
            stage: stage.to_owned(),
            namespace: namespace.to_owned(),
            spooled: false,
            deliveries: Vec::new(),
        }
    }

    /// A ledger of the same app and identity, and no deliveries.
    pub fn emptied(&self) -> Self {
        Self::new(self.id.clone(), &self.app, &self.stage, &self.namespace)
    }

    /// The numbers of each delivery and attempt, oldest first.
    pub fn numbers(&self) -> impl Iterator<Item = (u64, u64)> {
        self.deliveries.iter().flat_map(|delivery| {
            let attempts = delivery.attempts.iter();
            attempts.map(|attempt| (delivery.number, attempt.number))
        })
    }

    /// Notes that these attempts were put away.
    pub fn note_spooled(&mut self, unsent: &Self) {
        for (delivery, attempt) in unsent.numbers() {
            self.spooled = true;
            if let Some(attempt) = self.attempt_mut(delivery, attempt) {
                attempt.spooled = true;
            }
        }
    }

    /// The identity of an attempt, which names its trace and spans.
    pub fn attempt_id(&self, delivery: u64, attempt: u64) -> AttemptId<'_> {
        AttemptId {
            ledger: &self.id,
            delivery,
            attempt,
        }
    }

    /// An attempt by its numbers.
    pub fn attempt(&self, delivery: u64, attempt: u64) -> Option<&Attempt> {
        let delivery = self
            .deliveries
            .iter()
            .find(|candidate| candidate.number == delivery)?;
        delivery
            .attempts
            .iter()
            .find(|candidate| candidate.number == attempt)
    }

    /// An attempt by its numbers, for changing.
    pub fn attempt_mut(&mut self, delivery: u64, attempt: u64) -> Option<&mut Attempt> {
        let delivery = self
            .deliveries
            .iter_mut()
            .find(|candidate| candidate.number == delivery)?;
        delivery
            .attempts
            .iter_mut()
            .find(|candidate| candidate.number == attempt)
    }
}

impl Attempt {
    /// The latest time in it.
    pub fn latest(&self) -> Timestamp {
        let items = self.all_phases().flat_map(|phase| &phase.items);
        let items = items.flat_map(|item| [Some(item.started_at), item.ended_at]);
        let phases = self
            .all_phases()
            .flat_map(|phase| [phase.started_at, phase.ended_at]);
        let times = items.chain(phases).flatten().chain(self.ended_at);
        times.fold(self.started_at, Timestamp::max)
    }

    /// All phases, the app's and the workloads'.
    pub fn all_phases(&self) -> impl Iterator<Item = &PhaseRecord> {
        self.phases
            .iter()
            .chain(self.workloads.iter().flat_map(|workload| &workload.phases))
    }

    /// The phase that stopped the attempt: the innermost one that did not go on.
    pub fn failed_phase(&self) -> Option<&PhaseRecord> {
        let failed =
            |record: &&PhaseRecord| record.outcome.is_some_and(|outcome| !outcome.goes_on());
        let workload = self
            .workloads
            .iter()
            .flat_map(|workload| &workload.phases)
            .find(failed);
        workload.or_else(|| self.phases.iter().find(failed))
    }
}
