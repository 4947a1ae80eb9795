//! An Application that is deleted with all that it deployed.

use serde_json::json;
use stagelink_tests::cluster::{Cluster, parameter};

use crate::shop::{self, RUNS_ON, Shop, Values, WELL, assert_succeeded};

/// What Stagelink and its tasks leave in a namespace: kinds and names, but for what a namespace always has.
fn left(shop: &Shop) -> Vec<String> {
    let kinds = "configmaps,jobs,pods,roles,rolebindings,serviceaccounts,deployments";
    let found = shop.cluster.list(shop.namespace.name(), kinds, "");
    let mut names: Vec<String> = found
        .iter()
        .map(|resource| {
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            let name = text(&resource["metadata"]["name"]);
            format!("{} {name}", text(&resource["kind"]))
        })
        .filter(|name| name != "ServiceAccount default" && name != "ConfigMap kube-root-ca.crt")
        .collect();
    names.sort();
    names
}

#[test]
fn a_deleted_application_leaves_nothing_but_its_ledger_if_that_is_kept() {
    let Some(cluster) = Cluster::require("deleting Applications") else {
        return;
    };
    let delivered = shop::repository(&cluster, &WELL);
    let running = shop::repository(
        &cluster,
        &Values {
            before: RUNS_ON,
            ..WELL
        },
    );
    let gone = Shop::new(&cluster, &delivered);
    let kept = Shop::with_parameters(&cluster, &delivered, &[parameter("keep-ledger", "true")]);
    let kept_later = Shop::new(&cluster, &delivered);
    let at_work = Shop::new(&cluster, &running);
    at_work.application.begin_sync(&json!({}));
    let shops = [&gone, &kept, &kept_later];
    let begun = shops.map(|shop| shop.application.begin_sync(&json!({})));
    for (shop, id) in shops.into_iter().zip(begun) {
        assert_succeeded(&shop.application.end_of_sync(&id));
    }
    kept_later
        .application
        .patch(&json!({"spec": {"source": {"plugin": {
            "parameters": [parameter("stage", "dev"), parameter("keep-ledger", "true")],
        }}}}));
    let id = kept_later
        .application
        .begin_sync(&json!({"sync": {"prune": true}}));
    assert_succeeded(&kept_later.application.end_of_sync(&id));
    kept_later.application.wait("in sync", |application| {
        application["status"]["sync"]["status"] == "Synced"
    });
    at_work.wait_for_ledger("a task that runs", |ledger| {
        ledger["deliveries"][0]["attempts"][0]["phases"][0]["items"][0].is_object()
    });
    let ledgers = [&kept, &kept_later].map(Shop::ledger);

    let shops = [&gone, &kept, &kept_later, &at_work];
    let applications = shops.map(|shop| shop.application.name());
    let kubectl = |words: &[&str], more: &[&str]| {
        let kind = "applications.argoproj.io";
        let arguments = [
            &["--namespace", "argocd"],
            words,
            &[kind],
            &applications,
            more,
        ]
        .concat();
        cluster.run(&arguments);
    };
    kubectl(&["delete"], &["--wait=false"]);
    // Argo CD deletes nothing while an operation runs.
    at_work
        .application
        .patch(&json!({"status": {"operationState": {"phase": "Terminating"}}}));
    kubectl(&["wait", "--for=delete"], &["--timeout=150s"]);

    for shop in shops {
        shop.wait_until_gone(&["jobs,pods", "--all"]);
    }
    assert_eq!(left(&gone), [""; 0]);
    // No task, hook, right or ledger of a delivery that was cut off.
    assert_eq!(left(&at_work), [""; 0]);
    for (shop, ledger) in [&kept, &kept_later].into_iter().zip(ledgers) {
        let name = format!("ConfigMap {}-stagelink-ledger", shop.application.name());
        assert_eq!(left(shop), [name]);
        assert_eq!(shop.ledger(), ledger);
    }
}
