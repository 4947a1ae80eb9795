//! Stages that are promoted from and whose spans go to Jaeger, and what must be so of each of its deliveries that passed.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stagelink_tests::cluster::{Cluster, Repository, parameter, parent};
use stagelink_tests::wait_until;

use crate::shop::{self, Shop, Values, assert_succeeded};

/// Where pods find the rig's Jaeger.
pub(crate) const JAEGER: &str = "http://jaeger-collector.monitoring.svc.cluster.local:4317";

/// The branch that proposes a version to the next stage.
const PROMOTION: &str = "promotion/shop/prod";

/// A stage with a repository of its own, which its promotions go to, too.
pub(crate) struct Stage {
    pub(crate) shop: Shop,
    pub(crate) repository: Repository,
}

impl Stage {
    /// One that is not synced yet.
    pub(crate) fn new(cluster: &Cluster, values: &Values, collector: &str) -> Self {
        let repository = shop::repository(
            cluster,
            &Values {
                promotes: true,
                ..values.clone()
            },
        );
        let parameters = [parameter("otlp-endpoint", collector)];
        let shop = Shop::with_parameters(cluster, &repository, &parameters);
        Self { shop, repository }
    }

    /// Waits until it has been delivered: once, by tasks that ran once, promoted by one commit and told of
    /// by one trace, which the promotion names.
    pub(crate) fn assert_delivered_once(&self, operation: &str) {
        let shop = &self.shop;
        let patience = crate::PATIENCE;
        assert_succeeded(&shop.application.end_of_sync_within(operation, patience));
        assert_eq!(shop.outcomes(), [["pass"]]);
        assert_eq!(shop.tasks_run(), [1, 1]);
        assert_eq!(shop.version(), "v1");
        let traces = traces(shop);
        assert_whole(&shop.cluster, &traces[0]);
        assert_eq!(self.repository.branches(), [PROMOTION]);
        assert_eq!(self.repository.commits(PROMOTION).len(), 1);
        let proposed = self.repository.show(PROMOTION, "prod/values.yaml");
        assert!(proposed.contains("version: v1\n"), "{proposed}");
        assert!(proposed.contains(&traces[0]), "{proposed}");
    }
}

/// Begins to sync stages side by side; what says of their operations that they are these.
pub(crate) fn begin<'a>(stages: impl IntoIterator<Item = &'a Stage>) -> Vec<String> {
    let begin = |stage: &Stage| stage.shop.application.begin_sync(&json!({}));
    stages.into_iter().map(begin).collect()
}

/// The traces of a stage's deliveries, the newest first.
pub(crate) fn traces(shop: &Shop) -> Vec<String> {
    let name = format!("{}-stagelink-ledger", shop.application.name());
    let map = shop
        .cluster
        .get(shop.namespace.name(), "configmap", &name)
        .unwrap();
    let summary = map["data"]["summary"].as_str().unwrap().to_owned();
    // Of a line's words the only one that long but for the revision, which has 40.
    let trace_id = |line: &str| {
        let mut words = line.split_whitespace();
        words.find(|word| word.len() == 32).unwrap().to_owned()
    };
    summary.lines().map(trace_id).collect()
}

/// Jaeger has all spans of a delivery that passed, and one root, which is sent last. What it took too late to
/// say so is sent again, as the same span.
pub(crate) fn assert_whole(cluster: &Cluster, trace: &str) {
    let mut spans = BTreeMap::new();
    wait_until(&format!("Jaeger has the root of {trace}"), || {
        let found = cluster.jaeger_trace(trace).into_iter();
        spans = found
            .map(|span| (span["spanID"].to_string(), span))
            .collect();
        spans.values().any(|span| parent(span).is_none())
    });
    let roots = spans.values().filter(|span| parent(span).is_none()).count();
    assert_eq!(roots, 1, "{spans:#?}");
    for name in [
        "AppPreDeployTasks",
        "pre-before-",
        "AppDeploy",
        "shop-web/WorkloadDeploy",
        "AppPostDeployTasks",
        "post-after-",
    ] {
        let named = |span: &&Value| {
            let other = span["operationName"].as_str().unwrap_or_default();
            other.starts_with(name)
        };
        let count = spans.values().filter(named).count();
        assert_eq!(count, 1, "{name} in {spans:#?}");
    }
}
