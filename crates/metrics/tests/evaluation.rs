//! Evaluations over providers that answer as a test wants, and over results of tasks.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use stagelink_delivery::Outcome;
use stagelink_delivery::ledger::ItemReport;
use stagelink_delivery::ports::{
    Definition, DefinitionError, Definitions, EvaluationRequest, Evaluator as _, ItemEnd,
    SecretError, SecretKey, SecretValue, Secrets,
};
use stagelink_http::test_server::{TestServer, answer, nobody};
use stagelink_keptn::KeptnKind;
use stagelink_metrics::{Metrics, Settings};
use stagelink_plan::DefinitionMetadata;
use support::{definition, evaluate, plan};
use tokio_util::sync::CancellationToken;

fn vector(values: &[&str]) -> String {
    let samples: Vec<_> = values
        .iter()
        .map(|value| json!({"metric": {}, "value": [1, value]}))
        .collect();
    json!({"status": "success", "data": {"resultType": "vector", "result": samples}}).to_string()
}

/// Evaluates with one provider `monitoring` at `url` and metrics whose query is their name.
async fn asked(url: &str, tries: u32, objectives: &[(&str, &str)]) -> ItemEnd {
    let metric = |name: &str| {
        let metric =
            json!({"provider": {"name": "monitoring"}, "query": name, "fetchIntervalSeconds": 10});
        (format!("dev/{name}"), metric)
    };
    let metrics: serde_json::Map<_, _> = objectives.iter().map(|(name, _)| metric(name)).collect();
    let providers = json!({"dev/monitoring": {"type": "prometheus", "targetServer": url}});
    evaluate(
        &Metrics::default(),
        &plan(metrics.into(), providers),
        definition(tries, objectives),
        &BTreeMap::new(),
        &CancellationToken::new(),
    )
    .await
}

#[tokio::test]
async fn a_value_that_meets_its_target_passes_with_keptns_message() {
    let server = TestServer::start(|_, _| async { answer(200, &vector(&["7"])) }).await;
    let end = asked(&server.url(""), 10, &[("a", "<500")]).await;
    assert_eq!(end.outcome, Outcome::Pass);
    assert_eq!(server.count(), 1);
    let objective = &end.report.objectives[0];
    assert_eq!(objective.message, "value '7' met objective '<500'");
    assert_eq!(
        (
            objective.metric.as_str(),
            objective.value.as_str(),
            objective.target.as_str()
        ),
        ("a", "7", "<500")
    );
    assert_eq!(end.report.message, "a: value '7' met objective '<500'");
}

#[tokio::test]
async fn a_value_that_does_not_is_tried_as_often_as_retries_says_and_then_fails() {
    let server = TestServer::start(|_, _| async { answer(200, &vector(&["700.5"])) }).await;
    for (retries, tries) in [(3, 3), (1, 1), (0, 1)] {
        server.requests.store(0, Ordering::SeqCst);
        let end = asked(&server.url("/"), retries, &[("a", "<500")]).await;
        assert_eq!(end.outcome, Outcome::Fail);
        assert_eq!(end.report.reason, "ObjectiveNotMet");
        assert_eq!(
            end.report.message,
            "a: value '700.5' did not meet objective '<500'"
        );
        assert_eq!(server.count(), tries);
        assert_eq!(end.report.details["tries"], tries.to_string());
    }
}

#[tokio::test]
async fn a_later_try_may_pass() {
    let server = TestServer::start(|number, _| async move {
        match number {
            0 => answer(503, ""),
            1 => answer(200, &vector(&[])),
            2 => answer(200, &vector(&["9"])),
            _ => answer(200, &vector(&["1"])),
        }
    })
    .await;
    let end = asked(&server.url(""), 4, &[("a", "<5")]).await;
    assert_eq!(end.outcome, Outcome::Pass, "{end:?}");
    assert_eq!(end.report.details["tries"], "4");
}

