//! What happens to the workloads between two deliveries, and how the next one tells of it.

use stagelink_delivery::Outcome;
use stagelink_delivery::engine::Hook;
use stagelink_delivery::ledger::WorkloadRevision;
use stagelink_delivery::ports::Found;

use crate::world::{Call, World, lock, plan};

fn revision(uid: &str, rollout: &str, version: &str) -> Found {
    Found::Revision(WorkloadRevision {
        uid: uid.to_owned(),
        rollout: rollout.to_owned(),
        version: version.to_owned(),
    })
}

fn find(world: &World, found: Found) {
    lock(&world.found).insert("web".to_owned(), found);
}

#[tokio::test]
async fn the_next_delivery_tells_what_ran_no_hooks() {
    let by = "after delivery 1 attempt 1, by something that ran no hooks";
    let cases = [
        (revision("a", "1", "v1"), None),
        (
            revision("a", "2", "v1"),
            Some("Deployment web was changed once"),
        ),
        (
            revision("a", "3", "v2"),
            Some("Deployment web was changed 2 times (now v2, was v1)"),
        ),
        (
            revision("a", "web-5d9c", ""),
            Some("Deployment web was changed"),
        ),
        (
            revision("b", "1", "v1"),
            Some("Deployment web was deleted and made again"),
        ),
        (Found::Nothing, Some("Deployment web was deleted")),
        (Found::Unknown, None),
    ];
    for (found, expected) in cases {
        let world = World::default();
        let call = Call::new(&world);
        find(&world, revision("a", "1", "v1"));
        assert_eq!(call.sync(&plan("one"), "op-1", "a").await, Outcome::Pass);
        find(&world, found);
        // Of the same content, which is not delivered again, and of another one.
        for (number, content) in [(1, "one"), (2, "two")] {
            let operation = format!("op-2-{content}");
            let end = call
                .hook(Hook::PreSync, &plan(content), &operation, "a")
                .await
                .unwrap();
            let expected: Vec<String> =
                expected.iter().map(|what| format!("{what} {by}")).collect();
            assert_eq!((end.delivery, &end.noticed), (number, &expected));
            assert_eq!(end.ran, number == 2);
            let attempt = end.ledger.attempt(number, 1).unwrap();
            let kept = if end.ran { expected } else { Vec::new() };
            assert_eq!(attempt.noticed, kept);
        }
    }
}

#[tokio::test]
async fn what_a_delivery_itself_may_have_changed_is_not_told() {
    let world = World::default();
    let call = Call::new(&world);
    find(&world, revision("a", "1", "v1"));
    call.sync(&plan("one"), "op-1", "a").await;

    // It is stopped after PreSync, and nobody knows what was applied.
    call.hook(Hook::PreSync, &plan("two"), "op-2", "a")
        .await
        .unwrap();
    find(&world, revision("a", "2", "v2"));
    let third = call.hook(Hook::PreSync, &plan("three"), "op-3", "a").await;
    assert_eq!(third.unwrap().noticed, [""; 0]);

    // It fails, and its SyncFail saw the workload.
    world.outcome("web", Outcome::Fail);
    find(&world, revision("a", "3", "v4"));
    call.sync(&plan("four"), "op-4", "a").await;
    let fifth = call.hook(Hook::PreSync, &plan("five"), "op-5", "a").await;
    assert_eq!(fifth.unwrap().noticed, [""; 0]);
}

#[tokio::test]
async fn a_delivery_that_stopped_before_the_sync_left_what_was_there() {
    let world = World::default();
    let call = Call::new(&world);
    find(&world, revision("a", "1", "v1"));
    call.sync(&plan("one"), "op-1", "a").await;
    world.outcome("check", Outcome::Fail);
    call.sync(&plan("two"), "op-2", "a").await;
    find(&world, revision("a", "2", "v1"));
    let third = call.hook(Hook::PreSync, &plan("three"), "op-3", "a").await;
    let noticed = third.unwrap().noticed;
    assert!(noticed[0].contains("after delivery 1"), "{noticed:?}");
}
