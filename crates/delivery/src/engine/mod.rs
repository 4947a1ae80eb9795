//! The engine: what each hook does with a delivery.
//!
//! It can be killed at any point and run again: whatever has happened is in the ledger before the
//! next thing happens.

mod between;
mod decide;
mod events;
mod journal;
mod phase;
mod run;

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::ledger::Ledger;
use crate::ports::{
    CallCounter, Clock, Evaluator, EventSender, LedgerStore, StoreError, StoreVersion, TaskRunner,
    WorkloadWatcher,
};
use crate::{Outcome, Phase};
use stagelink_plan::Plan;

/// A hook of Argo CD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hook {
    /// Before anything is applied.
    PreSync,
    /// Once everything is healthy.
    PostSync,
    /// When the sync failed.
    SyncFail,
}

impl Hook {
    /// Argo CD's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PreSync => "PreSync",
            Self::PostSync => "PostSync",
            Self::SyncFail => "SyncFail",
        }
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How a hook knows which sync it belongs to: from the name and UID of its own Job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookIdentity {
    /// What is common to the names of the operation's Jobs: `<revision>-<start>`.
    pub operation: String,
    /// When the operation started, if that is known: its first attempt then began there.
    pub started_at: Option<Timestamp>,
    /// All operations of a revision have this name, so that an automatic retry cannot be told from
    /// another operation: both count as another.
    pub recurs: bool,
    /// UID of this hook's Job.
    pub job_uid: String,
}

/// What a user may ask of the engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Deliver although this content has already passed.
    pub again: bool,
    /// Let an automatic retry run again what failed.
    pub retry_failed: bool,
}

/// Told what happens, for people who watch.
pub trait Observer: Send + Sync {
    /// A phase begins; of a workload if one is named.
    fn phase_started(&self, phase: Phase, workload: Option<&str>) {
        let _ = (phase, workload);
    }
    /// A phase has ended.
    fn phase_ended(&self, phase: Phase, workload: Option<&str>, outcome: Outcome) {
        let _ = (phase, workload, outcome);
    }
    /// A task or an evaluation begins.
    fn item_started(&self, name: &str) {
        let _ = name;
    }
    /// A task or an evaluation has ended.
    fn item_ended(&self, name: &str, outcome: Outcome, message: &str) {
        let _ = (name, outcome, message);
    }
}

/// Nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {}

/// How a hook ended.
#[derive(Debug, Clone, PartialEq)]
pub struct HookEnd {
    /// What came of it; for PreSync of what runs before the sync.
    pub outcome: Outcome,
    /// In one line, why it is not a pass.
    pub reason: Option<String>,
    /// Number of the delivery.
    pub delivery: u64,
    /// Number of the attempt.
    pub attempt: u64,
    /// False if the answer was already known and nothing was run.
    pub ran: bool,
    /// What happened to the workloads since the attempt before, without a delivery; a line each.
    pub noticed: Vec<String>,
    /// The ledger afterwards.
    pub ledger: Ledger,
}

/// Why a hook could not be carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The ledger could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It was asked to stop; the attempt stays open and goes on when the hook runs again.
    #[error("interrupted; the delivery goes on when this hook runs again")]
    Interrupted,
    /// Another hook took over the delivery.
    #[error("another sync has taken over this delivery; what ran here does not count")]
    Superseded,
}

/// The engine with all that it needs from outside.
#[derive(Clone, Copy)]
pub struct Engine<'a> {
    /// Keeps the ledger.
    pub store: &'a dyn LedgerStore,
    /// Runs tasks.
    pub tasks: &'a dyn TaskRunner,
    /// Evaluates.
    pub evaluator: &'a dyn Evaluator,
    /// Watches workloads.
    pub workloads: &'a dyn WorkloadWatcher,
    /// Tells the time.
    pub clock: &'a dyn Clock,
    /// Told what happens.
    pub observer: &'a dyn Observer,
    /// Tells of it where the stage lives.
    pub events: &'a dyn EventSender,
    /// Counts what this costs the cluster.
    pub calls: &'a dyn CallCounter,
    /// What the user asked for.
    pub options: &'a Options,
}

impl fmt::Debug for Engine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Engine<'_> {
    /// Does what a hook has to do for a plan.
    ///
    /// # Errors
    /// [`EngineError`]; the ledger then holds all that happened until then, and running the hook
    /// again goes on from there.
    pub async fn run(
        &self,
        hook: Hook,
        plan: &Plan,
        identity: &HookIdentity,
        cancel: &CancellationToken,
    ) -> Result<HookEnd, EngineError> {
        let (ledger, version, numbers) = match self.begin(hook, plan, identity).await? {
            Beginning::Known(mut end) => {
                if hook == Hook::PreSync {
                    let changed = between::changed(&end.ledger, plan, None, self.workloads);
                    end.noticed = changed.await;
                }
                return Ok(*end);
            }
            Beginning::Work {
                ledger,
                version,
                numbers,
            } => (ledger, version, numbers),
        };
        let journal = journal::Journal::new(self.store, plan, ledger, version, numbers);
        let latest = journal.read(|_, attempt| attempt.latest());
        let behind = latest.map(|latest| latest.duration_since(self.clock.now()));
        let run = run::Run {
            engine: self,
            plan,
            journal: &journal,
            cancel,
            hook,
            behind: behind.unwrap_or_default().max(SignedDuration::ZERO),
        };
        let (outcome, reason) = match hook {
            Hook::PreSync => run.pre_sync().await?,
            Hook::PostSync => run.post_sync().await?,
            Hook::SyncFail => run.sync_fail().await?,
        };
        run.note_calls()?;
        journal.flush().await?;
        let (delivery, attempt) = numbers;
        Ok(HookEnd {
            outcome,
            reason,
            delivery,
            attempt,
            ran: true,
            noticed: run.noticed(),
            ledger: journal.into_ledger(),
        })
    }

    /// Finds or opens the attempt, and notes that this hook works on it. If somebody else writes in
    /// between, what is to be done may be something else.
    async fn begin(
        &self,
        hook: Hook,
        plan: &Plan,
        identity: &HookIdentity,
    ) -> Result<Beginning, EngineError> {
        for _ in 0..journal::TRIES {
            let (mut ledger, version) = self.store.load(plan).await?;
            let now = self.clock.now();
            let decision = decide::decide(&mut ledger, plan, hook, identity, self.options, now);
            let (delivery, attempt) = match decision {
                decide::Decision::Known {
                    delivery,
                    attempt,
                    outcome,
                    reason,
                } => {
                    return Ok(Beginning::Known(Box::new(HookEnd {
                        outcome,
                        reason,
                        delivery,
                        attempt,
                        ran: false,
                        noticed: Vec::new(),
                        ledger,
                    })));
                }
                decide::Decision::Work { delivery, attempt } => (delivery, attempt),
            };
            let unsent = ledger.compact();
            if !unsent.deliveries.is_empty() && self.store.spool(&unsent).await {
                ledger.note_spooled(&unsent);
            }
            match self.store.save(&ledger, &version).await {
                Ok(version) => {
                    return Ok(Beginning::Work {
                        ledger,
                        version,
                        numbers: (delivery, attempt),
                    });
                }
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Conflict.into())
    }
}

/// What a hook begins with.
enum Beginning {
    /// The answer.
    Known(Box<HookEnd>),
    /// The ledger, in which the attempt is open.
    Work {
        ledger: Ledger,
        version: StoreVersion,
        /// Of the delivery and the attempt.
        numbers: (u64, u64),
    },
}
