//! The way of one release, with the demo's charts: dev, its promotion, prod, and the trace that links them.

use std::collections::BTreeMap;

use serde_json::Value;
use stagelink_tests::cluster::{Application, Cluster, Ended, Repository, parameter, parent};
use stagelink_tests::{repository, wait_until};

/// Where pods send spans to.
const COLLECTOR: &str = "http://jaeger-collector.monitoring.svc.cluster.local:4317";
const PROMOTION: &str = "promotion/simple-go/prod";

/// A copy of the demo's charts in a repository of the test's own.
fn charts(cluster: &Cluster) -> Repository {
    let charts = Repository::new(cluster, "release");
    charts.add_folder(&repository().join("charts"), "charts");
    charts
}

fn stage(cluster: &Cluster, charts: &Repository, stage: &str, namespace: &str) -> Application {
    Application::new(
        cluster,
        &format!("simple-go-{stage}"),
        charts,
        &format!("charts/simple-go-{stage}"),
        namespace,
        &[
            parameter("stage", stage),
            parameter("otlp-endpoint", COLLECTOR),
            // On a rig that has Keptn's kinds from other tests, Argo CD fails over a KeptnMetric that no operator has seen.
            parameter("keptn-resources", "omit"),
            parameter("trace-url", "https://jaeger.example.com/trace/{traceId}"),
        ],
    )
}

/// Sets the version that dev is to deliver.
fn release(charts: &Repository, old: &str, new: &str) -> String {
    let values = "charts/simple-go-dev/values.yaml";
    charts.replace(
        values,
        &format!("serviceVersion: {old}\n"),
        &format!("serviceVersion: {new}\n"),
    );
    charts.push(new)
}

/// The traceparent that the promotion wrote, as trace and span id.
fn trace_parent(charts: &Repository) -> (String, String) {
    let values = std::fs::read_to_string(charts.path("charts/simple-go-prod/values.yaml")).unwrap();
    let line = values
        .lines()
        .find_map(|line| line.strip_prefix("traceParent: "))
        .expect("prod has a traceParent");
    let mut parts = line.trim_matches('"').split('-').skip(1);
    (
        parts.next().expect("a trace id").to_owned(),
        parts.next().expect("a span id").to_owned(),
    )
}

fn assert_succeeded(ended: &Ended) {
    assert_eq!(
        ended.phase, "Succeeded",
        "{}: {:#?}",
        ended.message, ended.resources
    );
}

/// The outcomes of a stage's deliveries, in order; each was tried once, by all of its hooks together.
fn outcomes(cluster: &Cluster, namespace: &str, stage: &Application) -> Vec<String> {
    let ledger = cluster.ledger(namespace, stage.name());
    let deliveries = ledger["deliveries"].as_array().unwrap();
    deliveries
        .iter()
        .map(|delivery| {
            let attempts = delivery["attempts"].as_array().unwrap();
            assert_eq!(attempts.len(), 1, "{delivery:#}");
            let jobs = attempts[0]["operation"]["jobs"].as_object().unwrap();
            assert!(jobs.contains_key("PreSync"), "{delivery:#}");
            assert!(jobs.contains_key("PostSync"), "{delivery:#}");
            attempts[0]["outcome"].as_str().unwrap_or("open").to_owned()
        })
        .collect()
}

/// Spans of a trace by their names, once it has a root (which is sent last).
fn spans(cluster: &Cluster, trace: &str) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    wait_until(&format!("Jaeger has trace {trace} with its root"), || {
        let spans = cluster.jaeger_trace(trace);
        let has_root = spans.iter().any(|span| parent(span).is_none());
        found = spans
            .into_iter()
            .map(|span| {
                (
                    span["operationName"]
                        .as_str()
                        .unwrap_or_default()
                        .to_owned(),
                    span,
                )
            })
            .collect();
        has_root
    });
    found
}