#[tokio::test]
async fn an_objective_that_was_met_is_not_asked_for_again() {
    let met = Arc::new(AtomicBool::new(false));
    let server = TestServer::start(move |_, request| {
        let met = Arc::clone(&met);
        async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            match body.as_ref() {
                b"query=sticky" if met.swap(true, Ordering::SeqCst) => {
                    answer(200, &vector(&["99"]))
                }
                b"query=sticky" => answer(200, &vector(&["1"])),
                _ => answer(200, &vector(&["8"])),
            }
        }
    })
    .await;
    let end = asked(&server.url(""), 3, &[("sticky", "<5"), ("other", "<5")]).await;
    assert_eq!(end.outcome, Outcome::Fail);
    assert_eq!(server.count(), 4);
    let outcomes: Vec<_> = end
        .report
        .objectives
        .iter()
        .map(|one| one.outcome)
        .collect();
    assert_eq!(outcomes, [Outcome::Pass, Outcome::Fail]);
    assert_eq!(
        end.report.message,
        "other: value '8' did not meet objective '<5'; sticky: value '1' met objective '<5'"
    );
}

/// What a provider answers, and what that means. Nothing but a number that meets the target passes.
#[tokio::test]
async fn no_data_and_errors_are_no_pass_and_no_failure() {
    let matrix = r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;
    for (status, body, outcome, reason, message) in [
        (
            200,
            vector(&[]),
            Outcome::Inconclusive,
            "NoData",
            "no values in query result",
        ),
        (
            200,
            vector(&["NaN"]),
            Outcome::Inconclusive,
            "NoData",
            "value 'NaN' did not meet objective '<5'",
        ),
        (
            200,
            vector(&["1", "2"]),
            Outcome::Error,
            "MetricUnavailable",
            "too many values in query result: 2 series",
        ),
        (
            200,
            vector(&["-Inf"]),
            Outcome::Pass,
            "",
            "value '-Inf' met objective '<5'",
        ),
        (
            200,
            vector(&["+Inf"]),
            Outcome::Fail,
            "ObjectiveNotMet",
            "value '+Inf' did not meet",
        ),
        (
            200,
            "<html>".to_owned(),
            Outcome::Error,
            "MetricUnavailable",
            "does not answer as Prometheus does",
        ),
        (
            200,
            "{}".to_owned(),
            Outcome::Error,
            "MetricUnavailable",
            "does not answer as Prometheus does",
        ),
        (
            200,
            matrix.to_owned(),
            Outcome::Error,
            "MetricUnavailable",
            "no number for one time",
        ),
        (
            200,
            "x".repeat(17 << 20),
            Outcome::Error,
            "MetricUnavailable",
            "more than 16777216 bytes",
        ),
        (
            500,
            "boom".to_owned(),
            Outcome::Error,
            "MetricUnavailable",
            "answers with status 500",
        ),
        (
            302,
            String::new(),
            Outcome::Error,
            "MetricUnavailable",
            "answers with status 302",
        ),
        (
            401,
            String::new(),
            Outcome::Error,
            "MetricUnavailable",
            "refuses access (status 401)",
        ),
        (
            400,
            r#"{"status":"error","errorType":"bad_data","error":"parse error\nat char 1"}"#
                .to_owned(),
            Outcome::Error,
            "MetricUnavailable",
            "refuses the query: parse error at char 1",
        ),
    ] {
        let server = TestServer::start(move |_, _| {
            let body = body.clone();
            async move { answer(status, &body) }
        })
        .await;
        let end = asked(&server.url("/"), 2, &[("a", "<5")]).await;
        assert_eq!(end.outcome, outcome, "{message}: {end:?}");
        assert_eq!(end.report.reason, reason, "{end:?}");
        assert!(end.report.message.contains(message), "{message}: {end:?}");
        assert_eq!(end.report.message.lines().count(), 1);
        assert_eq!(end.report.objectives[0].outcome, outcome);
        // A query that is wrong stays wrong.
        let tries = if status == 400 || outcome == Outcome::Pass || message.contains("one time") {
            1
        } else {
            2
        };
        assert_eq!(server.count(), tries, "{message}");
    }
}

