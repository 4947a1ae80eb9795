//! How long it takes to build a plan from rendered manifests, and to compute a content digest.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark for people")]

use std::hint::black_box;

use criterion::Criterion;
use serde_json::{Value, json};
use stagelink_plan::{ContentDigest, Manifest, PlanSettings, Source, build};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for workloads in [2, 50] {
        let resources = resources(workloads);
        let manifests: Vec<Manifest<'_>> = resources
            .iter()
            .map(|resource| Manifest {
                source: "chart/templates/all.yaml",
                resource,
            })
            .collect();
        let settings = PlanSettings {
            application: "shop-dev".to_owned(),
            stage: "dev".to_owned(),
            namespace: "shop".to_owned(),
            revision: Some("0123456789abcdef0123456789abcdef01234567".to_owned()),
            source: Source::default(),
            digest: ContentDigest::of([]),
            trace_parent: None,
            block_deployment: None,
            observability_timeout: None,
        };
        criterion.bench_function(&format!("plan, {workloads} workloads"), |bencher| {
            bencher.iter(|| {
                build(black_box(&manifests), &settings)
                    .plan
                    .to_json()
                    .unwrap()
                    .len()
            });
        });
        let texts: Vec<String> = resources.iter().map(Value::to_string).collect();
        criterion.bench_function(&format!("digest, {workloads} workloads"), |bencher| {
            bencher.iter(|| ContentDigest::of(black_box(&texts).iter().map(String::as_bytes)));
        });
    }
    criterion.final_summary();
}

/// An app with a task and an evaluation for each ten workloads.
fn resources(workloads: usize) -> Vec<Value> {
    let keptn = |kind: &str, name: &str, spec: Value| json!({"apiVersion": "lifecycle.keptn.sh/v1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    let mut resources = vec![keptn(
        "KeptnAppContext",
        "shop",
        json!({"postDeploymentTasks": ["task-0"], "postDeploymentEvaluations": ["evaluation-0"]}),
    )];
    for index in 0..workloads {
        if index % 10 == 0 {
            let number = index / 10;
            resources.push(keptn(
                "KeptnTaskDefinition",
                &format!("task-{number}"),
                json!({"container": {"name": "task", "image": "example.org/task:1", "args": ["--all"]}}),
            ));
            resources.push(keptn(
                "KeptnEvaluationDefinition",
                &format!("evaluation-{number}"),
                json!({"objectives": [{"keptnMetricRef": {"name": "metric"}, "evaluationTarget": "<1"}]}),
            ));
        }
        let labels = json!({"app.kubernetes.io/name": format!("web-{index}"), "app.kubernetes.io/part-of": "shop"});
        resources.push(json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": format!("web-{index}")},
            "spec": {"replicas": 2, "template": {"metadata": {"labels": labels}, "spec": {"containers": [
                {"name": "web", "image": format!("example.org/web:{index}"), "env": [{"name": "A", "value": "b"}]}
            ]}}}
        }));
    }
    resources
}
