//! What the engine needs from outside, as traits; a cluster and a single machine each have a set.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use stagelink_keptn::{EvaluationDefinitionSpec, TaskDefinitionSpec};
use stagelink_plan::{Plan, TraceParent, Workload};
use tokio_util::sync::CancellationToken;

pub use crate::definitions::{Definition, DefinitionError, Definitions, NoDefinitions};
use crate::event::DeliveryEvent;
use crate::ledger::{ItemReport, Ledger, WorkloadRevision};
pub use crate::secrets::{NoSecrets, SecretError, SecretKey, SecretValue, Secrets};
use crate::{CheckType, Outcome};

/// Keeps the ledger. Writes are atomic: a reader sees the old or the new ledger, never half of one.
#[async_trait]
pub trait LedgerStore: Send + Sync {
    /// The ledger as it is now, made if there is none, and the version of what was read.
    ///
    /// # Errors
    /// [`StoreError`]; a ledger that cannot be read is never replaced by an empty one.
    async fn load(&self, plan: &Plan) -> Result<(Ledger, StoreVersion), StoreError>;

    /// Writes the ledger if nobody wrote since `version` was read; gives the new version.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody did, others if it cannot be written.
    async fn save(
        &self,
        ledger: &Ledger,
        version: &StoreVersion,
    ) -> Result<StoreVersion, StoreError>;

    /// Puts away attempts of which the ledger has no room for what happened, since somebody still has to
    /// take their spans; false if it cannot, and they are lost. That never decides a delivery, so there
    /// is no error.
    ///
    /// It is done before the ledger without them is saved, and again if that was not.
    async fn spool(&self, unsent: &Ledger) -> bool {
        let _ = unsent;
        false
    }

    /// What was put away, as a ledger of its own with nothing else in it.
    ///
    /// # Errors
    /// [`StoreError`]; it is still there.
    async fn spooled(&self, ledger: &Ledger) -> Result<Ledger, StoreError> {
        Ok(ledger.emptied())
    }

    /// Takes out attempts, by numbers of delivery and attempt: all of their spans were taken.
    ///
    /// # Errors
    /// [`StoreError`]; they are still there, to be sent once more.
    async fn unspool(&self, sent: &[(u64, u64)]) -> Result<(), StoreError> {
        let _ = sent;
        Ok(())
    }
}

/// Which write of the ledger was read (a ConfigMap's `resourceVersion`, or a digest of the file).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreVersion(pub String);