#[tokio::test]
async fn a_provider_that_is_not_there_or_hangs_is_an_error() {
    let url = format!("http://me:s3cret@{}/", nobody().await);
    let end = asked(&url, 1, &[("a", "<5")]).await;
    assert_eq!(end.outcome, Outcome::Error);
    assert!(
        end.report.message.ends_with("/: connection refused"),
        "{end:?}"
    );
    assert!(!end.report.message.contains("s3cret"), "{end:?}");

    let hanging = TestServer::start(|_, _| std::future::pending()).await;
    let settings = Settings {
        timeout: Duration::from_millis(50),
        ..Settings::default()
    };
    let plan = plan(
        json!({"dev/a": {"provider": {"name": "p"}, "query": "up"}}),
        json!({"dev/p": {"type": "thanos", "targetServer": hanging.url("/")}}),
    );
    let end = evaluate(
        &Metrics::new(settings),
        &plan,
        definition(1, &[("a", "<5")]),
        &BTreeMap::new(),
        &CancellationToken::new(),
    )
    .await;
    assert!(
        end.report.message.ends_with("/: no answer in time"),
        "{end:?}"
    );
}

#[tokio::test]
async fn an_evaluation_can_be_cancelled_while_it_asks_and_while_it_waits() {
    let hanging = TestServer::start(|_, _| std::future::pending()).await;
    let failing = TestServer::start(|_, _| async { answer(200, &vector(&["9"])) }).await;
    for server in [&hanging, &failing] {
        let plan = plan(
            json!({"dev/a": {"provider": {"name": "p"}, "query": "up"}}),
            json!({"dev/p": {"type": "cortex", "targetServer": server.url("/")}}),
        );
        let mut definition = definition(10, &[("a", "<5")]);
        definition["retryInterval"] = json!("1h");
        let cancel = CancellationToken::new();
        let stop = async {
            while server.count() == 0 {
                tokio::task::yield_now().await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            cancel.cancel();
        };
        let metrics = Metrics::default();
        let reports = BTreeMap::new();
        let (end, ()) = tokio::join!(
            evaluate(&metrics, &plan, definition, &reports, &cancel),
            stop
        );
        assert_eq!(end.outcome, Outcome::Error);
        assert_eq!(end.report.reason, "Cancelled");
        assert_eq!(end.report.objectives.len(), 1);
    }
}

#[tokio::test]
async fn post_is_used_and_get_where_that_is_not_taken() {
    for status in [405, 501] {
        let server = TestServer::start(move |_, request| async move {
            match (
                request.method().as_str(),
                request.uri().to_string().as_str(),
            ) {
                ("POST", "/sub/api/v1/query") => answer(status, ""),
                ("GET", "/sub/api/v1/query?query=a") => answer(200, &vector(&["1"])),
                _ => answer(404, ""),
            }
        })
        .await;
        let end = asked(&server.url("/sub/"), 1, &[("a", "<5")]).await;
        assert_eq!(end.outcome, Outcome::Pass, "{end:?}");
    }
}

/// A Secret `monitoring` in namespace `dev`.
#[derive(Debug)]
struct OneSecret;

#[async_trait]
impl Secrets for OneSecret {
    async fn get(&self, key: &SecretKey<'_>) -> Result<Option<SecretValue>, SecretError> {
        Ok(match (key.namespace, key.name, key.key) {
            ("dev", "monitoring", "user") => Some(SecretValue::new("me\n")),
            ("dev", "monitoring", "password") => Some(SecretValue::new("s3cret\n")),
            _ => None,
        })
    }
}

#[tokio::test]
async fn user_and_password_come_from_the_secret_and_are_in_no_message() {
    let expected = format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode("me:s3cret")
    );
    let server = TestServer::start(move |_, request| {
        let expected = expected.clone();
        async move {
            match request.headers().get("authorization") {
                Some(given)
                    if given == expected.as_str()
                        && request.uri().path() != "/echo/api/v1/query" =>
                {
                    answer(200, &vector(&["1"]))
                }
                _ => answer(
                    400,
                    r#"{"status":"error","error":"password s3cret is bad"}"#,
                ),
            }
        }
    })
    .await;
    let evaluated = async |path: &str, secret: Value| {
        let plan = plan(
            json!({"dev/a": {"provider": {"name": "p"}, "query": "up"}}),
            json!({"dev/p": {"type": "prometheus", "targetServer": server.url(path), "secretKeyRef": secret}}),
        );
        let settings = Settings {
            secrets: Arc::new(OneSecret),
            ..Settings::default()
        };
        let end = evaluate(
            &Metrics::new(settings),
            &plan,
            definition(1, &[("a", "<5")]),
            &BTreeMap::new(),
            &CancellationToken::new(),
        )
        .await;
        (end.outcome, end.report.message)
    };
    // The key is required by the CRD, and ignored.
    let named = json!({"name": "monitoring", "key": "any"});
    assert_eq!(evaluated("/", named.clone()).await.0, Outcome::Pass);
    let (outcome, message) = evaluated("/echo", named).await;
    assert_eq!(outcome, Outcome::Error);
    assert!(message.ends_with("password ••• is bad"), "{message}");
    let (outcome, message) = evaluated("/", json!({"name": "other", "key": "any"})).await;
    assert_eq!(outcome, Outcome::Error);
    assert_eq!(
        message,
        "a: Secret other in namespace dev has no key user, which KeptnMetricsProvider p needs; add it"
    );
    // An optional secret that is not there is no credentials.
    let (_, message) = evaluated(
        "/",
        json!({"name": "other", "key": "any", "optional": true}),
    )
    .await;
    assert!(message.contains("refuses the query"), "{message}");
}

