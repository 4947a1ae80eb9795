//! Everything outside of the engine, in memory, and syncs as Argo CD makes them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};
use stagelink_delivery::Outcome;
use stagelink_delivery::engine::{
    Engine, EngineError, Hook, HookEnd, HookIdentity, Options, Unobserved,
};
use stagelink_delivery::event::DeliveryEvent;
use stagelink_delivery::identity::LedgerId;
use stagelink_delivery::ledger::{ItemReport, Ledger};
use stagelink_delivery::ports::{
    CallCounter, Clock, EvaluationRequest, Evaluator, EventSender, Found, ItemEnd, LedgerStore,
    StoreError, StoreVersion, TaskRequest, TaskRunner, WorkloadEnd, WorkloadWatcher,
};
use stagelink_plan::{Plan, Workload};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Everything outside of the engine, in memory.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) ledger: Mutex<Option<(Ledger, u64)>>,
    /// What a definition's task or evaluation comes to; pass if it is not named.
    pub(crate) outcomes: Mutex<BTreeMap<String, Outcome>>,
    /// What was run, in order: `<name>` when it ended.
    pub(crate) ran: Mutex<Vec<String>>,
    pub(crate) contexts: Mutex<Vec<Value>>,
    /// Of each task that was run, in order, whether an earlier run of the hook had begun it.
    pub(crate) begun_before: Mutex<Vec<(String, bool)>>,
    pub(crate) time: Mutex<i64>,
    /// The process dies at this save, counted down; before or after it is written.
    pub(crate) dies_at_save: Mutex<Option<(usize, bool)>>,
    pub(crate) died: Notify,
    /// So many times somebody else writes between a load and a save.
    pub(crate) written_by_others: Mutex<u64>,
    /// Tasks of this name wait until they are cancelled.
    pub(crate) hangs: Mutex<Option<String>>,
    /// What tasks that do not pass say, if not the usual.
    pub(crate) message: Mutex<String>,
    /// When the sync operation started, as its Jobs' names say.
    pub(crate) operation_start: Mutex<Option<Timestamp>>,
    /// When workloads began to change, and were done.
    pub(crate) deployment: Mutex<Option<(Timestamp, Timestamp)>>,
    /// What workloads are, by the name of the resource; unknown if it is not named.
    pub(crate) found: Mutex<BTreeMap<String, Found>>,
    /// Requests that were made so far.
    pub(crate) calls: Mutex<u64>,
    /// When the first replica of each workload was ready.
    pub(crate) first_ready: Mutex<Option<Timestamp>>,
    /// What was told, in order.
    pub(crate) events: Mutex<Vec<DeliveryEvent>>,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub(crate) fn outcome(&self, definition: &str, outcome: Outcome) {
        lock(&self.outcomes).insert(definition.to_owned(), outcome);
    }

    pub(crate) fn ran(&self) -> Vec<String> {
        lock(&self.ran).clone()
    }

    pub(crate) fn ledger(&self) -> Ledger {
        lock(&self.ledger)
            .clone()
            .map(|(ledger, _)| ledger)
            .unwrap_or_else(|| Ledger::new(LedgerId("none".to_owned()), "", "", ""))
    }

    pub(crate) async fn die(&self) {
        self.died.notify_one();
        std::future::pending::<()>().await;
    }

    pub(crate) async fn end(
        &self,
        name: &str,
        definition: &str,
        cancel: &CancellationToken,
    ) -> ItemEnd {
        let hangs = lock(&self.hangs).as_deref() == Some(definition);
        if hangs {
            cancel.cancelled().await;
            return ItemEnd {
                outcome: Outcome::Error,
                report: ItemReport {
                    message: "stopped".to_owned(),
                    ..ItemReport::default()
                },
            };
        }
        // Of two that run side by side, the one with the longer name ends later.
        for _ in 0..definition.len() {
            tokio::task::yield_now().await;
        }
        lock(&self.ran).push(name.to_owned());
        let outcome = lock(&self.outcomes)
            .get(definition)
            .copied()
            .unwrap_or(Outcome::Pass);
        let other = lock(&self.message).clone();
        let message = match outcome {
            Outcome::Pass => "",
            _ if other.is_empty() => "as the test wants it",
            _ => &other,
        };
        ItemEnd {
            outcome,
            report: ItemReport {
                message: message.to_owned(),
                ..ItemReport::default()
            },
        }
    }
}

