//! Many Applications of one repository that sync at once. `STAGELINK_SCALE` says how many; what they took is printed
//! (`--nocapture`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stagelink_tests::cluster::{Application, Cluster, Namespace, PROBE, Repository, parameter};

/// How many there are if nobody says.
const FEW: usize = 6;

/// So many deploy to the same namespace.
const TOGETHER: usize = 10;

/// A task in a pod before the deployment, a Deployment, and checks of both.
const TEMPLATE: &str = r#"apiVersion: lifecycle.keptn.sh/v1
kind: KeptnAppContext
metadata:
  name: {{ .Release.Name }}
spec:
  preDeploymentTasks: [before-{{ .Release.Name }}]
---
apiVersion: lifecycle.keptn.sh/v1
kind: KeptnTaskDefinition
metadata:
  # A resource of its own where the cluster has the kind.
  name: before-{{ .Release.Name }}
spec:
  retries: 0
  timeout: 30m
  ttlSecondsAfterFinished: 3600
  container:
    name: task
    image: @PROBE@
    command: [/probe, die, "0", "done"]
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata:
      labels:
        app: {{ .Release.Name }}
        app.kubernetes.io/name: web
        app.kubernetes.io/part-of: {{ .Release.Name }}
        app.kubernetes.io/version: v1
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: @PROBE@
        args: [serve, ":8080", 0s]
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 5}
"#;

fn manifest(application: &Application) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": application.name(), "namespace": "argocd"},
        "operation": {
            "info": [{"name": "test", "value": application.name()}],
            "sync": {},
        },
    })
}

/// `12 API calls: get configmaps 2, …` of each hook's log.
fn api_calls(logs: &str) -> Vec<(u64, BTreeMap<String, u64>)> {
    let lines = logs.lines().filter_map(|line| {
        let (total, calls) = line.split_once(" API calls: ")?;
        let calls = calls.split(", ").filter_map(|call| {
            let (what, count) = call.rsplit_once(' ')?;
            Some((what.to_owned(), count.parse().ok()?))
        });
        Some((total.parse().ok()?, calls.collect()))
    });
    lines.collect()
}

/// The seconds between two times of an object.
fn seconds(from: &Value, to: &Value) -> i64 {
    let time = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    time(to).as_second() - time(from).as_second()
}

fn spread<T: Copy + Ord + std::fmt::Display>(mut values: Vec<T>) -> String {
    values.sort_unstable();
    let at = |share: usize| values[(values.len() - 1) * share / 100];
    format!("{} to {}, half of them up to {}", at(0), at(100), at(50))
}

#[test]
#[allow(clippy::print_stdout, reason = "says what it took")]
fn applications_that_sync_at_once_are_delivered_once_each() {
    let Some(cluster) = Cluster::require("many Applications at once") else {
        return;
    };
    let many = std::env::var("STAGELINK_SCALE").map_or(FEW, |many| many.parse().unwrap());
    let repository = Repository::new(&cluster, "scale");
    repository.write(
        "app/Chart.yaml",
        "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
    );
    repository.write(
        "app/templates/all.yaml",
        &TEMPLATE.replace("@PROBE@", PROBE),
    );
    let revision = repository.push("all");
    // At least two, so that some are alone and some are not. They are there: of two Applications for which Argo CD makes
    // the same namespace at once, one fails.
    let namespaces: Vec<Namespace> = (0..many.div_ceil(TOGETHER).max(2))
        .map(|_| cluster.namespace("scale"))
        .collect();
    let namespace = |number: usize| namespaces[number % namespaces.len()].name();
    let applications: Vec<Application> = (0..many)
        .map(|number| {
            let stage = [parameter("stage", "dev")];
            Application::new(
                &cluster,
                "scale",
                &repository,
                "app",
                namespace(number),
                &stage,
            )
        })
        .collect();

    let start = Instant::now();
    let list = json!({
        "apiVersion": "v1", "kind": "List",
        "items": applications.iter().map(manifest).collect::<Vec<_>>(),
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), list.to_string()).unwrap();
    // Adds to what is there.
    cluster.run(&[
        "apply",
        "--server-side",
        "--validate=false",
        "-f",
        file.path().to_str().unwrap(),
    ]);
    // All that there is takes turns on the same processors.
    let patience = Duration::from_secs(180 + 15 * many as u64);
    let mut took = Vec::new();
    for application in &applications {
        let ended = application.end_of_sync_within(application.name(), patience);
        assert_eq!(
            ended.phase,
            "Succeeded",
            "{}: {:#?}",
            application.name(),
            ended.resources
        );
        let state = &ended.application["status"]["operationState"];
        took.push(seconds(&state["startedAt"], &state["finishedAt"]));
    }
    let wall = start.elapsed();

    let mut identities = BTreeSet::new();
    for (number, application) in applications.iter().enumerate() {
        let ledger = cluster.ledger(namespace(number), application.name());
        let deliveries = ledger["deliveries"].as_array().unwrap();
        assert_eq!(deliveries.len(), 1, "{ledger:#}");
        let attempts = deliveries[0]["attempts"].as_array().unwrap();
        assert_eq!(attempts.len(), 1, "{ledger:#}");
        assert_eq!(attempts[0]["outcome"], "pass", "{ledger:#}");
        assert_eq!(attempts[0]["revision"], revision.as_str());
        assert_eq!(attempts[0]["application"], application.name());
        let jobs = attempts[0]["operation"]["jobs"].as_object().unwrap();
        assert_eq!(jobs.keys().collect::<Vec<_>>(), ["PostSync", "PreSync"]);
        identities.insert(ledger["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(identities.len(), many);

    let mut totals = Vec::new();
    let mut calls: BTreeMap<String, u64> = BTreeMap::new();
    let mut tasks = 0;
    for namespace in &namespaces {
        let hooks = "app.kubernetes.io/component=hooks";
        let jobs = cluster.list(
            namespace.name(),
            "jobs",
            "app.kubernetes.io/component!=hooks",
        );
        tasks += jobs
            .iter()
            .filter(|job| job["metadata"]["annotations"]["keptn.sh/task-name"].is_string())
            .count();
        let namespace = ["--namespace", namespace.name()];
        let logs = [
            "logs",
            "--selector",
            hooks,
            "--tail=-1",
            "--max-log-requests=100",
        ];
        for (total, by_call) in api_calls(&cluster.run(&[&namespace[..], &logs[..]].concat())) {
            totals.push(total);
            for (call, count) in by_call {
                *calls.entry(call).or_default() += count;
            }
        }
    }
    assert_eq!(tasks, many, "each task runs once");
    assert_eq!(totals.len(), 2 * many, "two hooks each");
    println!(
        "{many} Applications at once: {:.0} s in all",
        wall.as_secs_f64()
    );
    println!("  seconds of a sync: {}", spread(took));
    println!(
        "  API calls of a hook: {}; in all {}",
        spread(totals.clone()),
        totals.iter().sum::<u64>()
    );
    for (call, count) in calls {
        println!("    {call}: {count}");
    }
}