#[tokio::test]
async fn what_is_missing_or_wrong_in_the_chart_is_told_without_another_try() {
    let metric = |provider: &str| json!({"provider": {"name": provider}, "query": "up"});
    let both = |range: Value| json!({"provider": {"name": "p"}, "query": "up", "range": range});
    let plan = plan(
        json!({
            "dev/a": metric("p"), "dev/lonely": metric("nobody"), "other/b": metric("p"), "keptn-system/c": metric("p"),
            "dev/datadog": metric("d"), "dev/what": metric("w"), "dev/address": metric("x"), "dev/file": metric("f"),
            "dev/half": both(json!({"step": "1m"})), "dev/zero": both(json!({"step": "0s", "aggregation": "max"})),
        }),
        json!({
            "dev/p": {"type": "prometheus", "targetServer": "http://127.0.0.1:1/"},
            "dev/d": {"type": "datadog", "targetServer": "http://127.0.0.1:1/"},
            "dev/w": {"type": "graphite", "targetServer": "http://127.0.0.1:1/"},
            "dev/x": {"type": "prometheus", "targetServer": "monitoring"},
            "dev/f": {"type": "prometheus", "targetServer": "file:///etc/passwd"},
        }),
    );
    for (reference, target, expected) in [
        (
            json!({"name": "m"}),
            "<1",
            "KeptnMetric m is not in namespace dev or keptn-system; the chart has dev/a",
        ),
        (
            json!({"name": "b"}),
            "<1",
            "KeptnMetric b is not in namespace dev or keptn-system",
        ),
        (
            json!({"name": "a", "namespace": "other"}),
            "<1",
            "KeptnMetric a is not in namespace other;",
        ),
        (
            json!({"name": "c"}),
            "<1",
            "KeptnMetricsProvider p of KeptnMetric c is not in namespace keptn-system",
        ),
        (
            json!({"name": "lonely"}),
            "<1",
            "KeptnMetricsProvider nobody of KeptnMetric lonely is not in namespace dev",
        ),
        (json!({"name": "a"}), ">=5", ">=5"),
        (json!({"name": "a"}), "", "no values"),
        (json!({"name": "a"}), "5", "invalid operator"),
        (
            json!({"name": "datadog"}),
            "<1",
            "has the type datadog, which Stagelink does not ask yet",
        ),
        (json!({"name": "what"}), "<1", "unknown type \"graphite\""),
        (
            json!({"name": "address"}),
            "<1",
            "targetServer of KeptnMetricsProvider x is no URL",
        ),
        (
            json!({"name": "file"}),
            "<1",
            "is no http:// or https:// URL",
        ),
        (json!({"name": "half"}), "<1", "both step and aggregation"),
        (json!({"name": "zero"}), "<1", "longer than nothing"),
        (Value::Null, "<1", "names no keptnMetricRef"),
    ] {
        // A second try would wait for an hour.
        let definition = json!({"retries": 2, "retryInterval": "1h", "objectives": [{"keptnMetricRef": reference, "evaluationTarget": target}]});
        let end = evaluate(
            &Metrics::default(),
            &plan,
            definition,
            &BTreeMap::new(),
            &CancellationToken::new(),
        )
        .await;
        assert_eq!(end.outcome, Outcome::Error, "{end:?}");
        assert!(
            end.report.message.contains(expected),
            "{expected}: {}",
            end.report.message
        );
        assert_eq!(end.report.details["tries"], "1");
    }
}

