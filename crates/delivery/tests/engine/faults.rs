//! Kills, signals, and syncs that overlap.

use stagelink_delivery::engine::{EngineError, Hook};
use stagelink_delivery::{Outcome, Phase};
use std::time::Duration;

use crate::world::{ALL, Call, World, lock, plan};

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
    // Only what had been begun is told to have been: its Job may be there, or be gone already.
    let begun = lock(&world.begun_before).clone();
    let again: Vec<&str> = begun
        .iter()
        .filter(|(_, before)| *before)
        .map(|(definition, _)| definition.as_str())
        .collect();
    assert_eq!(again, ["load"], "{begun:?}");
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
async fn whoever_writes_in_between_costs_a_second_look_and_nothing_else() {
    for hook in [Hook::PreSync, Hook::PostSync, Hook::SyncFail] {
        let world = World::default();
        let call = Call::new(&world);
        call.sync(&plan("zero"), "op-0", "a").await;
        let ran = world.ran().len();
        *lock(&world.written_by_others) = 3;
        let end = call.hook(hook, &plan("one"), "op-1", "a").await.unwrap();
        assert_eq!((end.delivery, end.attempt), (2, 1), "{hook}");
        assert_eq!(*lock(&world.written_by_others), 0);
        let ledger = world.ledger();
        assert_eq!(ledger.deliveries.len(), 2, "{hook}");
        assert_eq!(ledger.deliveries[1].attempts.len(), 1, "{hook}");
        let expected = match hook {
            Hook::PreSync => 3,
            Hook::PostSync => ALL.len(),
            Hook::SyncFail => 0,
        };
        assert_eq!(world.ran().len() - ran, expected, "{hook}");
    }
    // For ever is too long.
    let world = World::default();
    let call = Call::new(&world);
    call.sync(&plan("zero"), "op-0", "a").await;
    *lock(&world.written_by_others) = u64::MAX;
    let error = call
        .hook(Hook::PreSync, &plan("one"), "op-1", "a")
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("changed by somebody else"),
        "{error}"
    );
}
