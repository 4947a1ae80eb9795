//! What runs, in which order, and what a failure stops.

use serde_json::json;
use stagelink_delivery::engine::Hook;
use stagelink_delivery::ledger::Relation;
use stagelink_delivery::{Outcome, Phase, State};
use stagelink_plan::Plan;

use crate::world::{ALL, Call, World, lock, names, plan};

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
async fn what_a_delivery_costs_is_noted_by_hook() {
    let world = World::default();
    *lock(&world.calls) = 10;
    let call = Call::new(&world);
    let plan = plan("one");
    call.hook(Hook::PreSync, &plan, "one-1", "a").await.unwrap();
    let noted = |world: &World| world.ledger().attempt(1, 1).unwrap().api_calls.clone();
    let pairs = |pairs: &[(&str, u64)]| {
        let pairs = pairs
            .iter()
            .map(|(hook, calls)| ((*hook).to_owned(), *calls));
        pairs.collect::<std::collections::BTreeMap<_, _>>()
    };
    // Each with the request that saves it.
    assert_eq!(noted(&world), pairs(&[("PreSync", 11)]));
    *lock(&world.calls) = 20;
    call.hook(Hook::PostSync, &plan, "one-1", "a")
        .await
        .unwrap();
    assert_eq!(noted(&world), pairs(&[("PostSync", 21), ("PreSync", 11)]));
    // What is known already is not counted to the delivery.
    call.hook(Hook::PreSync, &plan, "one-2", "b").await.unwrap();
    assert_eq!(noted(&world), pairs(&[("PostSync", 21), ("PreSync", 11)]));

    // Where there is no cluster nothing is noted.
    let world = World::default();
    Call::new(&world).sync(&plan, "one-1", "a").await;
    assert!(noted(&world).is_empty());
}

#[tokio::test]
async fn the_first_ready_replica_counts_if_it_is_of_this_attempt() {
    for (seconds, counts) in [(-1, false), (0, true), (3, true)] {
        let world = World::default();
        let plan = plan("one");
        let call = Call::new(&world);
        call.hook(Hook::PreSync, &plan, "one-1", "a").await.unwrap();
        let began = world.ledger().attempt(1, 1).unwrap().started_at;
        let at = began + jiff::SignedDuration::from_secs(seconds);
        *lock(&world.first_ready) = Some(at);
        call.hook(Hook::PostSync, &plan, "one-1", "a")
            .await
            .unwrap();
        let ledger = world.ledger();
        let workload = &ledger.attempt(1, 1).unwrap().workloads[0];
        assert_eq!(workload.first_ready_at, counts.then_some(at), "{seconds}");
        assert_eq!(workload.replicas, Some(3));
    }
}