#[test]
fn a_release_goes_from_dev_to_prod_and_leaves_one_linked_trace() {
    let Some(cluster) = Cluster::require("a release through two stages") else {
        return;
    };
    let charts = charts(&cluster);
    let dev_namespace = cluster.future_namespace("release-dev");
    let prod_namespace = cluster.future_namespace("release-prod");
    charts.push("v1");
    let dev = stage(&cluster, &charts, "dev", dev_namespace.name());
    assert_succeeded(&dev.sync());

    // v2 passes its checks in dev, and is proposed for prod.
    let revision = release(&charts, "v1", "v2");
    let delivered = dev.sync();
    assert_succeeded(&delivered);
    assert_eq!(charts.branches(), [PROMOTION]);
    charts.merge(PROMOTION);
    let (dev_trace, promotion_span) = trace_parent(&charts);
    let prod = stage(&cluster, &charts, "prod", prod_namespace.name());
    assert_succeeded(&prod.sync());
    let running = cluster
        .get(prod_namespace.name(), "deployment", "simple-go-service")
        .expect("prod is deployed");
    let labels = &running["spec"]["template"]["metadata"]["labels"];
    assert_eq!(labels["app.kubernetes.io/version"], "v2");

    assert_eq!(
        outcomes(&cluster, dev_namespace.name(), &dev),
        ["pass", "pass"]
    );
    assert_eq!(outcomes(&cluster, prod_namespace.name(), &prod), ["pass"]);

    // Argo CD shows a link to the trace at each hook.
    for hook in ["PreSync", "PostSync"] {
        let hook = delivered.hook(hook).expect("the hook ran");
        let name = hook["name"].as_str().unwrap();
        let job = cluster.get(dev_namespace.name(), "job", name);
        let link = &job.expect("Jobs are kept")["metadata"]["annotations"]["link.argocd.argoproj.io/trace"];
        let expected = format!("https://jaeger.example.com/trace/{dev_trace}");
        assert_eq!(link, expected.as_str());
    }

    // Jaeger shows both traces, and the link between them.
    let dev_spans = spans(&cluster, &dev_trace);
    assert_eq!(dev_spans["PromotionTasks"]["spanID"], promotion_span);
    let root = dev_spans
        .values()
        .find(|span| parent(span).is_none())
        .unwrap();
    let tags = root["tags"].as_array().unwrap();
    assert!(
        tags.iter().any(|tag| tag["value"] == revision),
        "no commit {revision} in {root:#}"
    );
    // What it cost the API server, and how the workload came up.
    let tag = |span: &Value, key: &str| {
        let tags = span["tags"].as_array()?;
        let tag = tags.iter().find(|tag| tag["key"] == key)?;
        Some(tag["value"].clone())
    };
    let calls = |key: &str| {
        let value = tag(root, key).and_then(|value| value.as_u64());
        value.unwrap_or_else(|| panic!("no {key}: {root:#}"))
    };
    let (before, after) = (
        calls("stagelink.api_calls.presync"),
        calls("stagelink.api_calls.postsync"),
    );
    assert!(before > 0 && after > 0);
    assert_eq!(calls("stagelink.api_calls"), before + after);
    let deployed = &dev_spans["simple-go-simple-go-service/WorkloadDeploy"];
    let first_ready = "stagelink.workload.first_ready";
    let ready = tag(deployed, first_ready).expect("a replica was ready");
    let ready: jiff::Timestamp = ready.as_str().unwrap().parse().unwrap();
    let start = deployed["startTime"].as_i64().unwrap();
    let end = start + deployed["duration"].as_i64().unwrap();
    assert!(
        (start..=end).contains(&ready.as_microsecond()),
        "{ready}: {deployed:#}"
    );
    // What the release did not change was ready before.
    let unchanged = dev_spans.iter().filter(|(name, span)| {
        name.ends_with("/WorkloadDeploy") && tag(span, first_ready).is_none()
    });
    assert_eq!(unchanged.count(), 1, "{:?}", dev_spans.keys());
    for phase in [
        "AppPreDeployTasks",
        "AppDeploy",
        "AppPostDeployTasks",
        "AppPostDeployEvaluations",
    ] {
        assert!(
            dev_spans.contains_key(phase),
            "no {phase}: {:?}",
            dev_spans.keys()
        );
    }
    let mut linked = Vec::new();
    wait_until("Jaeger has prod's root with a link to dev", || {
        linked = cluster
            .jaeger_traces_of(root)
            .into_iter()
            .filter(|span| {
                span["references"].as_array().is_some_and(|references| {
                    references.iter().any(|reference| {
                        reference["refType"] == "FOLLOWS_FROM"
                            && reference["traceID"] == dev_trace.as_str()
                            && reference["spanID"] == promotion_span.as_str()
                    })
                })
            })
            .collect();
        !linked.is_empty()
    });
    assert_eq!(linked.len(), 1, "one root span follows from the promotion");
    assert!(parent(&linked[0]).is_none(), "{:#}", linked[0]);

    // v3 is too slow: its evaluation fails, and prod hears nothing of it.
    release(&charts, "v2", "v3");
    let failed = dev.sync();
    assert_eq!(failed.phase, "Failed", "{:#?}", failed.resources);
    let hook = failed.hook("PostSync").expect("the PostSync hook ran");
    assert_eq!(hook["hookPhase"], "Failed", "{hook:#}");
    let values = charts.show(PROMOTION, "charts/simple-go-prod/values.yaml");
    assert!(values.contains("serviceVersion: v2\n"), "{values}");
    assert!(!values.contains("v3"), "{values}");
    assert_eq!(
        outcomes(&cluster, dev_namespace.name(), &dev),
        ["pass", "pass", "fail"]
    );
}