#[tokio::test]
async fn a_definition_that_is_missing_or_empty_is_an_error() {
    let plan = plan(json!({}), json!({}));
    let request = EvaluationRequest {
        plan: &plan,
        name: "x",
        definition_name: "response-time",
        definition: None,
        reports: &BTreeMap::new(),
    };
    let cancel = CancellationToken::new();
    let end = Metrics::default().evaluate(&request, &cancel).await;
    assert_eq!(end.outcome, Outcome::Error);
    assert!(
        end.report.message.contains(
            "no KeptnEvaluationDefinition response-time in the chart; add it, or correct"
        ),
        "{end:?}"
    );
    let end = evaluate(
        &Metrics::default(),
        &plan,
        definition(1, &[]),
        &BTreeMap::new(),
        &cancel,
    )
    .await;
    assert_eq!(end.outcome, Outcome::Error);
    assert!(end.report.message.contains("has no objectives"), "{end:?}");
}

#[tokio::test]
async fn results_of_tasks_are_judged_without_waiting() {
    let plan = plan(
        json!({"dev/a": {"provider": {"name": "p"}, "query": "load.p95"}, "dev/b": {"provider": {"name": "p"}, "query": "load.p99"}}),
        json!({"dev/p": {"type": "stagelink"}}),
    );
    let report = ItemReport {
        results: BTreeMap::from([("p95".to_owned(), 7.25)]),
        ..ItemReport::default()
    };
    let reports = BTreeMap::from([("load".to_owned(), report)]);
    for (objectives, outcome, message) in [
        (
            &[("a", "<8")][..],
            Outcome::Pass,
            "a: value '7.25' met objective '<8'",
        ),
        (
            &[("a", "<7")],
            Outcome::Fail,
            "a: value '7.25' did not meet objective '<7'",
        ),
        (
            &[("b", "<8")],
            Outcome::Inconclusive,
            "b: no values in query result: the task load measured no p99; there is: p95",
        ),
    ] {
        let mut definition = definition(10, objectives);
        definition["retryInterval"] = json!("1h");
        let end = evaluate(
            &Metrics::default(),
            &plan,
            definition,
            &reports,
            &CancellationToken::new(),
        )
        .await;
        assert_eq!(end.outcome, outcome);
        assert_eq!(end.report.message, message);
    }
}

/// A stage that keeps resources, by kind and `namespace/name`.
struct Kept(Value);

