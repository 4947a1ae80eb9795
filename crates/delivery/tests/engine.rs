//! The rules of deliveries, attempts and phases, and that a kill at any moment loses and doubles
//! nothing.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};
use stagelink_delivery::engine::{
    Engine, EngineError, Hook, HookEnd, HookIdentity, Options, Unobserved,
};
use stagelink_delivery::identity::LedgerId;
use stagelink_delivery::ledger::{ItemReport, Ledger, Relation};
use stagelink_delivery::ports::{
    Clock, EvaluationRequest, Evaluator, ItemEnd, LedgerStore, StoreError, StoreVersion,
    TaskRequest, TaskRunner, WorkloadEnd, WorkloadWatcher,
};
use stagelink_delivery::status::StageStatus;
use stagelink_delivery::{Outcome, Phase, State};
use stagelink_plan::{Plan, Workload};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Everything outside of the engine, in memory.
#[derive(Debug, Default)]
struct World {
    ledger: Mutex<Option<(Ledger, u64)>>,
    /// What a definition's task or evaluation comes to; pass if it is not named.
    outcomes: Mutex<BTreeMap<String, Outcome>>,
    /// What was run, in order: `<name>` when it ended.
    ran: Mutex<Vec<String>>,
    contexts: Mutex<Vec<Value>>,
    time: Mutex<i64>,
    /// The process dies at this save, counted down; before or after it is written.
    dies_at_save: Mutex<Option<(usize, bool)>>,
    died: Notify,
    /// Tasks of this name wait until they are cancelled.
    hangs: Mutex<Option<String>>,
    /// What tasks that do not pass say, if not the usual.
    message: Mutex<String>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    fn outcome(&self, definition: &str, outcome: Outcome) {
        lock(&self.outcomes).insert(definition.to_owned(), outcome);
    }

    fn ran(&self) -> Vec<String> {
        lock(&self.ran).clone()
    }

    fn ledger(&self) -> Ledger {
        lock(&self.ledger)
            .clone()
            .map(|(ledger, _)| ledger)
            .unwrap_or_else(|| Ledger::new(LedgerId("none".to_owned()), "", "", ""))
    }

    async fn die(&self) {
        self.died.notify_one();
        std::future::pending::<()>().await;
    }

    async fn end(&self, name: &str, definition: &str, cancel: &CancellationToken) -> ItemEnd {
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
        WorkloadEnd {
            outcome,
            started_at: None,
            ended_at: None,
            reason,
        }
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        let mut time = lock(&self.time);
        *time += 1;
        Timestamp::from_second(1_700_000_000 + *time).unwrap_or_default()
    }
}

fn plan(content: &str) -> Plan {
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

fn identity(operation: &str, hook: Hook, uid: &str) -> HookIdentity {
    HookIdentity {
        operation: operation.to_owned(),
        job_uid: format!("{hook}-{uid}"),
    }
}

struct Call<'a> {
    world: &'a World,
    options: Options,
    cancel: CancellationToken,
}

impl<'a> Call<'a> {
    fn new(world: &'a World) -> Self {
        Self {
            world,
            options: Options::default(),
            cancel: CancellationToken::new(),
        }
    }

