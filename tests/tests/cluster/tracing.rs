//! An app that only wants to be seen: nothing is checked around its deployment, so nothing waits for a check.

use stagelink_tests::cluster::{Application, Cluster, PROBE, Repository, parameter};

const CHART: &str = r#"apiVersion: lifecycle.keptn.sh/v1
kind: KeptnAppContext
metadata:
  name: shop
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web, app.kubernetes.io/name: web, app.kubernetes.io/part-of: shop, app.kubernetes.io/version: v1}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: @PROBE@
        args: [serve, ":8080", 0s]
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
"#;

#[test]
fn an_app_with_nothing_to_check_before_the_sync_waits_for_no_hook() {
    let Some(cluster) = Cluster::require("tracing alone") else {
        return;
    };
    let repository = Repository::new(&cluster, "tracing");
    repository.write(
        "app/Chart.yaml",
        "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
    );
    repository.write("app/templates/all.yaml", &CHART.replace("@PROBE@", PROBE));
    repository.push("tracing");
    let namespace = cluster.future_namespace("tracing");
    let application = Application::new(
        &cluster,
        "tracing",
        &repository,
        "app",
        namespace.name(),
        &[parameter("stage", "dev")],
    );

    let ended = application.sync();
    assert_eq!(ended.phase, "Succeeded", "{:#?}", ended.resources);
    let hook = ended.hook("PreSync");
    assert!(hook.is_none(), "{hook:#?}");
    assert!(ended.hook("PostSync").is_some(), "{:#?}", ended.resources);

    // Deployment and delivery are told as from the operation's start all the same.
    let ledger = cluster.ledger(namespace.name(), application.name());
    let attempt = &ledger["deliveries"][0]["attempts"][0];
    assert_eq!(attempt["outcome"], "pass", "{ledger:#}");
    let started = &ended.application["status"]["operationState"]["startedAt"];
    assert_eq!(&attempt["startedAt"], started, "{ledger:#}");
    let deployed = attempt["phases"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|phase| phase["phase"] == "AppDeploy");
    let deployed = deployed.expect("the deployment is a phase");
    assert_eq!(&deployed["startedAt"], started, "{ledger:#}");
    assert_eq!(deployed["outcome"], "pass", "{ledger:#}");
}
