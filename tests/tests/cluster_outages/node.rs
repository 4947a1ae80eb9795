//! A node that is gone for good, with the hooks and tasks that ran on it.

use serde_json::json;
use stagelink_tests::cluster::{Cluster, Server, parameter};

use crate::shop::{self, Shop, Values, WELL, assert_succeeded};

const LASTS: &[&str] = &["/probe", "sleep", "15s"];

/// A cluster without its node, until this is dropped: then there is a new one.
struct Lost(Server);

impl Lost {
    fn new(cluster: &Cluster) -> Self {
        let kubelet = cluster.server("kubelet");
        kubelet.kill();
        let lost = Self(kubelet);
        // As a cloud's controller does when the machine is gone; the pods that ran there go, too.
        cluster.run(&["delete", "nodes", "--all"]);
        lost
    }
}

impl Drop for Lost {
    fn drop(&mut self) {
        self.0.start_again();
    }
}

#[test]
fn a_delivery_survives_the_node_that_its_hook_ran_on() {
    let Some(cluster) = Cluster::require("a node that is lost") else {
        return;
    };
    let _turn = crate::turn();
    let values = Values {
        before: LASTS,
        ..WELL
    };
    let once = shop::repository(&cluster, &values);
    let again = shop::repository(
        &cluster,
        &Values {
            retries: 1,
            ..values
        },
    );
    let job = Shop::new(&cluster, &once);
    let retried = Shop::new(&cluster, &again);
    let pod = Shop::with_parameters(&cluster, &again, &[parameter("hook-kind", "pod")]);
    let shops = [&retried, &job, &pod];
    let operations = shops.map(|shop| shop.application.begin_sync(&json!({})));
    for shop in shops {
        shop.wait_for_phase("AppPreDeployTasks");
    }
    {
        let _lost = Lost::new(&cluster);
        for shop in shops {
            shop.wait_until_gone(&[
                "pods",
                "--selector=app!=web",
                "--field-selector=spec.nodeName!=",
            ]);
        }
    }

    let [retried_end, job_end, pod_end] = operations;
    let end = |shop: &Shop, id: &str| {
        let application = &shop.application;
        application.end_of_sync_within(id, crate::PATIENCE)
    };
    // The hook's Job has a new pod on another node, which goes on, and so has the task's.
    assert_succeeded(&end(&retried, &retried_end));
    assert_eq!(retried.outcomes(), [["pass"]]);

    // A task that is to run once only is not run again in the same attempt: nobody knows how far it got.
    let ended = end(&job, &job_end);
    assert_eq!(ended.phase, "Failed", "{}", ended.message);
    let reason = ended.hook("SyncFail").unwrap()["message"].to_string();
    let expected =
        "before: its pod was taken away before it had ended: PodGC: node no longer exists";
    assert!(reason.contains(expected), "{reason}");

    // A hook that is a pod of its own is gone, and the sync with it.
    let ended = end(&pod, &pod_end);
    assert_eq!(ended.phase, "Failed", "{}", ended.message);

    for shop in [job, pod] {
        assert_succeeded(&shop.application.sync());
        assert_eq!(shop.outcomes(), [["error", "pass"]]);
    }
}
