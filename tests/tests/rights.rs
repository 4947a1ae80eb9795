//! Plugin and hooks against a real cluster, with just the rights that the plugin gives the hooks.
//!
//! The hooks run on this machine, as the service account; a test plays Argo CD.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use stagelink_tests::cluster::Cluster;
use stagelink_tests::{command, stderr, wait_until};

const CHART: &str = "apiVersion: v2
name: shop
version: 1.0.0
";

const TEMPLATE: &str = r#"apiVersion: lifecycle.keptn.sh/v1
kind: KeptnAppContext
metadata:
  name: shop
spec:
  preDeploymentTasks: [check]
  postDeploymentTasks: [smoke]
---
{{- range $name, $command := .Values.tasks }}
apiVersion: lifecycle.keptn.sh/v1
kind: KeptnTaskDefinition
metadata:
  name: {{ $name }}
spec:
  retries: 0
  timeout: 1m
  container:
    name: task
    image: rig.local/probe:1
    imagePullPolicy: Never
    command: {{ toJson $command }}
    env:
      - name: TOKEN
        valueFrom: {secretKeyRef: {name: token, key: value}}
---
{{- end }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app.kubernetes.io/name: web, app.kubernetes.io/part-of: shop, app.kubernetes.io/version: v1}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web, app.kubernetes.io/name: web, app.kubernetes.io/part-of: shop, app.kubernetes.io/version: v1}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: main
          image: {{ .Values.image }}
          imagePullPolicy: Never
          args: [serve, ":8080", 1s]
          readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
"#;

const VALUES: &str = r#"image: rig.local/probe:1
tasks:
  check: [/probe, sleep, 100ms]
  smoke: [/probe, sleep, 100ms]
"#;

/// A namespace of a real cluster, and an Application for it.
struct Application {
    cluster: Cluster,
    namespace: String,
    folder: tempfile::TempDir,
}

/// A sync operation.
struct Operation<'a> {
    application: &'a Application,
    resources: Vec<Value>,
    start: i64,
}

fn application(test: &str) -> Option<Application> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let cluster = Cluster::require(test)?;
    let started = jiff::Timestamp::now().as_millisecond();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let application = Application {
        cluster,
        namespace: format!("shop-{}-{started}-{count}", std::process::id()),
        folder: tempfile::tempdir().unwrap(),
    };
    let namespace = &application.namespace;
    application.kubectl(&["create", "namespace", namespace], None);
    application.kubectl(
        &[
            "create",
            "secret",
            "generic",
            "token",
            "--from-literal=value=s3cret",
        ],
        None,
    );
    let chart = application.folder.path().join("chart");
    fs::create_dir_all(chart.join("templates")).unwrap();
    fs::write(chart.join("Chart.yaml"), CHART).unwrap();
    fs::write(chart.join("values.yaml"), VALUES).unwrap();
    fs::write(chart.join("templates/all.yaml"), TEMPLATE).unwrap();
    // The API server as the hooks' service account sees it.
    let mut config: Value =
        serde_yaml::from_str(&fs::read_to_string(application.cluster.kubeconfig()).unwrap())
            .unwrap();
    let user = format!("system:serviceaccount:{namespace}:shop-dev-stagelink");
    config["users"][0]["user"]["as"] = json!(user);
    config["users"][0]["user"]["as-groups"] =
        json!(["system:serviceaccounts", "system:authenticated"]);
    let file = application.hooks_kubeconfig();
    fs::write(file, serde_yaml::to_string(&config).unwrap()).unwrap();
    Some(application)
}

impl Application {
    fn hooks_kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    fn try_kubectl(&self, kubeconfig: &Path, arguments: &[&str], input: Option<&str>) -> Output {
        let mut child = self
            .cluster
            .kubectl_as(kubeconfig, &["--namespace", &self.namespace])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin
            .write_all(input.unwrap_or_default().as_bytes())
            .unwrap();
        drop(stdin);
        child.wait_with_output().unwrap()
    }

