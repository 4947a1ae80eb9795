//! The same content again: automatic retries, a sync by hand, a commit that comes while a delivery runs.

use serde_json::json;
use stagelink_tests::cluster::Cluster;

use crate::shop::{self, FAILS, Shop, Values, WELL, assert_succeeded};

/// Argo CD's automatic retries, without the long waits between them.
fn retries(limit: u32) -> serde_json::Value {
    json!({"retry": {"limit": limit, "backoff": {"duration": "1s", "factor": 1, "maxDuration": "5s"}}})
}

#[test]
fn a_retry_answers_a_verdict_at_once_and_runs_again_what_could_not_run() {
    let Some(cluster) = Cluster::require("Argo CD's automatic retries") else {
        return;
    };
    let failing = shop::repository(
        &cluster,
        &Values {
            before: FAILS,
            ..WELL
        },
    );
    let lacking = shop::repository(
        &cluster,
        &Values {
            secret: Some("absent-at-first"),
            ..WELL
        },
    );
    let failing = (Shop::new(&cluster, &failing), failing);
    let lacking = (Shop::new(&cluster, &lacking), lacking);
    let fails = failing.0.application.begin_sync(&retries(2));
    let lacks = lacking.0.application.begin_sync(&retries(50));

    // The environment is mended while Argo CD tries again.
    lacking
        .0
        .wait_for_ledger("an attempt that could not run", |ledger| {
            ledger["deliveries"][0]["attempts"][0]["outcome"] == "error"
        });
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "absent-at-first"},
        "stringData": {"token": "mellon"},
    });
    cluster.apply(lacking.0.namespace.name(), &secret.to_string());

    let ended = failing.0.application.end_of_sync(&fails);
    assert_eq!(ended.phase, "Failed", "{}", ended.message);
    let state = &ended.application["status"]["operationState"];
    assert_eq!(state["retryCount"], 2, "{state:#}");
    assert_eq!(failing.0.outcomes(), [["fail"]]);
    assert_eq!(failing.0.tasks_run(), [1, 0]);

    assert_succeeded(&lacking.0.application.end_of_sync(&lacks));
    let outcomes = lacking.0.outcomes();
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
    let (last, before) = outcomes[0].split_last().unwrap();
    assert_eq!(last, "pass", "{outcomes:?}");
    assert!(
        before.iter().all(|outcome| outcome == "error"),
        "{outcomes:?}"
    );
    assert_eq!(lacking.0.tasks_run(), [outcomes[0].len(), 1]);

    // By hand it is tried again: a person may know more than the ledger.
    let ended = failing.0.application.sync();
    assert_eq!(ended.phase, "Failed", "{}", ended.message);
    assert_eq!(failing.0.outcomes(), [["fail", "fail"]]);
    assert_eq!(failing.0.tasks_run(), [2, 0]);
}

#[test]
fn one_chart_in_two_namespaces_is_delivered_once_in_each() {
    let Some(cluster) = Cluster::require("a chart in two namespaces") else {
        return;
    };
    let repository = shop::repository(&cluster, &WELL);
    let shops = [(); 2].map(|()| Shop::new(&cluster, &repository));
    // The second time there is nothing new; the third time a commit that changes nothing but the revision.
    for round in 0..3 {
        if round == 2 {
            repository.push("nothing of this app");
        }
        let begun = shops
            .each_ref()
            .map(|shop| shop.application.begin_sync(&json!({})));
        for (shop, id) in shops.iter().zip(begun) {
            assert_succeeded(&shop.application.end_of_sync(&id));
            assert_eq!(shop.outcomes(), [["pass"]], "in round {round}");
            assert_eq!(shop.tasks_run(), [1, 1], "in round {round}");
        }
    }
    let [one, other] = shops.each_ref().map(Shop::ledger);
    assert_ne!(one["id"], other["id"], "traces of one are not of the other");
}

#[test]
fn a_commit_that_comes_while_a_delivery_runs_is_delivered_after_it() {
    let Some(cluster) = Cluster::require("a commit while a delivery runs") else {
        return;
    };
    let values = Values {
        after: &["/probe", "sleep", "6s"],
        ..WELL
    };
    let repository = shop::repository(&cluster, &values);
    let first = repository.push("the first");
    let shop = Shop::new(&cluster, &repository);
    shop.automate(&json!({}));
    shop.wait_for_ledger("a task after the deployment", |ledger| {
        let phases = &ledger["deliveries"][0]["attempts"][0]["phases"];
        let mut phases = phases.as_array().into_iter().flatten();
        phases.any(|phase| phase["phase"] == "AppPostDeployTasks" && phase["items"][0].is_object())
    });
    let second = shop::commit(
        &repository,
        &Values {
            version: "v2",
            ..values
        },
    );
    shop.application.refresh();
    shop.wait_for_commit(&second);
    assert_eq!(shop.outcomes(), [["pass"], ["pass"]]);
    assert_eq!(shop.tasks_run(), [2, 2]);
    assert_eq!(shop.version(), "v2");
    let ledger = shop.ledger();
    let revisions: Vec<_> = ledger["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|delivery| delivery["attempts"][0]["revision"].clone())
        .collect();
    assert_eq!(revisions, [first, second]);
}