#[async_trait]
impl LedgerStore for World {
    async fn load(&self, plan: &Plan) -> Result<(Ledger, StoreVersion), StoreError> {
        let mut stored = lock(&self.ledger);
        let (ledger, version) = stored.get_or_insert_with(|| {
            let id = LedgerId("test".to_owned());
            (Ledger::new(id, &plan.app, &plan.stage, &plan.namespace), 0)
        });
        Ok((ledger.clone(), StoreVersion(version.to_string())))
    }

    async fn save(
        &self,
        ledger: &Ledger,
        version: &StoreVersion,
    ) -> Result<StoreVersion, StoreError> {
        let dies = {
            let mut at = lock(&self.dies_at_save);
            match at.as_mut() {
                Some((0, after)) => Some(*after),
                Some((left, _)) => {
                    *left -= 1;
                    None
                }
                None => None,
            }
        };
        if dies == Some(false) {
            self.die().await;
        }
        let written = {
            let mut stored = lock(&self.ledger);
            let mut others = lock(&self.written_by_others);
            if let Some((_, version)) = stored.as_mut().filter(|_| *others > 0) {
                *others -= 1;
                *version += 1;
            }
            let current = stored.as_ref().map_or(0, |(_, version)| *version);
            if version.0 != current.to_string() {
                return Err(StoreError::Conflict);
            }
            *stored = Some((ledger.clone(), current + 1));
            StoreVersion((current + 1).to_string())
        };
        if dies == Some(true) {
            self.die().await;
        }
        Ok(written)
    }
}

#[async_trait]
impl TaskRunner for World {
    async fn run(&self, task: &TaskRequest<'_>, cancel: &CancellationToken) -> ItemEnd {
        lock(&self.contexts).push(serde_json::to_value(&task.context).unwrap_or_default());
        let begun = (task.definition_name.to_owned(), task.begun_before.is_some());
        lock(&self.begun_before).push(begun);
        self.end(task.name, task.definition_name, cancel).await
    }
}

#[async_trait]
impl Evaluator for World {
    async fn evaluate(
        &self,
        evaluation: &EvaluationRequest<'_>,
        cancel: &CancellationToken,
    ) -> ItemEnd {
        self.end(evaluation.name, evaluation.definition_name, cancel)
            .await
    }
}

#[async_trait]
impl WorkloadWatcher for World {
    async fn wait_until_deployed(
        &self,
        workload: &Workload,
        _: Duration,
        _: &CancellationToken,
    ) -> WorkloadEnd {
        let outcome = lock(&self.outcomes)
            .get(&workload.resource)
            .copied()
            .unwrap_or(Outcome::Pass);
        let reason = (outcome != Outcome::Pass).then(|| "no replica is ready".to_owned());
        let times = *lock(&self.deployment);
        WorkloadEnd {
            outcome,
            started_at: times.map(|times| times.0),
            ended_at: times.map(|times| times.1),
            replicas: Some(3),
            first_ready_at: *lock(&self.first_ready),
            reason,
            revision: match lock(&self.found).get(&workload.resource) {
                Some(Found::Revision(revision)) => Some(revision.clone()),
                _ => None,
            },
        }
    }

    async fn find(&self, workload: &Workload) -> Found {
        let found = lock(&self.found);
        found
            .get(&workload.resource)
            .cloned()
            .unwrap_or(Found::Unknown)
    }
}