    fn kubectl(&self, arguments: &[&str], input: Option<&str>) -> String {
        let output = self.try_kubectl(self.cluster.kubeconfig(), arguments, input);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            stderr(&output)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    fn get(&self, kind: &str, name: &str) -> Value {
        serde_json::from_str(&self.kubectl(&["get", kind, name, "-o", "json"], None)).unwrap()
    }

    fn ledger(&self) -> Value {
        let map = self.get("configmap", "shop-dev-stagelink-ledger");
        serde_json::from_str(map["data"]["ledger.json"].as_str().unwrap()).unwrap()
    }

    /// Renders as Argo CD has the plugin do it, and applies what is applied before the hooks.
    fn sync(&self, parameters: Value, start: i64) -> Operation<'_> {
        let output = command()
            .args(["cmp", "generate"])
            .current_dir(self.folder.path().join("chart"))
            .env("ARGOCD_APP_NAME", "shop-dev")
            .env("ARGOCD_APP_NAMESPACE", &self.namespace)
            .env(
                "ARGOCD_APP_REVISION",
                "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567",
            )
            .env("ARGOCD_APP_PARAMETERS", parameters.to_string())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        let resources: Vec<Value> = serde_yaml::Deserializer::from_str(&text)
            .map(|document| serde::Deserialize::deserialize(document).unwrap())
            .collect();
        let operation = Operation {
            application: self,
            resources,
            start,
        };
        operation.apply(&["ConfigMap", "ServiceAccount", "Role", "RoleBinding"]);
        // The authorizer learns of the role in a moment.
        wait_until("the hooks have their rights", || {
            let name = "configmap/shop-dev-stagelink-ledger";
            self.may("patch", name)
        });
        operation
    }

    /// Whether the hooks may do something.
    fn may(&self, verb: &str, what: &str) -> bool {
        let output = self.try_kubectl(
            &self.hooks_kubeconfig(),
            &["auth", "can-i", verb, what],
            None,
        );
        output.stdout.starts_with(b"yes")
    }
}

impl Operation<'_> {
    fn apply(&self, kinds: &[&str]) {
        let is_kind = |resource: &&Value| kinds.iter().any(|kind| resource["kind"] == *kind);
        for resource in self.resources.iter().filter(is_kind) {
            let text = resource.to_string();
            self.application.kubectl(
                &["apply", "--server-side", "--force-conflicts", "-f", "-"],
                Some(&text),
            );
        }
    }

    /// Runs a hook as its Job's pod would; the Job itself is there and does nothing.
    fn hook(&self, hook: &str) -> Output {
        let job = self
            .resources
            .iter()
            .filter(|resource| resource["kind"] == "Job")
            .find(|job| job["metadata"]["annotations"]["argocd.argoproj.io/hook"] == hook)
            .unwrap();
        let phase = hook.to_lowercase();
        let mut stand_in = job.clone();
        let prefix = job["metadata"]["generateName"].as_str().unwrap();
        let name = format!("{prefix}0a1b2c3-{phase}-{}", self.start);
        stand_in["metadata"]["name"] = json!(name);
        stand_in["spec"]["suspend"] = json!(true);
        let application = self.application;
        application.kubectl(&["apply", "-f", "-"], Some(&stand_in.to_string()));
        let uid = application.get("job", &name)["metadata"]["uid"].clone();
        let plan = application.folder.path().join("plan.json");
        let map = application.get("configmap", "shop-dev-stagelink-plan");
        fs::write(&plan, map["data"]["plan.json"].as_str().unwrap()).unwrap();
        let mut command = command();
        command.args(["hook", &phase]);
        let container = &job["spec"]["template"]["spec"]["containers"][0];
        for variable in container["env"].as_array().unwrap() {
            let value = match variable["name"].as_str().unwrap() {
                "STAGELINK_PLAN" => plan.to_str().unwrap(),
                "STAGELINK_OPERATION" => &name,
                "STAGELINK_JOB_UID" => uid.as_str().unwrap(),
                "STAGELINK_NAMESPACE" => &application.namespace,
                _ => variable["value"].as_str().unwrap(),
            };
            command.env(variable["name"].as_str().unwrap(), value);
        }
        command
            .env("KUBECONFIG", application.hooks_kubeconfig())
            .arg("--spans-file")
            .arg(application.folder.path().join("spans.jsonl"))
            .output()
            .unwrap()
    }
}