/// Why a ledger cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Somebody else wrote in between.
    #[error("the ledger was changed by somebody else in the meantime")]
    Conflict,
    /// Somebody else is at work with it.
    #[error(
        "the ledger {location} is in use by another delivery{}; wait until it has ended",
        by(.holder.as_deref())
    )]
    Locked {
        /// File or resource.
        location: String,
        /// Who that is, if it is known: for example `process 123`.
        holder: Option<String>,
    },
    /// It is not a ledger (any more).
    #[error(
        "the ledger {location} is damaged: {detail}; restore it, or move it away to start a new one"
    )]
    Damaged {
        /// File or resource.
        location: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A newer Stagelink wrote it.
    #[error("the ledger {location} has version {found}, newer than this program reads; update it")]
    Newer {
        /// File or resource.
        location: String,
        /// The version that was found.
        found: u32,
    },
    /// What one attempt tells is more than the place can hold.
    #[error(
        "the ledger {location} would have {size} bytes and may have {limit}; deliver fewer workloads and tasks by one app"
    )]
    TooLarge {
        /// File or resource.
        location: String,
        /// What it would have.
        size: usize,
        /// What it may have.
        limit: usize,
    },
    /// Reading or writing failed.
    #[error("the ledger {location} cannot be {action}")]
    Unavailable {
        /// File or resource.
        location: String,
        /// `read` or `written`.
        action: &'static str,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

fn by(holder: Option<&str>) -> String {
    holder.map_or_else(String::new, |holder| format!(" ({holder})"))
}

/// Runs tasks.
#[async_trait]
pub trait TaskRunner: Send + Sync {
    /// Runs a task to its end, or goes on with it if it is already running under this name.
    ///
    /// Timeout and retries of the definition are the runner's to keep. A runner never fails: what
    /// it could not do is an [`Outcome::Error`]. When `cancel` fires it stops the task and reports
    /// what it knows.
    async fn run(&self, task: &TaskRequest<'_>, cancel: &CancellationToken) -> ItemEnd;
}

/// A task to run.
#[derive(Debug)]
pub struct TaskRequest<'a> {
    /// The plan that names the task.
    pub plan: &'a Plan,
    /// Name of the task, unique and the same again for the same attempt; a Job is named after it.
    pub name: &'a str,
    /// Name of the definition.
    pub definition_name: &'a str,
    /// The definition if the plan has it; else the runner looks for it where its stage keeps them.
    pub definition: Option<&'a TaskDefinitionSpec>,
    /// Number of the delivery.
    pub delivery: u64,
    /// Number of the attempt.
    pub attempt: u64,
    /// When an earlier run of the hook began it, if one did: it may be running, or have ended unseen.
    pub begun_before: Option<Timestamp>,
    /// What the task is checked as.
    pub check_type: CheckType,
    /// The content of `KEPTN_CONTEXT`.
    pub context: KeptnContext,
    /// The span of the task's phase; also `TRACEPARENT` in the task's environment.
    pub trace_parent: TraceParent,
    /// Numbers and facts of the tasks of this attempt that have ended, by definition.
    pub reports: &'a BTreeMap<String, ItemReport>,
}

/// The content of `KEPTN_CONTEXT`, in Keptn's order of fields
/// (`apis/lifecycle/v1/keptntask_types.go`).
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KeptnContext {
    /// Name of the workload; empty for a task of the app.
    pub workload_name: String,
    /// Name of the app.
    pub app_name: String,
    /// Version of the app; empty for a task of a workload.
    pub app_version: String,
    /// Version of the workload; empty for a task of the app.
    pub workload_version: String,
    /// `pre`, `post` or `promotion`.
    pub task_type: String,
    /// `App` or `Workload`.
    pub object_type: String,
    /// The context's metadata and `traceparent`, the span of the phase.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// How a task or an evaluation ended.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemEnd {
    /// What came of it.
    pub outcome: Outcome,
    /// What it told.
    pub report: ItemReport,
}

/// Evaluates.
#[async_trait]
pub trait Evaluator: Send + Sync {
    /// Carries out an evaluation, with the retries of its definition. Like [`TaskRunner::run`] it
    /// never fails.
    async fn evaluate(
        &self,
        evaluation: &EvaluationRequest<'_>,
        cancel: &CancellationToken,
    ) -> ItemEnd;
}

/// An evaluation to carry out.
#[derive(Debug)]
pub struct EvaluationRequest<'a> {
    /// The plan that names the evaluation, with metrics and providers.
    pub plan: &'a Plan,
    /// Name of the evaluation.
    pub name: &'a str,
    /// Name of the definition.
    pub definition_name: &'a str,
    /// The definition if the plan has it; else the evaluator looks for it where its stage keeps them.
    pub definition: Option<&'a EvaluationDefinitionSpec>,
    /// Numbers of the tasks of this attempt that have ended, by definition.
    pub reports: &'a BTreeMap<String, ItemReport>,
}

/// Watches workloads become healthy.
#[async_trait]
pub trait WorkloadWatcher: Send + Sync {
    /// Waits until the workload has its version running and healthy, at most `timeout`. With none it is
    /// looked at once: [`Outcome::Fail`] then is one that was given up, and [`Outcome::Error`] one that
    /// is still under way.
    async fn wait_until_deployed(
        &self,
        workload: &Workload,
        timeout: Duration,
        cancel: &CancellationToken,
    ) -> WorkloadEnd;

    /// What the workload is now.
    async fn find(&self, workload: &Workload) -> Found {
        let _ = workload;
        Found::Unknown
    }
}

/// What a workload is before a sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// There, in this state.
    Revision(WorkloadRevision),
    /// Not there.
    Nothing,
    /// It cannot be told.
    Unknown,
}

/// How the deployment of a workload ended.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkloadEnd {
    /// What came of it.
    pub outcome: Outcome,
    /// When the change of the workload began, if that is known.
    pub started_at: Option<Timestamp>,
    /// When it became healthy or was given up, if that is known.
    pub ended_at: Option<Timestamp>,
    /// Replicas that it is to have, if that is known.
    pub replicas: Option<u32>,
    /// When the first replica of its version was ready, if that is known.
    pub first_ready_at: Option<Timestamp>,
    /// In one line, why it is not a pass.
    pub reason: Option<String>,
    /// What it was then, if that is known.
    pub revision: Option<WorkloadRevision>,
}

/// Counts what a hook asks the API server of its cluster for.
pub trait CallCounter: Send + Sync {
    /// Requests so far, each try of a repeated one too.
    fn calls(&self) -> u64;
}

/// There is no API server.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCalls;

impl CallCounter for NoCalls {
    fn calls(&self) -> u64 {
        0
    }
}

/// Tells of what happens where the stage lives, for example with events of its cluster.
///
/// It neither waits nor fails: what it cannot tell is lost, and the delivery goes on. A hook that was
/// killed and runs again tells some things again, which are the same by span and reason.
pub trait EventSender: Send + Sync {
    /// Takes an event, to be told as soon as can be.
    fn send(&self, event: DeliveryEvent);
}

/// Nobody is told.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoEvents;

impl EventSender for NoEvents {
    fn send(&self, _: DeliveryEvent) {}
}

/// Tells the time.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
