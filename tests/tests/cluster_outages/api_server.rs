//! The API server goes away in the middle of deliveries.

use std::time::Duration;

use stagelink_tests::cluster::Cluster;

use crate::shop::{Values, WELL};
use crate::traced::{JAEGER, Stage, begin};

/// As long as one that moves to another machine.
const AWAY: Duration = Duration::from_secs(60);

/// Long enough for all deliveries to be where they are wanted, and over before the API server is back.
const LASTS: &[&str] = &["/probe", "sleep", "50s"];

#[test]
fn deliveries_go_on_when_the_api_server_is_back_after_a_minute() {
    let Some(cluster) = Cluster::require("an API server that is away") else {
        return;
    };
    let _turn = crate::turn();
    let moments = [
        Values {
            before: LASTS,
            ..WELL
        },
        Values {
            ready_after: "50s",
            ..WELL
        },
        Values {
            after: LASTS,
            ..WELL
        },
    ];
    let stages = moments.map(|values| Stage::new(&cluster, &values, JAEGER));
    // The last one needs longest to get to its moment.
    let last = begin(&stages[2..]);
    let operations = [begin(&stages[..2]), last].concat();
    stages[0].shop.wait_for_phase("AppPreDeployTasks");
    stages[1].shop.wait_until_applied();
    stages[2].shop.wait_for_phase("AppPostDeployTasks");

    let server = cluster.server("kube-apiserver");
    server.kill();
    std::thread::sleep(AWAY);
    server.start_again();
    for (stage, operation) in stages.iter().zip(&operations) {
        stage.assert_delivered_once(operation);
    }
}