impl EventSender for World {
    fn send(&self, event: DeliveryEvent) {
        lock(&self.events).push(event);
    }
}

impl CallCounter for World {
    fn calls(&self) -> u64 {
        *lock(&self.calls)
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        let mut time = lock(&self.time);
        *time += 1;
        Timestamp::from_second(1_700_000_000 + *time).unwrap_or_default()
    }
}

pub(crate) fn plan(content: &str) -> Plan {
    let plan = json!({
        "version": 1,
        "app": "shop",
        "appVersion": content,
        "stage": "dev",
        "application": "shop-dev",
        "namespace": "shop",
        "revision": format!("{content}-revision"),
        "digest": format!("sha256:{content}"),
        "metadata": {"commitID": "c0ffee"},
        "links": ["00-c088f5c586bab8649159ccc39a9862f7-f862289833f1fba3-01"],
        "phases": {
            "preDeploymentTasks": ["check"],
            "preDeploymentEvaluations": ["budget"],
            "postDeploymentTasks": ["load", "load-backend"],
            "postDeploymentEvaluations": ["speed"],
            "promotionTasks": ["promote"],
        },
        "workloads": [{
            "name": "web", "version": "v1", "kind": "Deployment", "resource": "web",
            "namespace": "shop",
            "phases": {"preDeploymentTasks": ["warm"], "postDeploymentTasks": ["watch"]},
        }],
    });
    Plan::from_json(&plan.to_string()).expect("the test's plan is a plan")
}

pub(crate) fn identity(operation: &str, hook: Hook, uid: &str) -> HookIdentity {
    HookIdentity {
        operation: operation.to_owned(),
        started_at: None,
        // As the plugin names what Argo CD cannot name.
        recurs: operation.ends_with("-0"),
        job_uid: format!("{hook}-{uid}"),
    }
}

pub(crate) struct Call<'a> {
    pub(crate) world: &'a World,
    pub(crate) options: Options,
    pub(crate) cancel: CancellationToken,
}

impl<'a> Call<'a> {
    pub(crate) fn new(world: &'a World) -> Self {
        Self {
            world,
            options: Options::default(),
            cancel: CancellationToken::new(),
        }
    }

    pub(crate) async fn hook(
        &self,
        hook: Hook,
        plan: &Plan,
        operation: &str,
        uid: &str,
    ) -> Result<HookEnd, EngineError> {
        let engine = Engine {
            store: self.world,
            tasks: self.world,
            evaluator: self.world,
            workloads: self.world,
            clock: self.world,
            observer: &Unobserved,
            events: self.world,
            calls: self.world,
            options: &self.options,
        };
        let mut identity = identity(operation, hook, uid);
        identity.started_at = *lock(&self.world.operation_start);
        engine.run(hook, plan, &identity, &self.cancel).await
    }

    /// A whole sync, as Argo CD does it.
    pub(crate) async fn sync(&self, plan: &Plan, operation: &str, uid: &str) -> Outcome {
        let before = self
            .hook(Hook::PreSync, plan, operation, uid)
            .await
            .expect("PreSync runs");
        let mut outcome = before.outcome;
        if outcome.goes_on() {
            let after = self.hook(Hook::PostSync, plan, operation, uid).await;
            outcome = after.expect("PostSync runs").outcome;
        }
        if !outcome.goes_on() {
            self.hook(Hook::SyncFail, plan, operation, uid)
                .await
                .expect("SyncFail runs");
        }
        outcome
    }
}

pub(crate) fn names(ran: &[String]) -> Vec<&str> {
    ran.iter()
        .map(|name| {
            name.rsplit_once('-')
                .map_or(name.as_str(), |(name, _)| name)
        })
        .collect()
}

pub(crate) const ALL: [&str; 8] = [
    "pre-check",
    "pre-eval-budget",
    "pre-warm",
    "post-watch",
    "post-load",
    "post-load-backend",
    "post-eval-speed",
    "promotion-promote",
];
