//! What the tests have in common: a plan, and an evaluation of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stagelink_delivery::ledger::ItemReport;
use stagelink_delivery::ports::{EvaluationRequest, Evaluator as _, ItemEnd};
use stagelink_metrics::Metrics;
use stagelink_plan::Plan;
use tokio_util::sync::CancellationToken;

/// A plan for namespace `dev` with these metrics and providers, by `namespace/name`.
pub(crate) fn plan(metrics: Value, providers: Value) -> Plan {
    let plan = json!({
        "version": 1, "app": "shop", "appVersion": "v1", "stage": "dev", "application": "shop-dev",
        "namespace": "dev", "digest": format!("sha256:{}", "0".repeat(64)),
        "metrics": metrics, "metricsProviders": providers,
    });
    Plan::from_json(&plan.to_string()).unwrap()
}

/// Evaluates a definition.
pub(crate) async fn evaluate(
    metrics: &Metrics,
    plan: &Plan,
    definition: Value,
    reports: &BTreeMap<String, ItemReport>,
    cancel: &CancellationToken,
) -> ItemEnd {
    let definition = serde_json::from_value(definition).unwrap();
    let request = EvaluationRequest {
        plan,
        name: "post-eval-response-time-12345",
        definition_name: "response-time",
        definition: Some(&definition),
        reports,
    };
    metrics.evaluate(&request, cancel).await
}

/// A definition with these objectives (metric and target), tried `tries` times without a wait.
pub(crate) fn definition(tries: u32, objectives: &[(&str, &str)]) -> Value {
    let objectives: Vec<_> = objectives
        .iter()
        .map(|(metric, target)| json!({"keptnMetricRef": {"name": metric}, "evaluationTarget": target}))
        .collect();
    json!({"retries": tries, "retryInterval": "1ms", "objectives": objectives})
}