    async fn hook(
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
            options: &self.options,
        };
        engine
            .run(hook, plan, &identity(operation, hook, uid), &self.cancel)
            .await
    }

    /// A whole sync, as Argo CD does it.
    async fn sync(&self, plan: &Plan, operation: &str, uid: &str) -> Outcome {
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

fn names(ran: &[String]) -> Vec<&str> {
    ran.iter()
        .map(|name| {
            name.rsplit_once('-')
                .map_or(name.as_str(), |(name, _)| name)
        })
        .collect()
}

const ALL: [&str; 8] = [
    "pre-check",
    "pre-eval-budget",
    "pre-warm",
    "post-watch",
    "post-load",
    "post-load-backend",
    "post-eval-speed",
    "promotion-promote",
];

#[tokio::test]
async fn all_phases_run_in_order_and_once() {
    let world = World::default();
    let call = Call::new(&world);
    assert_eq!(call.sync(&plan("one"), "one-1", "a").await, Outcome::Pass);
    assert_eq!(names(&world.ran()), ALL);
    let ledger = world.ledger();
    let attempt = ledger.attempt(1, 1).unwrap();
    assert_eq!(attempt.outcome, Some(Outcome::Pass));
    let phases: Vec<Phase> = attempt.phases.iter().map(|record| record.phase).collect();
    assert_eq!(phases, Phase::APP);
    let phases: Vec<Phase> = attempt.workloads[0]
        .phases
        .iter()
        .map(|record| record.phase)
        .collect();
    assert_eq!(phases, Phase::WORKLOAD);
    for record in attempt.all_phases() {
        assert_eq!(record.state, State::Succeeded, "{}", record.phase);
        assert!(record.started_at <= record.ended_at);
    }
    assert_eq!(attempt.links[0].relation, Relation::PreviousStage);
}

#[tokio::test]
async fn tasks_are_told_what_keptn_tells_them() {
    let world = World::default();
    Call::new(&world).sync(&plan("one"), "one-1", "a").await;
    let contexts = lock(&world.contexts).clone();
    let ledger = world.ledger();
    let phase = |phase| {
        use stagelink_delivery::identity::SpanPath;
        ledger
            .attempt_id(1, 1)
            .trace_parent(&SpanPath::phase(phase))
            .to_string()
    };
    assert_eq!(
        contexts.last().unwrap(),
        &json!({
            "workloadName": "", "appName": "shop", "appVersion": "one", "workloadVersion": "",
            "taskType": "promotion", "objectType": "App",
            "metadata": {"commitID": "c0ffee", "traceparent": phase(Phase::PromotionTasks)},
        })
    );
    let workload = contexts
        .iter()
        .find(|context| context["objectType"] == "Workload")
        .unwrap();
    assert_eq!(workload["workloadName"], "shop-web");
    assert_eq!(workload["workloadVersion"], "v1");
    assert_eq!(workload["appVersion"], "");
}

#[tokio::test]
async fn what_passed_is_not_delivered_again() {
    let world = World::default();
    let mut call = Call::new(&world);
    call.sync(&plan("one"), "one-1", "a").await;
    assert_eq!(call.sync(&plan("one"), "later-2", "b").await, Outcome::Pass);
    assert_eq!(names(&world.ran()), ALL);
    assert_eq!(world.ledger().deliveries.len(), 1);
    // Unless it is asked for.
    call.options.again = true;
    call.sync(&plan("one"), "again-3", "c").await;
    assert_eq!(world.ran().len(), 2 * ALL.len());
    assert_eq!(world.ledger().deliveries.len(), 2);
    // Going back to an older content is a new delivery.
    call.options.again = false;
    call.sync(&plan("two"), "two-4", "d").await;
    call.sync(&plan("one"), "back-5", "e").await;
    let numbers: Vec<u64> = world
        .ledger()
        .deliveries
        .iter()
        .map(|delivery| delivery.number)
        .collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_failure_stops_what_comes_after_it() {
    for (definition, phase, after) in [
        ("check", Phase::AppPreDeployTasks, 0),
        ("budget", Phase::AppPreDeployEvaluations, 1),
        ("warm", Phase::WorkloadPreDeployTasks, 2),
        ("watch", Phase::WorkloadPostDeployTasks, 3),
        ("speed", Phase::AppPostDeployEvaluations, 6),
        ("promote", Phase::PromotionTasks, 7),
    ] {
        let world = World::default();
        world.outcome(definition, Outcome::Fail);
        assert_eq!(
            Call::new(&world).sync(&plan("one"), "one-1", "a").await,
            Outcome::Fail
        );
        assert_eq!(names(&world.ran()), ALL[..=after], "{definition}");
        let ledger = world.ledger();
        let attempt = ledger.attempt(1, 1).unwrap();
        assert_eq!(attempt.outcome, Some(Outcome::Fail));
        assert_eq!(attempt.failed_phase().unwrap().phase, phase);
        let reason = attempt.reason.as_deref().unwrap();
        assert_eq!(reason, format!("{definition}: as the test wants it"));
        let last = attempt.phases.last().unwrap();
        let expected = if definition == "promote" {
            State::Failed
        } else {
            State::Deprecated
        };
        assert_eq!((last.phase, last.state), (Phase::PromotionTasks, expected));
    }
}

#[tokio::test]
async fn the_first_failure_stops_its_siblings() {
    let world = World::default();
    world.outcome("load", Outcome::Fail);
    *lock(&world.hangs) = Some("load-backend".to_owned());
    assert_eq!(
        Call::new(&world).sync(&plan("one"), "one-1", "a").await,
        Outcome::Fail
    );
    let ledger = world.ledger();
    let attempt = ledger.attempt(1, 1).unwrap();
    let record = attempt.failed_phase().unwrap();
    let outcomes: Vec<_> = record
        .items
        .iter()
        .map(|item| item.outcome.unwrap())
        .collect();
    assert_eq!(outcomes, [Outcome::Fail, Outcome::Error]);
    assert!(record.reason.as_deref().unwrap().starts_with("load: "));
}

#[tokio::test]
async fn without_blocking_a_failure_is_a_warning() {
    let world = World::default();
    world.outcome("speed", Outcome::Fail);
    let plan = Plan {
        block_deployment: false,
        ..plan("one")
    };
    assert_eq!(
        Call::new(&world).sync(&plan, "one-1", "a").await,
        Outcome::Warn
    );
    assert_eq!(names(&world.ran()), ALL);
    let ledger = world.ledger();
    let attempt = ledger.attempt(1, 1).unwrap();
    let record = |phase| {
        attempt
            .phases
            .iter()
            .find(|record| record.phase == phase)
            .unwrap()
    };
    assert_eq!(
        record(Phase::AppPostDeployEvaluations).state,
        State::Warning
    );
    assert_eq!(record(Phase::PromotionTasks).state, State::Succeeded);
    assert!(attempt.reason.is_some());
}

#[tokio::test]
async fn an_automatic_retry_remembers_a_verdict_and_repeats_an_error() {
    let world = World::default();
    let mut call = Call::new(&world);
    world.outcome("check", Outcome::Fail);
    call.sync(&plan("one"), "one-1", "a").await;
    assert_eq!(
        call.sync(&plan("one"), "one-1", "retry").await,
        Outcome::Fail
    );
    assert_eq!(world.ran().len(), 1);
    call.options.retry_failed = true;
    call.sync(&plan("one"), "one-1", "retry-2").await;
    assert_eq!(world.ran().len(), 2);
    assert_eq!(world.ledger().deliveries[0].attempts.len(), 2);

    let world = World::default();
    let call = Call::new(&world);
    for outcome in [Outcome::Error, Outcome::Inconclusive] {
        world.outcome("check", outcome);
        call.sync(&plan("one"), "one-1", outcome.as_str()).await;
    }
    world.outcome("check", Outcome::Pass);
    assert_eq!(
        call.sync(&plan("one"), "one-1", "third").await,
        Outcome::Pass
    );
    let ledger = world.ledger();
    assert_eq!(ledger.deliveries.len(), 1);
    assert_eq!(ledger.deliveries[0].attempts.len(), 3);
    let links = &ledger.attempt(1, 3).unwrap().links;
    assert_eq!(links.last().unwrap().relation, Relation::PreviousAttempt);
    let previous = ledger.attempt_id(1, 2).trace_id();
    assert_eq!(links.last().unwrap().trace_parent.trace_id(), previous);
}

#[tokio::test]
async fn a_new_sync_of_what_failed_tries_again() {
    let world = World::default();
    let call = Call::new(&world);
    world.outcome("check", Outcome::Fail);
    call.sync(&plan("one"), "one-1", "a").await;
    world.outcome("check", Outcome::Pass);
    assert_eq!(
        call.sync(&plan("one"), "manual-2", "b").await,
        Outcome::Pass
    );
    assert_eq!(world.ledger().deliveries[0].attempts.len(), 2);
}

#[tokio::test]
async fn what_a_terminated_sync_left_open_is_closed_by_the_next() {
    let world = World::default();
    let call = Call::new(&world);
    call.hook(Hook::PreSync, &plan("one"), "one-1", "a")
        .await
        .unwrap();
    assert_eq!(world.ledger().attempt(1, 1).unwrap().outcome, None);
    call.sync(&plan("two"), "two-2", "b").await;
    let ledger = world.ledger();
    let left = ledger.attempt(1, 1).unwrap();
    assert_eq!(left.outcome, Some(Outcome::Error));
    assert!(left.reason.as_deref().unwrap().contains("one-1"));
    assert!(
        left.all_phases()
            .all(|record| record.ended_at.is_some() || record.started_at.is_none())
    );
    assert_eq!(ledger.attempt(2, 1).unwrap().outcome, Some(Outcome::Pass));
}

#[tokio::test]
async fn a_failed_sync_is_closed_with_the_workloads_reason() {
    let world = World::default();
    world.outcome("web", Outcome::Fail);
    let call = Call::new(&world);
    call.hook(Hook::PreSync, &plan("one"), "one-1", "a")
        .await
        .unwrap();
    let end = call
        .hook(Hook::SyncFail, &plan("one"), "one-1", "a")
        .await
        .unwrap();
    assert_eq!(end.outcome, Outcome::Fail);
    assert!(
        end.reason
            .unwrap()
            .contains("Deployment web was not deployed: no replica is ready")
    );
    // A second SyncFail, and one after a PostSync that closed it, change nothing.
    let again = call
        .hook(Hook::SyncFail, &plan("one"), "one-1", "b")
        .await
        .unwrap();
    assert!(!again.ran);
    assert_eq!(world.ledger().deliveries[0].attempts.len(), 1);
}

#[tokio::test]
async fn an_app_without_a_pre_sync_job_begins_at_post_sync() {
    let world = World::default();
    let mut plan = plan("one");
    plan.phases.pre_deployment_tasks.clear();
    plan.phases.pre_deployment_evaluations.clear();
    plan.workloads[0].phases.pre_deployment_tasks.clear();
    assert!(plan.starts_at_sync());
    let call = Call::new(&world);
    let end = call
        .hook(Hook::PostSync, &plan, "one-1", "a")
        .await
        .unwrap();
    assert_eq!(end.outcome, Outcome::Pass);
    let phases = world.ledger().attempt(1, 1).unwrap().phases.len();
    assert_eq!(phases, Phase::APP.len());
}

#[tokio::test]
async fn a_stopped_hook_leaves_the_attempt_open_and_goes_on() {
    let world = World::default();
    *lock(&world.hangs) = Some("load".to_owned());
    let call = Call::new(&world);
    call.hook(Hook::PreSync, &plan("one"), "one-1", "a")
        .await
        .unwrap();
    let cancel = call.cancel.clone();
    let one = plan("one");
    let (end, ()) = tokio::join!(call.hook(Hook::PostSync, &one, "one-1", "a"), async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        cancel.cancel();
    });
    assert!(matches!(end, Err(EngineError::Interrupted)), "{end:?}");
    assert_eq!(world.ledger().attempt(1, 1).unwrap().outcome, None);
    *lock(&world.hangs) = None;
    let call = Call::new(&world);
    let end = call
        .hook(Hook::PostSync, &plan("one"), "one-1", "a")
        .await
        .unwrap();
    assert_eq!(end.outcome, Outcome::Pass);
    let mut ran = world.ran();
    ran.sort();
    ran.dedup();
    assert_eq!(ran.len(), world.ran().len(), "something ran twice: {ran:?}");
}

/// The process dies at every write of the ledger, before it and after it, and is started again.
#[tokio::test]
async fn a_kill_at_any_write_loses_and_doubles_nothing() {
    let mut deaths = 0;
    for after in [false, true] {
        for save in 0.. {
            let world = World::default();
            *lock(&world.dies_at_save) = Some((save, after));
            let call = Call::new(&world);
            let one = plan("one");
            let mut died = false;
            for hook in [Hook::PreSync, Hook::PostSync] {
                let died_here = tokio::select! {
                    biased;
                    end = call.hook(hook, &one, "one-1", "a") => {
                        assert_eq!(end.expect("the hook runs").outcome, Outcome::Pass);
                        false
                    }
                    () = world.died.notified() => true,
                };
                if died_here {
                    died = true;
                    *lock(&world.dies_at_save) = None;
                    // Kubernetes starts the pod of the same Job again.
                    let end = call
                        .hook(hook, &one, "one-1", "a")
                        .await
                        .expect("it goes on");
                    assert_eq!(end.outcome, Outcome::Pass);
                }
            }
            let ledger = world.ledger();
            assert_eq!(ledger.deliveries.len(), 1);
            assert_eq!(ledger.deliveries[0].attempts.len(), 1);
            let attempt = ledger.attempt(1, 1).unwrap();
            assert_eq!(attempt.outcome, Some(Outcome::Pass));
            assert_eq!(attempt.phases.len(), Phase::APP.len());
            // An item whose end was not written yet is run again, under the same name; no other.
            let ran = world.ran();
            let mut unique = ran.clone();
            unique.sort();
            unique.dedup();
            assert_eq!(unique.len(), ALL.len());
            assert!(ran.len() <= ALL.len() + 2, "save {save}: {ran:?}");
            if !died {
                break;
            }
            deaths += 1;
        }
    }
    assert!(deaths > 30, "only {deaths} moments were tried");
}

#[tokio::test]
async fn two_hooks_of_overlapping_syncs_do_not_mix() {
    let world = World::default();
    *lock(&world.hangs) = Some("check".to_owned());
    let first = Call::new(&world);
    let second = Call::new(&world);
    let (one, two) = (plan("one"), plan("two"));
    let (end, ()) = tokio::join!(first.hook(Hook::PreSync, &one, "one-1", "a"), async {
        tokio::task::yield_now().await;
        *lock(&world.hangs) = None;
        assert_eq!(second.sync(&two, "two-2", "b").await, Outcome::Pass);
        first.cancel.cancel();
    });
    assert!(end.is_err(), "{end:?}");
    let ledger = world.ledger();
    assert_eq!(ledger.attempt(1, 1).unwrap().outcome, Some(Outcome::Error));
    assert_eq!(ledger.attempt(2, 1).unwrap().outcome, Some(Outcome::Pass));
    // Whatever else comes of the first sync is told so, and changes nothing.
    for hook in [Hook::PostSync, Hook::SyncFail] {
        let late = Call::new(&world).hook(hook, &one, "one-1", "a").await;
        let late = late.unwrap();
        assert_eq!((late.outcome, late.ran), (Outcome::Error, false));
    }
    assert_eq!(world.ledger(), ledger);
}

#[tokio::test]
async fn an_old_ledger_stays_small_and_keeps_its_numbers() {
    let world = World::default();
    let call = Call::new(&world);
    for number in 1..=40 {
        call.sync(
            &plan(&format!("content-{number}")),
            &format!("op-{number}"),
            "a",
        )
        .await;
    }
    let ledger = world.ledger();
    assert!(ledger.deliveries.len() <= 31);
    assert_eq!(ledger.deliveries.last().unwrap().number, 40);
    assert!(serde_json::to_vec(&ledger).unwrap().len() < 500_000);
}

#[tokio::test]
async fn a_retry_that_renders_other_content_is_a_delivery_of_its_own() {
    let world = World::default();
    let call = Call::new(&world);
    world.outcome("check", Outcome::Fail);
    call.sync(&plan("one"), "op-1", "a").await;
    world.outcome("check", Outcome::Pass);
    assert_eq!(call.sync(&plan("two"), "op-1", "b").await, Outcome::Pass);
    let ledger = world.ledger();
    let digests: Vec<_> = ledger
        .deliveries
        .iter()
        .map(|delivery| delivery.digest.to_string())
        .collect();
    assert_eq!(digests, ["sha256:one", "sha256:two"]);
    // A late retry of a sync that another one has followed is one too, and touches neither.
    world.outcome("check", Outcome::Error);
    call.sync(&plan("three"), "op-3", "c").await;
    world.outcome("check", Outcome::Pass);
    call.sync(&plan("four"), "op-4", "d").await;
    call.sync(&plan("three"), "op-3", "late").await;
    let ledger = world.ledger();
    assert_eq!(ledger.deliveries.len(), 5);
    assert_eq!(ledger.deliveries[3].attempts.len(), 1);
    assert_eq!(ledger.deliveries[4].digest, ledger.deliveries[2].digest);
}

#[tokio::test]
async fn what_is_in_the_stage_is_never_forgotten() {
    let world = World::default();
    let call = Call::new(&world);
    call.sync(&plan("good"), "op-0", "a").await;
    world.outcome("check", Outcome::Fail);
    for number in 1..=50 {
        let content = plan(&format!("bad-{number}"));
        call.sync(&content, &format!("op-{number}"), "a").await;
    }
    // Many tries of the same.
    for number in 51..=70 {
        call.sync(&plan("bad-50"), &format!("op-{number}"), "a")
            .await;
    }
    let ledger = world.ledger();
    let status = StageStatus::of(&ledger);
    assert_eq!(status.current.unwrap().version, "good");
    let last = status.last.unwrap();
    assert_eq!((last.delivery, last.attempt), (51, 21));
    assert_eq!(last.version, "bad-50");
    assert!(ledger.deliveries.last().unwrap().attempts.len() <= 11);
}

#[tokio::test]
async fn long_messages_do_not_let_a_ledger_grow() {
    let world = World::default();
    let call = Call::new(&world);
    *lock(&world.message) = "x".repeat(50_000);
    world.outcome("check", Outcome::Fail);
    for number in 1..=30 {
        let content = plan(&format!("content-{number}"));
        call.sync(&content, &format!("op-{number}"), "a").await;
    }
    let ledger = world.ledger();
    let size = serde_json::to_vec(&ledger).unwrap().len();
    assert!(size < 1_000_000, "{size} bytes");
    assert!(ledger.deliveries.len() > 2);
    assert_eq!(ledger.deliveries.last().unwrap().number, 30);
}

#[tokio::test]
async fn a_stages_status_says_what_is_in_it_and_why_not_more() {
    let world = World::default();
    let call = Call::new(&world);
    let status = |world: &World| StageStatus::of(&world.ledger());
    call.hook(Hook::PreSync, &plan("one"), "op-1", "a")
        .await
        .unwrap();
    let under_way = status(&world);
    assert!(under_way.current.is_none());
    assert_eq!(
        under_way.why_not_further.as_deref(),
        Some("under way: App Deployment")
    );
    call.hook(Hook::PostSync, &plan("one"), "op-1", "a")
        .await
        .unwrap();
    let passed = status(&world);
    assert_eq!(passed.current, passed.last);
    assert_eq!(passed.why_not_further, None);
    assert_eq!(
        passed.current.unwrap().revision.as_deref(),
        Some("one-revision")
    );
    world.outcome("speed", Outcome::Fail);
    call.sync(&plan("two"), "op-2", "b").await;
    let failed = status(&world);
    assert_eq!(failed.current.unwrap().version, "one");
    assert_eq!(failed.last.unwrap().version, "two");
    assert_eq!(
        failed.why_not_further.as_deref(),
        Some("fail in App Post-Deployment Evaluations: speed: as the test wants it")
    );
}