#[async_trait]
impl Definitions for Kept {
    async fn find(
        &self,
        kind: KeptnKind,
        namespaces: &[&str],
        name: &str,
    ) -> Result<Definition, DefinitionError> {
        for namespace in namespaces {
            let spec = &self.0[kind.kind][format!("{namespace}/{name}")];
            if !spec.is_null() {
                return Ok(Definition {
                    kind: kind.kind,
                    namespace: (*namespace).to_owned(),
                    name: name.to_owned(),
                    metadata: DefinitionMetadata::default(),
                    spec: spec.clone(),
                });
            }
        }
        Err(DefinitionError::NotFound {
            kind: kind.kind,
            name: name.to_owned(),
            places: namespaces
                .iter()
                .map(|space| format!("in {space}"))
                .collect(),
        })
    }
}

#[tokio::test]
async fn what_the_chart_does_not_have_is_what_the_stage_keeps() {
    let server = TestServer::start(|_, _| async { answer(200, &vector(&["7"])) }).await;
    let provider = json!({"type": "prometheus", "targetServer": server.url("")});
    let metric = json!({"provider": {"name": "monitoring"}, "query": "up"});
    let judged = |metric: Value| json!({"retries": 1, "objectives": [{"keptnMetricRef": metric, "evaluationTarget": "<9"}]});
    let kept = json!({
        "KeptnEvaluationDefinition": {
            "dev/all-kept": judged(json!({"name": "kept"})),
            "keptn-system/all-kept": judged(json!({"name": "nowhere"})),
            "keptn-system/shared": judged(json!({"name": "shared"})),
            "keptn-system/charts": judged(json!({"name": "charts"})),
            "dev/lost": judged(json!({"name": "nowhere"})),
            "dev/elsewhere": judged(json!({"name": "kept", "namespace": "other"})),
            "dev/orphan": judged(json!({"name": "orphan"})),
            "dev/broken": {"objectives": 7},
        },
        "KeptnMetric": {
            "dev/kept": metric, "keptn-system/shared": metric,
            "dev/orphan": {"provider": {"name": "nobody"}, "query": "up"},
        },
        "KeptnMetricsProvider": {"dev/monitoring": provider, "keptn-system/monitoring": provider},
    });
    let metrics = Metrics::new(Settings {
        definitions: Arc::new(Kept(kept)),
        ..Settings::default()
    });
    let plan = plan(json!({"dev/charts": metric}), json!({}));
    for (name, outcome, expected) in [
        ("all-kept", Outcome::Pass, "kept: value '7' met"),
        ("shared", Outcome::Pass, "shared: value '7' met"),
        ("charts", Outcome::Pass, "charts: value '7' met"),
        (
            "lost",
            Outcome::Error,
            "KeptnMetric nowhere is not in namespace dev or keptn-system; the chart has dev/charts; the cluster has none in dev, in keptn-system",
        ),
        (
            "elsewhere",
            Outcome::Error,
            "KeptnMetric kept is not in namespace other; ",
        ),
        (
            "orphan",
            Outcome::Error,
            "KeptnMetricsProvider nobody of KeptnMetric orphan is not in namespace dev; ",
        ),
        (
            "broken",
            Outcome::Error,
            "KeptnEvaluationDefinition dev/broken is not valid: ",
        ),
        (
            "none",
            Outcome::Error,
            "there is no KeptnEvaluationDefinition none in the chart, in dev, in keptn-system; add it to the chart or to the cluster",
        ),
    ] {
        let request = EvaluationRequest {
            plan: &plan,
            name: "x",
            definition_name: name,
            definition: None,
            reports: &BTreeMap::new(),
        };
        let end = metrics.evaluate(&request, &CancellationToken::new()).await;
        assert_eq!(end.outcome, outcome, "{name}: {end:?}");
        assert!(end.report.message.contains(expected), "{name}: {end:?}");
    }
}
