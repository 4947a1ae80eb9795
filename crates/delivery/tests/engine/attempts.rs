//! Which delivery and attempt a hook works on.

use jiff::Timestamp;
use stagelink_delivery::engine::Hook;
use stagelink_delivery::ledger::Relation;
use stagelink_delivery::{Outcome, Phase};

use crate::world::{ALL, Call, World, lock, names, plan};

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
async fn operations_of_one_name_are_told_apart_by_their_jobs() {
    let world = World::default();
    let mut call = Call::new(&world);
    let name = "2024-1-5-0";
    // What failed is tried again by each sync, as nobody knows which is an automatic retry.
    world.outcome("check", Outcome::Fail);
    assert_eq!(call.sync(&plan("one"), name, "a").await, Outcome::Fail);
    assert_eq!(call.sync(&plan("one"), name, "b").await, Outcome::Fail);
    world.outcome("check", Outcome::Pass);
    assert_eq!(call.sync(&plan("one"), name, "c").await, Outcome::Pass);
    let attempts = world.ledger().deliveries[0].attempts.clone();
    let ends: Vec<_> = attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(
        ends,
        [
            Some(Outcome::Fail),
            Some(Outcome::Fail),
            Some(Outcome::Pass)
        ]
    );
    // What passed is not delivered again, unless it is asked for.
    let ran = world.ran().len();
    assert_eq!(call.sync(&plan("one"), name, "d").await, Outcome::Pass);
    assert_eq!(
        (world.ran().len(), world.ledger().deliveries.len()),
        (ran, 1)
    );
    call.options.again = true;
    assert_eq!(call.sync(&plan("one"), name, "e").await, Outcome::Pass);
    assert_eq!(world.ledger().deliveries.len(), 2);
    call.options.again = false;
    // Other parameters, the same revision.
    assert_eq!(call.sync(&plan("two"), name, "f").await, Outcome::Pass);
    assert_eq!(world.ledger().deliveries.len(), 3);

    // A pod that was started again goes on; a terminated sync is closed by the next.
    call.hook(Hook::PreSync, &plan("three"), name, "g")
        .await
        .unwrap();
    let again = call.hook(Hook::PreSync, &plan("three"), name, "g").await;
    assert_eq!(again.unwrap().attempt, 1);
    assert_eq!(call.sync(&plan("three"), name, "h").await, Outcome::Pass);
    let attempts = world.ledger().deliveries[3].attempts.clone();
    assert_eq!(attempts.len(), 2);
    assert_eq!(attempts[0].outcome, Some(Outcome::Error));
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
async fn the_first_attempt_of_an_operation_begins_with_it() {
    let at = |second: i64| Timestamp::from_second(second).unwrap();
    // The test's clock begins at 1,700,000,000.
    for (start, is_taken) in [
        (1_699_999_990, true),
        (1_699_900_000, false),
        (1_700_009_999, false),
    ] {
        let world = World::default();
        let call = Call::new(&world);
        *lock(&world.operation_start) = Some(at(start));
        world.outcome("check", Outcome::Error);
        call.sync(&plan("one"), "one-1", "a").await;
        call.sync(&plan("one"), "one-1", "retry").await;
        let ledger = world.ledger();
        let [first, retry] = ledger.deliveries[0].attempts.as_slice() else {
            panic!("two attempts: {ledger:?}");
        };
        assert_eq!(first.started_at == at(start), is_taken, "{start}");
        assert!(retry.started_at > at(1_700_000_001));
    }
}

#[tokio::test]
async fn nothing_ends_before_it_began_although_clocks_differ() {
    // Each hook on a node of its own; the clock of one is hours ahead, or behind.
    for (before, after, is_closed_later) in [
        (3 * 3600, 0, false),
        (-3 * 3600, 0, false),
        (3 * 3600, 0, true),
    ] {
        let world = World::default();
        let call = Call::new(&world);
        let plan = plan("one");
        *lock(&world.time) = before;
        let opened = call.hook(Hook::PreSync, &plan, "one-1", "a").await;
        assert_eq!(opened.unwrap().outcome, Outcome::Pass);
        *lock(&world.time) = after;
        // Kubernetes has a clock of its own.
        let at = |second: i64| Timestamp::from_second(1_700_000_000 + second).unwrap();
        *lock(&world.deployment) = Some((at(1), at(2)));
        let operation = if is_closed_later { "one-2" } else { "one-1" };
        call.hook(Hook::PostSync, &plan, operation, "b")
            .await
            .unwrap();
        let ledger = world.ledger();
        let attempt = &ledger.deliveries[0].attempts[0];
        assert_eq!(attempt.ended_at, Some(attempt.latest()));
        let mut last = attempt.started_at;
        for phase in &attempt.phases {
            let (Some(started), Some(ended)) = (phase.started_at, phase.ended_at) else {
                assert!(is_closed_later, "{phase:?}");
                continue;
            };
            assert!(last <= started && started <= ended, "{last} {phase:?}");
            for item in &phase.items {
                let ended_at = item.ended_at.unwrap();
                assert!(
                    started <= item.started_at && item.started_at <= ended_at && ended_at <= ended,
                    "{phase:?}"
                );
            }
            last = ended;
        }
        for phase in attempt
            .workloads
            .iter()
            .flat_map(|workload| &workload.phases)
        {
            assert!(phase.started_at <= phase.ended_at, "{phase:?}");
        }
        if !is_closed_later {
            // What takes time still does.
            let load = attempt
                .phases
                .iter()
                .find(|record| record.phase == Phase::AppPostDeployTasks)
                .unwrap();
            assert!(load.started_at < load.ended_at, "{load:?}");
        }
    }
}

#[tokio::test]
async fn without_a_presync_hook_the_deployment_begins_with_the_operation() {
    let at = |second: i64| Timestamp::from_second(1_700_000_000 + second).unwrap();
    let world = World::default();
    let call = Call::new(&world);
    *lock(&world.operation_start) = Some(at(-20));
    *lock(&world.deployment) = Some((at(-15), at(-5)));
    let mut plan = plan("one");
    plan.phases.pre_deployment_tasks.clear();
    plan.phases.pre_deployment_evaluations.clear();
    plan.workloads[0].phases.pre_deployment_tasks.clear();
    call.hook(Hook::PostSync, &plan, "one-1", "a")
        .await
        .unwrap();
    let ledger = world.ledger();
    let attempt = &ledger.deliveries[0].attempts[0];
    assert_eq!(attempt.started_at, at(-20));
    let times = |phase: Phase| {
        let record = attempt
            .all_phases()
            .find(|record| record.phase == phase)
            .unwrap();
        (record.started_at.unwrap(), record.ended_at.unwrap())
    };
    assert_eq!(times(Phase::AppPreDeployTasks), (at(-20), at(-20)));
    assert_eq!(times(Phase::WorkloadPreDeployTasks), (at(-20), at(-20)));
    assert_eq!(times(Phase::WorkloadDeploy), (at(-15), at(-5)));
    let (started, ended) = times(Phase::AppDeploy);
    assert!(started == at(-20) && ended > at(0), "{started} to {ended}");
    let (started, _) = times(Phase::AppPostDeployTasks);
    assert!(started >= ended, "{started} after {ended}");
}
