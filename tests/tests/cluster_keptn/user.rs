//! An Argo CD user who had Keptn: its kinds and resources are in the cluster, its operators are gone.

use serde_json::{Value, json};
use stagelink_tests::cluster::{Application, Cluster, Namespace, PROBE, Repository, parameter};

use crate::{alone, install_kinds};

/// What was applied once, for all apps of the namespace; Argo CD knows nothing of it. Functions are as Keptn's
/// webhook converted them, which is gone.
const AT_HOME: &str = r#"
apiVersion: lifecycle.keptn.sh/v1
kind: KeptnTaskDefinition
metadata: {name: notify, labels: {team: shop}}
spec:
  retries: 0
  deno:
    inline: {code: 'echo "$DATA" | grep -q hello'}
    parameters: {map: {text: hello}}
---
apiVersion: lifecycle.keptn.sh/v1beta1
kind: KeptnTaskDefinition
metadata: {name: check}
spec:
  retries: 0
  container: {name: check, image: @PROBE@, command: [/probe, sleep, 10ms]}
---
apiVersion: lifecycle.keptn.sh/v1
kind: KeptnEvaluationDefinition
metadata: {name: healthy}
spec:
  retries: 1
  objectives: [{keptnMetricRef: {name: answer}, evaluationTarget: ">41"}]
---
apiVersion: metrics.keptn.sh/v1
kind: KeptnMetric
metadata: {name: answer}
spec: {provider: {name: monitoring}, query: vector(42), fetchIntervalSeconds: 5}
---
apiVersion: metrics.keptn.sh/v1
kind: KeptnMetricsProvider
metadata: {name: monitoring}
spec: {type: prometheus, targetServer: "http://prometheus-k8s.monitoring.svc.cluster.local:9090"}
"#;

/// What all teams share, in Keptn's own namespace.
const SHARED: &str = r#"
apiVersion: lifecycle.keptn.sh/v1alpha3
kind: KeptnEvaluationDefinition
metadata: {name: shared}
spec:
  objectives: [{keptnMetricRef: {name: shared-answer}, evaluationTarget: "<8"}]
---
apiVersion: metrics.keptn.sh/v1beta1
kind: KeptnMetric
metadata: {name: shared-answer}
spec: {provider: {name: monitoring}, query: vector(7), fetchIntervalSeconds: 5}
---
apiVersion: metrics.keptn.sh/v1beta1
kind: KeptnMetricsProvider
metadata: {name: monitoring}
spec: {type: prometheus, targetServer: "http://prometheus-k8s.monitoring.svc.cluster.local:9090"}
"#;

/// The app as it was: its lists stand in annotations of its workload and in its context.
const CHART: &str = r#"apiVersion: lifecycle.keptn.sh/v1beta1
kind: KeptnAppContext
metadata: {name: shop}
spec:
  preDeploymentTasks: [notify]
  preDeploymentEvaluations: [healthy]
  postDeploymentEvaluations: [shared]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
      annotations:
        keptn.sh/app: shop
        keptn.sh/workload: web
        keptn.sh/version: v1
        keptn.sh/pre-deployment-tasks: check
        keptn.sh/post-deployment-evaluations: healthy
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: @PROBE@
        args: [serve, ":8080", 0s]
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
"#;

/// Lets the hooks of a namespace read Keptn's, as `keptn.readDefinitions` of the installation chart does.
fn let_read(cluster: &Cluster, keptn: &Namespace, home: &Namespace) {
    let rules = json!([{"apiGroups": ["lifecycle.keptn.sh", "metrics.keptn.sh"], "resources": ["*"], "verbs": ["get"]}]);
    let group = format!("system:serviceaccounts:{}", home.name());
    for manifest in [
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": {"name": "definitions"}, "rules": rules,
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "definitions"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "definitions"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group}],
        }),
    ] {
        cluster.apply(keptn.name(), &manifest.to_string());
    }
}

#[test]
fn what_keptn_ran_is_run_without_it() {
    let Some(cluster) = Cluster::require("a cluster of a Keptn user") else {
        return;
    };
    let _alone = alone();
    install_kinds(&cluster);
    let home = cluster.namespace("shop");
    let keptn = cluster.namespace("keptn");
    cluster.apply(home.name(), &AT_HOME.replace("@PROBE@", PROBE));
    cluster.apply(keptn.name(), SHARED);

    let charts = Repository::new(&cluster, "shop");
    charts.write(
        "app/Chart.yaml",
        "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
    );
    charts.write("app/templates/all.yaml", &CHART.replace("@PROBE@", PROBE));
    charts.push("as it was");
    let application = Application::new(
        &cluster,
        "shop",
        &charts,
        "app",
        home.name(),
        &[
            parameter("stage", "dev"),
            parameter("keptn-namespace", keptn.name()),
            parameter("deno-image", "rig.local/function:1"),
        ],
    );

    // Nobody has let the hooks look into Keptn's namespace.
    let ended = application.sync();
    assert_eq!(ended.phase, "Failed", "{:#?}", ended.resources);
    let ledger = cluster.ledger(home.name(), application.name());
    let attempt = &ledger["deliveries"][0]["attempts"][0];
    let reason = attempt["reason"].as_str().unwrap_or_default();
    let name = "keptnevaluationdefinitions.lifecycle.keptn.sh \"shared\" is forbidden";
    for part in ["KeptnEvaluationDefinition shared", home.name(), name] {
        assert!(reason.contains(part), "{part}: {ledger:#}");
    }

    let_read(&cluster, &keptn, &home);
    // Argo CD has deleted the context of the failed sync; the garbage collector learns of new kinds twice a minute.
    let context = "keptnappcontexts.lifecycle.keptn.sh/shop";
    let arguments = ["wait", "--for=delete", "--timeout=120s", context, "-n"];
    cluster.run(&[&arguments[..], &[home.name()]].concat());
    let ended = application.sync();
    assert_eq!(ended.phase, "Succeeded", "{:#?}", ended.resources);
    let ledger = cluster.ledger(home.name(), application.name());
    let attempts = ledger["deliveries"][0]["attempts"].as_array().unwrap();
    let attempt = attempts.last().unwrap();
    assert_eq!(attempt["outcome"], "pass", "{ledger:#}");
    let mut ran = Vec::new();
    collect(attempt, &mut ran);
    for definition in ["notify", "healthy", "check", "shared"] {
        assert!(
            ran.contains(&(definition, "pass")),
            "{definition}: {ran:?}: {attempt:#}"
        );
    }
    // Its labels are on the Job of a task, as Keptn had it.
    let jobs = cluster.list(home.name(), "jobs", "team=shop");
    assert!(!jobs.is_empty());
    let context = cluster.get(home.name(), "keptnappcontexts.lifecycle.keptn.sh", "shop");
    assert!(
        context.is_some(),
        "the cluster has the kind, so the app has its context"
    );
}

/// Definition and outcome of every item in a part of a ledger.
fn collect<'a>(value: &'a Value, into: &mut Vec<(&'a str, &'a str)>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
        Value::Object(fields) => {
            if let (Some(definition), Some(outcome)) = (
                fields.get("definition").and_then(Value::as_str),
                fields.get("outcome").and_then(Value::as_str),
            ) {
                into.push((definition, outcome));
            }
            fields.values().for_each(|field| collect(field, into));
        }
        _ => {}
    }
}
