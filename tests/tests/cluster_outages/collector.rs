//! A collector of spans that is away, refuses or hangs: deliveries do not wait for it, and it gets all
//! spans when it is back.

use stagelink_tests::cluster::{Cluster, Server, parameter};

use crate::shop::{self, Shop, Values, WELL, assert_succeeded};
use crate::traced::{JAEGER, Stage, assert_whole, begin, traces};

use serde_json::json;

/// Nobody has this name.
const NOWHERE: &str = "http://no-collector.monitoring.svc.cluster.local:4317";

/// Jaeger, which takes connections and answers nothing until this is dropped.
struct Hanging(Server);

impl Hanging {
    fn new(cluster: &Cluster) -> Self {
        let server = cluster.server("jaeger");
        server.pause();
        Self(server)
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        self.0.resume();
    }
}

/// Where the rig's machine refuses connections of pods.
fn refusing(cluster: &Cluster) -> String {
    let git = cluster.address("RIG_GIT_FROM_PODS");
    let (machine, _) = git.rsplit_once(':').unwrap();
    format!("{machine}:4319")
}

/// Each of a stage's hooks said that what it could not send is kept.
fn assert_kept(shop: &Shop) {
    for hook in ["presync", "postsync"] {
        let jobs = shop.cluster.list(
            shop.namespace.name(),
            "jobs",
            "app.kubernetes.io/component=hooks",
        );
        let mut names = jobs
            .iter()
            .filter_map(|job| job["metadata"]["name"].as_str());
        let name = names.find(|name| name.contains(hook)).unwrap();
        let log = shop.cluster.run(&[
            "--namespace",
            shop.namespace.name(),
            "logs",
            &format!("job/{name}"),
        ]);
        assert!(log.contains("kept in the ledger"), "{log}");
    }
}

#[test]
fn no_span_is_lost_and_no_delivery_fails_while_the_collector_is_away() {
    let Some(cluster) = Cluster::require("a collector that is away") else {
        return;
    };
    let _turn = crate::turn();
    let collectors = [JAEGER, NOWHERE, &refusing(&cluster)];
    let stages = collectors.map(|collector| Stage::new(&cluster, &WELL, collector));
    {
        let _hanging = Hanging::new(&cluster);
        for (stage, id) in stages.iter().zip(begin(&stages)) {
            assert_succeeded(&stage.shop.application.end_of_sync(&id));
            assert_kept(&stage.shop);
        }
    }
    let parameters = [
        parameter("stage", "dev"),
        parameter("otlp-endpoint", JAEGER),
    ];
    for stage in &stages[1..] {
        stage.shop.application.patch(&json!({
            "spec": {"source": {"plugin": {"parameters": parameters}}},
        }));
    }

    // The next delivery's hooks send what is left, and once.
    for stage in &stages {
        let next = Values {
            version: "v2",
            promotes: true,
            ..WELL
        };
        shop::commit(&stage.repository, &next);
    }
    for (Stage { shop, .. }, id) in stages.iter().zip(begin(&stages)) {
        assert_succeeded(&shop.application.end_of_sync(&id));
        assert_eq!(shop.outcomes(), [["pass"], ["pass"]]);
        assert_eq!(shop.tasks_run(), [2, 2]);
        let traces = traces(shop);
        assert_eq!(traces.len(), 2);
        for trace in traces {
            assert_whole(&cluster, &trace);
        }
    }
}
