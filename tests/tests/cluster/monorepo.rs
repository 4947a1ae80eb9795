//! Commits of a repository of many apps, with Argo CD syncing by itself.

use serde_json::json;
use stagelink_tests::cluster::Cluster;

use crate::shop::{self, Shop, Values, WELL};

#[test]
fn a_commit_elsewhere_starts_no_sync_and_no_hook() {
    let Some(cluster) = Cluster::require("a commit elsewhere") else {
        return;
    };
    let repository = shop::repository(&cluster, &WELL);
    let first = repository.push("the first");
    let shop = Shop::new(&cluster, &repository);
    shop.automate(&json!({}));
    let before = shop.wait_for_commit(&first);
    let ledger = shop.ledger();

    repository.write("elsewhere/README.md", "nothing of this app\n");
    let second = repository.push("elsewhere");
    shop.application.refresh();
    let after = shop
        .application
        .wait("looked at the second commit", |application| {
            application["status"]["sync"]["revision"] == second
        });
    assert_eq!(after["status"]["sync"]["status"], "Synced");
    assert_eq!(after["operation"], json!(null));
    // What would be seen if there had been a sync: it is the operation of the first commit.
    let operation = |application: &serde_json::Value| {
        let state = &application["status"]["operationState"];
        [state["startedAt"].clone(), state["phase"].clone()]
    };
    assert_eq!(operation(&after), operation(&before));

    // The next commit of the app is the one that is delivered.
    let values = Values {
        version: "v2",
        ..WELL
    };
    let third = shop::commit(&repository, &values);
    shop.application.refresh();
    shop.wait_for_commit(&third);
    let later = shop.ledger();
    assert_eq!(later["deliveries"][0], ledger["deliveries"][0]);
    assert_eq!(shop.outcomes(), [["pass"], ["pass"]]);
    assert_eq!(shop.tasks_run(), [2, 2]);
    assert_eq!(
        later["deliveries"][1]["attempts"][0]["revision"], third,
        "{later:#}"
    );
}