/// `<verb> <resource>` of what a hook says that it has asked the API server for.
fn calls(output: &Output) -> BTreeSet<String> {
    let text = stderr(output);
    let line = text
        .lines()
        .find(|line| line.contains(" API calls: "))
        .unwrap_or_default();
    let (_, counts) = line.split_once(": ").unwrap_or_default();
    let named = counts
        .split(", ")
        .map(|count| count.rsplit_once(' ').unwrap().0.to_owned());
    named.collect()
}

/// The same of what a role allows.
fn granted(resources: &[Value]) -> BTreeSet<String> {
    let texts = |value: &Value| -> Vec<String> {
        let texts = value.as_array().unwrap().iter();
        texts
            .map(|text| text.as_str().unwrap().to_owned())
            .collect()
    };
    let roles = resources
        .iter()
        .filter(|resource| resource["kind"] == "Role");
    roles
        .flat_map(|role| role["rules"].as_array().unwrap())
        .flat_map(|rule| {
            let verbs = texts(&rule["verbs"]);
            let named = |resource: String| {
                verbs
                    .iter()
                    .map(move |verb| format!("{verb} {resource}"))
                    .collect::<Vec<_>>()
            };
            texts(&rule["resources"])
                .into_iter()
                .flat_map(named)
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn a_delivery_passes_with_just_the_rights_that_its_plan_needs() {
    let Some(application) = application("plugin and hooks in a cluster") else {
        return;
    };
    let start = jiff::Timestamp::now().as_second();
    let sync = application.sync(
        json!([{"name": "keptn-resources", "string": "omit"}]),
        start,
    );

    let before = sync.hook("PreSync");
    assert!(before.status.success(), "{}", stderr(&before));
    sync.apply(&["Deployment"]);
    let after = sync.hook("PostSync");
    assert!(after.status.success(), "{}", stderr(&after));
    let last = stderr(&after).lines().last().unwrap_or_default().to_owned();
    assert_eq!(last, "PostSync: pass, delivery 1 attempt 1");

    let ledger = application.ledger();
    let attempt = &ledger["deliveries"][0]["attempts"][0];
    assert_eq!(attempt["outcome"], "pass");
    assert_eq!(attempt["operation"]["name"], format!("0a1b2c3-{start}"));
    let started: jiff::Timestamp = attempt["startedAt"].as_str().unwrap().parse().unwrap();
    assert_eq!(started.as_second(), start);
    let deployed = &attempt["workloads"][0]["phases"].as_array().unwrap();
    let deployed = deployed
        .iter()
        .find(|phase| phase["phase"] == "WorkloadDeploy")
        .unwrap();
    assert!(
        deployed["startedAt"].as_str() < deployed["endedAt"].as_str(),
        "{deployed}"
    );

    // Jobs of tasks go with the hook's.
    let jobs: Value =
        serde_json::from_str(&application.kubectl(&["get", "jobs", "-o", "json"], None)).unwrap();
    let jobs = jobs["items"].as_array().unwrap();
    let owned = |job: &&Value| job["metadata"]["ownerReferences"].is_array();
    assert_eq!((jobs.len(), jobs.iter().filter(owned).count()), (4, 2));
    for job in jobs.iter().filter(|job| !owned(job)) {
        let name = job["metadata"]["name"].as_str().unwrap();
        application.kubectl(&["delete", "job", name], None);
    }
    wait_until("the tasks' Jobs are gone", || {
        application
            .kubectl(&["get", "jobs", "-o", "name"], None)
            .is_empty()
    });

    // The same again is known, and costs a look at the ledger only.
    let again = application.sync(
        json!([{"name": "keptn-resources", "string": "omit"}]),
        start + 60,
    );
    let known = again.hook("PreSync");
    assert!(stderr(&known).contains("PreSync: pass, delivery 1 attempt 1 had already passed"));
    assert_eq!(calls(&known), BTreeSet::from(["get configmaps".to_owned()]));

    // What the hooks did is what they may do, but for what only troubles need.
    let mut unused = granted(&sync.resources);
    for call in calls(&before).union(&calls(&after)) {
        assert!(
            unused.remove(call),
            "{call} is not allowed, and yet was done"
        );
    }
    let unused: Vec<&str> = unused.iter().map(String::as_str).collect();
    assert_eq!(
        unused,
        [
            "create configmaps",
            "delete jobs",
            "get deployments",
            "get jobs",
            "get pods/log",
            "get secrets",
            "list events",
            "watch events",
        ]
    );
    for (verb, what) in [
        ("get", "configmap/other"),
        ("list", "configmaps"),
        ("update", "configmap/shop-dev-stagelink-ledger"),
        ("delete", "configmap/shop-dev-stagelink-ledger"),
        ("get", "secret/other"),
        ("list", "secrets"),
        ("get", "deployment/other"),
        ("list", "deployments"),
        ("patch", "deployment/web"),
        ("create", "pods"),
        ("create", "pods/exec"),
        ("delete", "pods"),
        ("patch", "jobs"),
        ("get", "roles"),
        ("impersonate", "users"),
        ("get", "nodes"),
        ("create", "serviceaccounts/token"),
    ] {
        assert!(!application.may(verb, what), "{verb} {what}");
    }
    for (verb, what) in [
        ("get", "secret/token"),
        ("get", "deployment/web"),
        ("list", "pods"),
    ] {
        assert!(application.may(verb, what), "{verb} {what}");
    }
}

#[test]
fn what_fails_is_said_in_the_last_line() {
    let Some(application) = application("failing deliveries in a cluster") else {
        return;
    };
    let start = jiff::Timestamp::now().as_second();
    let set = |name: &str, value: &str| json!({"name": name, "string": value});
    let values =
        |text: &str| json!([set("keptn-resources", "omit"), {"name": "values", "string": text}]);

    // A task fails: its log is told, and no secret in it.
    let sync = application.sync(
        values("tasks: {check: [/probe, die, '3', no database]}"),
        start,
    );
    let failed = sync.hook("PreSync");
    assert_eq!(failed.status.code(), Some(1), "{}", stderr(&failed));
    let text = stderr(&failed);
    let last = text.lines().last().unwrap();
    assert!(
        last.starts_with("PreSync: fail, delivery 1 attempt 1: check: "),
        "{last}"
    );
    let closed = sync.hook("SyncFail");
    assert_eq!(closed.status.code(), Some(1), "{}", stderr(&closed));
    assert!(!text.contains("s3cret") && !application.ledger().to_string().contains("s3cret"));

    // The image is not there: SyncFail says what Argo CD does not.
    let sync = application.sync(values("image: rig.local/absent:1"), start + 60);
    assert!(sync.hook("PreSync").status.success());
    sync.apply(&["Deployment"]);
    wait_until("the pod says that its image is not there", || {
        application
            .kubectl(&["get", "pods", "-l", "app=web", "-o", "json"], None)
            .contains("ErrImageNeverPull")
    });
    let closed = sync.hook("SyncFail");
    let text = stderr(&closed);
    let last = text.lines().last().unwrap();
    assert_eq!(closed.status.code(), Some(1), "{text}");
    assert!(
        last.starts_with("SyncFail: fail, delivery 2 attempt 1: Deployment web was not deployed: ")
            && last.contains("container main: ErrImageNeverPull"),
        "{last}"
    );
    let summary =
        application.get("configmap", "shop-dev-stagelink-ledger")["data"]["summary"].clone();
    let lines: Vec<&str> = summary.as_str().unwrap().lines().collect();
    assert!(
        lines[0].starts_with("2.1 fail ") && lines[1].starts_with("1.1 fail "),
        "{lines:?}"
    );

    // Rights that are taken away, and a cluster that is not there, are no verdicts.
    application.kubectl(&["delete", "rolebinding", "shop-dev-stagelink"], None);
    wait_until("the hooks have no rights any more", || {
        !application.may("get", "configmap/shop-dev-stagelink-ledger")
    });
    let denied = sync.hook("PostSync");
    assert_eq!(denied.status.code(), Some(3), "{}", stderr(&denied));
    let text = stderr(&denied);
    assert!(
        text.contains("cannot be read: configmaps \"shop-dev-stagelink-ledger\" is forbidden"),
        "{text}"
    );
}
