//! What the engine itself costs: one delivery with 10 tasks that do nothing, the ledger in memory.

#![allow(clippy::expect_used, reason = "a bench may fail")]

use std::hint::black_box;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use criterion::{Criterion, criterion_group, criterion_main};
use stagelink_delivery::Outcome;
use stagelink_delivery::engine::{Engine, Hook, HookIdentity, Options, Unobserved};
use stagelink_delivery::identity::LedgerId;
use stagelink_delivery::ledger::{ItemReport, Ledger};
use stagelink_delivery::ports::{
    EvaluationRequest, Evaluator, ItemEnd, LedgerStore, NoCalls, NoEvents, StoreError,
    StoreVersion, SystemClock, TaskRequest, TaskRunner, WorkloadEnd, WorkloadWatcher,
};
use stagelink_plan::{Plan, Workload};
use tokio_util::sync::CancellationToken;

/// Keeps the ledger, and passes everything at once.
#[derive(Default)]
struct Nothing {
    ledger: Mutex<Option<Ledger>>,
}

fn pass() -> ItemEnd {
    ItemEnd {
        outcome: Outcome::Pass,
        report: ItemReport::default(),
    }
}

#[async_trait]
impl LedgerStore for Nothing {
    async fn load(&self, plan: &Plan) -> Result<(Ledger, StoreVersion), StoreError> {
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let ledger = ledger.get_or_insert_with(|| {
            let id = LedgerId("bench".to_owned());
            Ledger::new(id, &plan.app, &plan.stage, &plan.namespace)
        });
        Ok((ledger.clone(), StoreVersion(String::new())))
    }

    async fn save(&self, ledger: &Ledger, _: &StoreVersion) -> Result<StoreVersion, StoreError> {
        // What a store that keeps text has to do.
        black_box(serde_json::to_vec(ledger).ok());
        *self.ledger.lock().unwrap_or_else(PoisonError::into_inner) = Some(ledger.clone());
        Ok(StoreVersion(String::new()))
    }
}

#[async_trait]
impl TaskRunner for Nothing {
    async fn run(&self, _: &TaskRequest<'_>, _: &CancellationToken) -> ItemEnd {
        pass()
    }
}

#[async_trait]
impl Evaluator for Nothing {
    async fn evaluate(&self, _: &EvaluationRequest<'_>, _: &CancellationToken) -> ItemEnd {
        pass()
    }
}

#[async_trait]
impl WorkloadWatcher for Nothing {
    async fn wait_until_deployed(
        &self,
        _: &Workload,
        _: Duration,
        _: &CancellationToken,
    ) -> WorkloadEnd {
        WorkloadEnd {
            outcome: Outcome::Pass,
            started_at: None,
            ended_at: None,
            replicas: None,
            first_ready_at: None,
            reason: None,
            revision: None,
        }
    }
}

fn delivery(criterion: &mut Criterion) {
    let tasks: Vec<String> = (0..10).map(|number| format!("task-{number}")).collect();
    let plan = serde_json::json!({
        "version": 1, "app": "shop", "appVersion": "v1", "stage": "dev",
        "application": "shop-dev", "namespace": "shop", "digest": "sha256:00",
        "phases": {"preDeploymentTasks": tasks[..5], "postDeploymentTasks": tasks[5..]},
    });
    let plan = Plan::from_json(&plan.to_string()).expect("the plan is a plan");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("this machine runs tokio");
    criterion.bench_function("delivery with 10 tasks that do nothing", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                let world = Nothing::default();
                let options = Options::default();
                let engine = Engine {
                    store: &world,
                    tasks: &world,
                    evaluator: &world,
                    workloads: &world,
                    clock: &SystemClock,
                    observer: &Unobserved,
                    events: &NoEvents,
                    calls: &NoCalls,
                    options: &options,
                };
                let cancel = CancellationToken::new();
                for hook in [Hook::PreSync, Hook::PostSync] {
                    let identity = HookIdentity {
                        operation: "bench".to_owned(),
                        started_at: None,
                        recurs: false,
                        job_uid: hook.as_str().to_owned(),
                    };
                    let end = engine.run(hook, &plan, &identity, &cancel).await;
                    assert_eq!(end.expect("the hook runs").outcome, Outcome::Pass);
                }
            });
        });
    });
}

criterion_group!(benches, delivery);
criterion_main!(benches);
