//! What is told of a delivery, with Keptn's reasons.

use std::collections::BTreeSet;

use stagelink_delivery::engine::Hook;
use stagelink_delivery::event::DeliveryEvent;
use stagelink_delivery::identity::SpanPath;
use stagelink_delivery::{Outcome, Phase};

use crate::world::{Call, World, lock, plan};

fn told(world: &World) -> Vec<DeliveryEvent> {
    std::mem::take(&mut lock(&world.events))
}

fn reasons(events: &[DeliveryEvent]) -> Vec<String> {
    events.iter().map(DeliveryEvent::reason).collect()
}

#[tokio::test]
async fn each_phase_with_something_to_do_is_told_of_once() {
    let world = World::default();
    let call = Call::new(&world);
    call.sync(&plan("one"), "one-1", "a").await;
    let events = told(&world);
    assert_eq!(
        reasons(&events),
        [
            "AppPreDeployTasksStarted",
            "AppPreDeployTasksFinished",
            "AppPreDeployEvaluationsStarted",
            "AppPreDeployEvaluationsFinished",
            "AppDeployStarted",
            "WorkloadPreDeployTasksStarted",
            "WorkloadPreDeployTasksFinished",
            "WorkloadDeployStarted",
            "WorkloadDeployFinished",
            "WorkloadPostDeployTasksStarted",
            "WorkloadPostDeployTasksFinished",
            "WorkloadCompletedFinished",
            "AppDeployFinished",
            "AppPostDeployTasksStarted",
            "AppPostDeployTasksFinished",
            "AppPostDeployEvaluationsStarted",
            "AppPostDeployEvaluationsFinished",
            "PromotionTasksStarted",
            "PromotionTasksFinished",
            "AppCompletedFinished",
        ]
    );
    assert!(events.iter().all(|event| !event.warning));
    let ledger = world.ledger();
    let span = |path: &SpanPath| ledger.attempt_id(1, 1).trace_parent(path);
    let workload = SpanPath::workload_phase("web", Phase::WorkloadDeploy);
    for (index, name, path) in [
        (
            0,
            "shop-one-6b86b273",
            SpanPath::phase(Phase::AppPreDeployTasks),
        ),
        (7, "shop-web-v1", workload),
        (11, "shop-web-v1", SpanPath::workload("web")),
        (19, "shop-one-6b86b273", SpanPath::root()),
    ] {
        let event = &events[index];
        assert_eq!(event.object.name, name, "{event:?}");
        assert_eq!(event.trace_parent, span(&path), "{event:?}");
        let of_workload = name == "shop-web-v1";
        assert_eq!(event.workload.is_some(), of_workload, "{event:?}");
    }

    // What has passed is not told of again.
    call.hook(Hook::PreSync, &plan("one"), "one-2", "b")
        .await
        .unwrap();
    assert!(told(&world).is_empty());
}

#[tokio::test]
async fn what_fails_says_why() {
    let world = World::default();
    world.outcome("check", Outcome::Fail);
    Call::new(&world).sync(&plan("one"), "one-1", "a").await;
    let events = told(&world);
    assert_eq!(
        reasons(&events),
        [
            "AppPreDeployTasksStarted",
            "ReconcileTaskFailed",
            "AppPreDeployTasksFailed",
            "AppCompletedFailed",
        ]
    );
    let name = world.ran().remove(0);
    let about = " / Namespace: shop, Name: shop-one-6b86b273, Version: one";
    let messages: Vec<String> = events.iter().map(DeliveryEvent::message).collect();
    assert_eq!(
        messages[1..],
        [
            format!(
                "Reconcile Task: task '{name}' failed with reason: 'as the test wants it'{about}"
            ),
            format!("App Pre-Deployment Tasks: has failed: check: as the test wants it{about}"),
            format!("App Completed: has failed: check: as the test wants it{about}"),
        ]
    );
    assert_eq!(events[1].annotations()["taskDefinitionName"], "check");
    let warnings: Vec<bool> = events.iter().map(|event| event.warning).collect();
    assert_eq!(warnings, [false, true, true, true]);

    // A deployment that failed is told of by the hook that finds out.
    let world = World::default();
    let call = Call::new(&world);
    call.hook(Hook::PreSync, &plan("one"), "one-1", "a")
        .await
        .unwrap();
    told(&world);
    world.outcome("web", Outcome::Fail);
    call.hook(Hook::SyncFail, &plan("one"), "one-1", "a")
        .await
        .unwrap();
    let events = told(&world);
    let expected = [
        "WorkloadDeployFailed",
        "WorkloadCompletedFailed",
        "AppDeployFailed",
        "AppCompletedFailed",
    ];
    assert_eq!(reasons(&events), expected);
    for event in &events {
        let text = "has failed: Deployment web was not deployed: no replica is ready";
        assert_eq!(event.text, text);
    }
}

#[tokio::test]
async fn a_failure_that_does_not_block_is_a_warning() {
    let world = World::default();
    world.outcome("check", Outcome::Fail);
    let mut plan = plan("one");
    plan.block_deployment = false;
    Call::new(&world).sync(&plan, "one-1", "a").await;
    let events = told(&world);
    let of = |reason: &str| {
        let found = events.iter().find(|event| event.reason() == reason);
        found.unwrap_or_else(|| panic!("{reason}: {:?}", reasons(&events)))
    };
    for reason in ["AppPreDeployTasksFinished", "AppCompletedFinished"] {
        let text = "has finished with a warning: check: as the test wants it";
        assert_eq!((of(reason).text.as_str(), of(reason).warning), (text, true));
    }
}

#[tokio::test]
async fn a_hook_that_died_and_runs_again_tells_the_same() {
    let plan = plan("one");
    let told_once = {
        let world = World::default();
        Call::new(&world).sync(&plan, "one-1", "a").await;
        identities(&told(&world))
    };
    for save in 0..8 {
        let world = World::default();
        *lock(&world.dies_at_save) = Some((save, true));
        let call = Call::new(&world);
        tokio::select! {
            _ = call.hook(Hook::PreSync, &plan, "one-1", "a") => {}
            () = world.died.notified() => {}
        }
        *lock(&world.dies_at_save) = None;
        call.sync(&plan, "one-1", "a").await;
        assert_eq!(identities(&told(&world)), told_once, "died at save {save}");
    }
}

/// What tells events from each other.
fn identities(events: &[DeliveryEvent]) -> BTreeSet<String> {
    let identity = |event: &DeliveryEvent| format!("{} {}", event.trace_parent, event.reason());
    events.iter().map(identity).collect()
}
