//! What people and Argo CD do beside full syncs, and the delivery after it.

use serde_json::{Value, json};
use stagelink_tests::cluster::{Cluster, Ended};

use crate::shop::{self, RUNS_ON, Shop, Values, WELL, assert_succeeded};

const V2: Values = Values {
    version: "v2",
    ..WELL
};

/// A sync that ran no hook.
fn assert_no_hooks(ended: &Ended) {
    assert_succeeded(ended);
    for hook in ["PreSync", "PostSync", "SyncFail"] {
        assert!(ended.hook(hook).is_none(), "{:#?}", ended.resources);
    }
}

#[test]
fn self_heal_undoes_an_edit_and_is_no_delivery() {
    let Some(cluster) = Cluster::require("self-heal") else {
        return;
    };
    let repository = shop::repository(&cluster, &WELL);
    let first = repository.push("the first");
    let shop = Shop::new(&cluster, &repository);
    shop.automate(&json!({"selfHeal": true}));
    shop.wait_for_commit(&first);
    let ledger = shop.ledger();

    let edit = json!({"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 2}}}});
    cluster.run(&[
        "--namespace",
        shop.namespace.name(),
        "patch",
        "deployment",
        "web",
        "--patch",
        &edit.to_string(),
    ]);
    cluster.wait(
        shop.namespace.name(),
        "deployment",
        "web",
        "healed",
        |deployment| {
            let generation = deployment["metadata"]["generation"].as_u64();
            let grace = &deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"];
            generation >= Some(3) && *grace == 1
        },
    );
    let healed = shop.application.wait("healed it", |application| {
        let state = &application["status"]["operationState"];
        state["operation"]["sync"]["resources"].is_array() && state["phase"] == "Succeeded"
    });
    let resources = &healed["status"]["operationState"]["syncResult"]["resources"];
    assert!(
        resources
            .as_array()
            .unwrap()
            .iter()
            .all(|resource| resource["hookType"].is_null()),
        "{resources:#}"
    );
    assert_eq!(shop.ledger(), ledger);

    let second = shop::commit(&repository, &V2);
    shop.application.refresh();
    shop.wait_for_commit(&second);
    assert_eq!(shop.outcomes(), [["pass"], ["pass"]]);
    assert_eq!(shop.tasks_run(), [2, 2]);
    // The edit, and what undid it.
    assert_eq!(
        noticed(&shop, 2),
        json!([
            "Deployment web was changed 2 times after delivery 1 attempt 1, by something that ran no hooks"
        ])
    );
}

/// What a delivery noticed of what happened before it.
fn noticed(shop: &Shop, delivery: usize) -> Value {
    shop.ledger()["deliveries"][delivery - 1]["attempts"][0]["noticed"].clone()
}

#[test]
fn syncs_without_hooks_leave_the_delivery_to_the_next_whole_sync() {
    let Some(cluster) = Cluster::require("syncs without hooks") else {
        return;
    };
    let repository = shop::repository(&cluster, &WELL);
    let first = repository.push("the first");
    let shops = [(); 3].map(|()| Shop::new(&cluster, &repository));
    let begun = shops
        .each_ref()
        .map(|shop| shop.application.begin_sync(&json!({})));
    for (shop, id) in shops.iter().zip(begun) {
        assert_succeeded(&shop.application.end_of_sync(&id));
    }
    shop::commit(&repository, &V2);

    // A part, all with another strategy, and all with a way back to what was there before.
    let apply = json!({"sync": {"syncStrategy": {"apply": {}}}});
    let part =
        json!({"sync": {"resources": [{"group": "apps", "kind": "Deployment", "name": "web"}]}});
    let back = json!({"sync": {"revision": first, "syncStrategy": {"apply": {}}}});
    let steps = [vec![&part], vec![&apply], vec![&apply, &back]];
    let before = shops.each_ref().map(Shop::ledger);
    for ((shop, steps), before) in shops.iter().zip(steps).zip(before) {
        for step in steps {
            let id = shop.application.begin_sync(step);
            assert_no_hooks(&shop.application.end_of_sync(&id));
        }
        assert_eq!(shop.ledger(), before);
    }
    assert_eq!(
        shops.each_ref().map(Shop::version),
        ["v2", "v2", "v1"],
        "what was synced is there"
    );

    // v2 has not been delivered yet, although it runs.
    let begun = shops
        .each_ref()
        .map(|shop| shop.application.begin_sync(&json!({})));
    let changes = [
        "once (now v2, was v1)",
        "once (now v2, was v1)",
        // There and back.
        "2 times",
    ];
    let by = "after delivery 1 attempt 1, by something that ran no hooks";
    for ((shop, id), change) in shops.iter().zip(begun).zip(changes) {
        assert_succeeded(&shop.application.end_of_sync(&id));
        assert_eq!(shop.outcomes(), [["pass"], ["pass"]]);
        assert_eq!(shop.tasks_run(), [2, 2]);
        assert_eq!(shop.version(), "v2");
        let expected = json!([format!("Deployment web was changed {change} {by}")]);
        assert_eq!(noticed(shop, 2), expected);
    }

    // A way back without hooks, and whole syncs to what has passed: nothing is delivered again, but told.
    let [shop, ..] = shops;
    let id = shop.application.begin_sync(&back);
    assert_no_hooks(&shop.application.end_of_sync(&id));
    assert_eq!(shop.version(), "v1");
    let before = shop.ledger();
    let id = shop.application.begin_sync(&json!({}));
    let ended = shop.application.end_of_sync(&id);
    assert_succeeded(&ended);
    assert_eq!((shop.version(), shop.ledger()), (json!("v2"), before));
    let hook = ended.hook("PreSync").unwrap();
    let name = format!("job/{}", hook["name"].as_str().unwrap());
    let log = shop
        .cluster
        .run(&["--namespace", shop.namespace.name(), "logs", &name]);
    let expected = "noticed: Deployment web was changed once (now v1, was v2) after delivery 2 attempt 1, by something that ran no hooks";
    assert!(log.contains(expected), "{log}");
    assert!(
        log.contains("delivery 2 attempt 1 had already passed"),
        "{log}"
    );
}

/// Where a delivery is when its operation is terminated.
struct Moment {
    values: Values,
    reached: fn(&Shop),
    tasks: [usize; 2],
}

#[test]
fn a_terminated_operation_stops_its_tasks_and_the_next_sync_delivers() {
    let Some(cluster) = Cluster::require("terminating operations") else {
        return;
    };
    let moments = [
        Moment {
            values: Values {
                before: RUNS_ON,
                ..WELL
            },
            reached: |shop| shop.wait_for_phase("AppPreDeployTasks"),
            tasks: [1, 0],
        },
        Moment {
            values: Values {
                ready_after: "10m",
                ..WELL
            },
            reached: Shop::wait_until_applied,
            tasks: [1, 0],
        },
        Moment {
            values: Values {
                after: RUNS_ON,
                ..WELL
            },
            reached: |shop| shop.wait_for_phase("AppPostDeployTasks"),
            tasks: [1, 1],
        },
    ];
    let shops: Vec<_> = moments
        .iter()
        .map(|moment| {
            let repository = shop::repository(&cluster, &moment.values);
            (Shop::new(&cluster, &repository), repository)
        })
        .collect();
    let begun: Vec<_> = shops
        .iter()
        .map(|(shop, _)| shop.application.begin_sync(&json!({})))
        .collect();
    for ((shop, _), moment) in shops.iter().zip(&moments) {
        (moment.reached)(shop);
        // What `argocd app terminate-op` does.
        shop.application
            .patch(&json!({"status": {"operationState": {"phase": "Terminating"}}}));
    }
    for (((shop, _), id), moment) in shops.iter().zip(begun).zip(&moments) {
        let ended = shop.application.end_of_sync(&id);
        assert_eq!(ended.phase, "Failed", "{}", ended.message);
        assert!(ended.message.contains("terminated"), "{}", ended.message);
        // Neither a hook nor a task is at work any more.
        let running = "--field-selector=status.phase=Running";
        shop.wait_until_gone(&["pods", "--selector=app!=web", running]);
        let run = shop.tasks_run();
        assert!(
            run.iter().zip(moment.tasks).all(|(run, most)| *run <= most),
            "{run:?} of {:?}",
            moment.tasks
        );
    }

    let begun: Vec<_> = shops
        .iter()
        .map(|(shop, repository)| {
            shop::commit(repository, &V2);
            shop.application.begin_sync(&json!({}))
        })
        .collect();
    for ((shop, _), id) in shops.iter().zip(begun) {
        assert_succeeded(&shop.application.end_of_sync(&id));
        assert_eq!(shop.outcomes(), [["error"], ["pass"]]);
        let ledger = shop.ledger();
        let terminated = &ledger["deliveries"][0]["attempts"][0];
        assert!(terminated["endedAt"].is_string(), "{terminated:#}");
        assert!(is_closed(terminated), "{terminated:#}");
    }
}

/// Whether nothing that had begun is still open.
fn is_closed(attempt: &Value) -> bool {
    let phases = attempt["phases"].as_array().unwrap().iter();
    phases
        .clone()
        .all(|phase| phase["startedAt"].is_null() == phase["endedAt"].is_null())
        && phases
            .flat_map(|phase| phase["items"].as_array().into_iter().flatten())
            .all(|item| item["endedAt"].is_string())
}
