//! A chart through Argo CD with our plugin: what is applied, what the plugin was told, what drifts.

use serde_json::{Value, json};
use stagelink_tests::cluster::{Application, Cluster, PROBE, Repository, parameter};

/// A chart that shows what the renderer knows of cluster, release and commit.
fn repository(cluster: &Cluster) -> Repository {
    let repository = Repository::new(cluster, "chart");
    repository.write(
        "app/Chart.yaml",
        "apiVersion: v2\nname: shop\nversion: 1.2.3\nkubeVersion: '>=1.30'\n",
    );
    repository.write("app/values.yaml", "greeting: hello\ncommitID: \"\"\n");
    repository.write(
        "app/templates/settings.yaml",
        r#"apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  greeting: {{ .Values.greeting }}
  release: {{ .Release.Name }}
  namespace: {{ .Release.Namespace }}
  kube: {{ .Capabilities.KubeVersion.Version }}
  has-jobs: {{ .Capabilities.APIVersions.Has "batch/v1/Job" | quote }}
"#,
    );
    repository.write(
        "app/templates/web.yaml",
        &format!(
            r#"apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata:
      labels: {{app: web, app.kubernetes.io/name: web, app.kubernetes.io/part-of: shop, app.kubernetes.io/version: v1}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: {PROBE}
        args: [serve, ":8080", 0s]
        readinessProbe: {{httpGet: {{path: /, port: 8080}}, periodSeconds: 1}}
"#
        ),
    );
    repository
}

#[test]
fn a_chart_is_rendered_applied_and_synced() {
    let Some(cluster) = Cluster::require("rendering in Argo CD") else {
        return;
    };
    let repository = repository(&cluster);
    let first = repository.push("hello");
    let namespace = cluster.future_namespace("chart");
    let parameters = [
        parameter("stage", "dev"),
        parameter("hooks", "false"),
        json!({"name": "helm-parameters", "map": {"greeting": "good day"}}),
    ];
    let application = Application::new(
        &cluster,
        "chart",
        &repository,
        "app",
        namespace.name(),
        &parameters,
    );

    let ended = application.sync();
    assert_eq!(ended.phase, "Succeeded", "{}", ended.message);
    application.wait("synced and healthy", |application| {
        let status = &application["status"];
        status["sync"]["status"] == "Synced"
            && status["sync"]["revision"] == first
            && status["health"]["status"] == "Healthy"
    });
    let settings = cluster
        .get(namespace.name(), "configmap", "settings")
        .expect("it was applied");
    let version = cluster.run(&["version", "-o", "json"]);
    let version: Value = serde_json::from_str(&version).unwrap();
    assert_eq!(
        settings["data"],
        json!({
            "greeting": "good day",
            "release": application.name(),
            "namespace": namespace.name(),
            "kube": version["serverVersion"]["gitVersion"],
            "has-jobs": "true",
        })
    );

    // A commit that changes nothing of the app leaves it as it is, with the new revision.
    repository.write("elsewhere/README.md", "nothing of this app\n");
    let second = repository.push("elsewhere");
    let generation = |cluster: &Cluster| {
        cluster
            .get(namespace.name(), "deployment", "web")
            .map(|deployment| deployment["metadata"]["generation"].clone())
    };
    let before = generation(&cluster);
    application.refresh();
    let application = application.wait("looked at the second commit", |application| {
        application["status"]["sync"]["revision"] == second
    });
    assert_eq!(application["status"]["sync"]["status"], "Synced");
    assert_eq!(generation(&cluster), before);
}

#[test]
fn a_chart_that_cannot_be_rendered_says_where_and_touches_nothing() {
    let Some(cluster) = Cluster::require("an error in Argo CD") else {
        return;
    };
    let repository = repository(&cluster);
    repository.push("hello");
    let namespace = cluster.future_namespace("broken");
    let application = Application::new(
        &cluster,
        "broken",
        &repository,
        "app",
        namespace.name(),
        &[parameter("stage", "dev"), parameter("hooks", "false")],
    );
    assert_eq!(application.sync().phase, "Succeeded");

    repository.write(
        "app/templates/settings.yaml",
        "kind: ConfigMap\ndata: {{ required \"a colour is needed\" .Values.colour }}\n",
    );
    repository.push("broken");
    application.refresh();
    let seen = application.wait("says what is wrong", |application| {
        application["status"]["conditions"]
            .as_array()
            .is_some_and(|conditions| !conditions.is_empty())
    });
    let message = seen["status"]["conditions"][0]["message"]
        .as_str()
        .unwrap_or_default();
    assert!(message.contains("a colour is needed"), "{message}");
    assert!(message.contains("settings.yaml:2"), "{message}");
    let settings = cluster.get(namespace.name(), "configmap", "settings");
    assert_eq!(settings.unwrap()["data"]["greeting"], "hello");
}
