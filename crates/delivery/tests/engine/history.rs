//! What a ledger keeps, and what it tells of its stage.

use stagelink_delivery::Outcome;
use stagelink_delivery::engine::Hook;
use stagelink_delivery::status::StageStatus;

use crate::world::{Call, World, lock, plan};

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

#[tokio::test]
async fn only_what_could_not_be_known_again_is_written_at_once() {
    let writes = |world: &World| lock(&world.ledger).as_ref().map(|(_, version)| *version);
    let world = World::default();
    let call = Call::new(&world);
    let mut bare = plan("one");
    bare.phases = Default::default();
    bare.workloads[0].phases = Default::default();
    call.hook(Hook::PostSync, &bare, "op-1", "a").await.unwrap();
    // That it began, that it waits for the workload, that it ended.
    assert_eq!(writes(&world), Some(3));

    // With eight tasks and evaluations in seven phases: that each of both hooks began and ended, the
    // wait, that a phase's items began, and that each ended.
    let world = World::default();
    let call = Call::new(&world);
    call.sync(&plan("one"), "op-1", "a").await;
    let count = writes(&world).unwrap();
    assert!(count <= 4 + 1 + 7 + 8, "{count}");
}
