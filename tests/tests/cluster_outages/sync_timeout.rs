//! Argo CD ends syncs by itself that take longer than all of them may (`controller.sync.timeout.seconds`).

use serde_json::json;
use stagelink_tests::cluster::{Cluster, Server};

use crate::shop::{self, RUNS_ON, Shop, Values, WELL, assert_succeeded};

const CONTROLLER: &str = "argocd-application-controller";

/// A controller with a timeout; the usual one is back when the test ends.
struct Impatient {
    cluster: Cluster,
    usual: Server,
}

impl Impatient {
    fn new(cluster: &Cluster) -> Self {
        let usual = cluster.server(CONTROLLER);
        usual.kill();
        usual.start_again_with(&["ARGOCD_APPLICATION_CONTROLLER_SYNC_TIMEOUT=15"]);
        Self {
            cluster: cluster.clone(),
            usual,
        }
    }
}

impl Drop for Impatient {
    fn drop(&mut self) {
        self.cluster.server(CONTROLLER).kill();
        self.usual.start_again();
    }
}

#[test]
fn a_sync_that_times_out_stops_its_tasks_and_the_next_one_delivers() {
    let Some(cluster) = Cluster::require("syncs that time out") else {
        return;
    };
    let _turn = crate::turn();
    let repository = shop::repository(
        &cluster,
        &Values {
            before: RUNS_ON,
            ..WELL
        },
    );
    let shop = Shop::new(&cluster, &repository);
    {
        let _impatient = Impatient::new(&cluster);
        let id = shop.application.begin_sync(&json!({}));
        let ended = shop.application.end_of_sync(&id);
        assert_eq!(ended.phase, "Failed", "{}", ended.message);
        let timed_out = ended.message.contains("controller sync timeout");
        assert!(timed_out, "{}", ended.message);
        // Neither a hook nor a task is at work any more.
        shop.wait_until_gone(&[
            "pods",
            "--selector=app!=web",
            "--field-selector=status.phase=Running",
        ]);
        assert_eq!(shop.tasks_run(), [1, 0]);
    }
    shop::commit(&repository, &WELL);
    let id = shop.application.begin_sync(&json!({}));
    assert_succeeded(&shop.application.end_of_sync(&id));
    assert_eq!(shop.outcomes(), [["error"], ["pass"]]);
    assert_eq!(shop.tasks_run(), [2, 1]);
}
