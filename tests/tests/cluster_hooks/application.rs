//! A test as Argo CD: renders, applies, and runs the hooks on this machine as their service account.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use stagelink_tests::cluster::{Cluster, Repository};
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
  promotionTasks: [promote]
---
apiVersion: lifecycle.keptn.sh/v1
kind: KeptnTaskDefinition
metadata:
  name: promote
spec:
  container:
    name: promote
    image: ghcr.io/stagelink/stagelink-task:1.0.0
    args:
      - promote
      - --to-stage=prod
      - --from-file=app/values.yaml
      - --to-file=prod/values.yaml
      - --key=image
      - --trace-parent-key=traceParent
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
pub(crate) struct Application {
    pub(crate) cluster: Cluster,
    pub(crate) namespace: String,
    pub(crate) folder: tempfile::TempDir,
    /// With the chart in the folder `app`, and what the next stage has in `prod`.
    pub(crate) repository: Repository,
    pub(crate) revision: String,
}

/// A sync operation.
pub(crate) struct Operation<'a> {
    pub(crate) application: &'a Application,
    pub(crate) resources: Vec<Value>,
    start: i64,
}

pub(crate) fn application(test: &str) -> Option<Application> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let cluster = Cluster::require(test)?;
    let started = jiff::Timestamp::now().as_millisecond();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let repository = Repository::new(&cluster, "hooks");
    repository.write("app/Chart.yaml", CHART);
    repository.write("app/values.yaml", VALUES);
    repository.write("app/templates/all.yaml", TEMPLATE);
    repository.write("prod/values.yaml", "image: none\ntraceParent: \"\"\n");
    let application = Application {
        revision: repository.push("chart"),
        repository,
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

/// Parameters of the plugin for a cluster without Keptn's kinds.
pub(crate) fn parameters() -> Value {
    json!([{"name": "keptn-resources", "string": "omit"}])
}

impl Application {
    /// The repository as this machine reaches it.
    fn repository_url(&self) -> String {
        let [pods, here] = ["RIG_GIT_FROM_PODS", "RIG_GIT"].map(|name| self.cluster.address(name));
        self.repository.url().replace(pods, here)
    }

    /// Where the hooks write their spans.
    pub(crate) fn spans_file(&self) -> PathBuf {
        self.folder.path().join("spans.jsonl")
    }

    pub(crate) fn hooks_kubeconfig(&self) -> PathBuf {
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

    pub(crate) fn kubectl(&self, arguments: &[&str], input: Option<&str>) -> String {
        let output = self.try_kubectl(self.cluster.kubeconfig(), arguments, input);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            stderr(&output)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// Deletes all of it, without waiting.
    pub(crate) fn delete(&self) {
        let namespace = self.namespace.as_str();
        self.kubectl(&["delete", "namespace", namespace, "--wait=false"], None);
    }

    pub(crate) fn get(&self, kind: &str, name: &str) -> Value {
        serde_json::from_str(&self.kubectl(&["get", kind, name, "-o", "json"], None)).unwrap()
    }

    pub(crate) fn ledger(&self) -> Value {
        let map = self.get("configmap", "shop-dev-stagelink-ledger");
        serde_json::from_str(map["data"]["ledger.json"].as_str().unwrap()).unwrap()
    }

    /// Renders as Argo CD has the plugin do it, and applies what is applied before the hooks.
    pub(crate) fn sync(&self, parameters: Value, start: i64) -> Operation<'_> {
        let output = command()
            .args(["cmp", "generate"])
            .current_dir(self.repository.path("app"))
            .env("ARGOCD_APP_NAME", "shop-dev")
            .env("ARGOCD_APP_NAMESPACE", &self.namespace)
            .env("ARGOCD_APP_REVISION", &self.revision)
            .env("ARGOCD_APP_SOURCE_REPO_URL", self.repository_url())
            .env("ARGOCD_APP_SOURCE_PATH", "app")
            .env("ARGOCD_APP_SOURCE_TARGET_REVISION", "main")
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
    pub(crate) fn may(&self, verb: &str, what: &str) -> bool {
        let output = self.try_kubectl(
            &self.hooks_kubeconfig(),
            &["auth", "can-i", verb, what],
            None,
        );
        output.stdout.starts_with(b"yes")
    }
}

impl Operation<'_> {
    pub(crate) fn apply(&self, kinds: &[&str]) {
        let is_kind = |resource: &&Value| kinds.iter().any(|kind| resource["kind"] == *kind);
        for resource in self.resources.iter().filter(is_kind) {
            let text = resource.to_string();
            self.application.kubectl(
                &["apply", "--server-side", "--force-conflicts", "-f", "-"],
                Some(&text),
            );
        }
    }

    /// Runs a hook as its pod would; the Job, or the pod, itself is there and does nothing.
    pub(crate) fn hook(&self, hook: &str) -> Output {
        let kubeconfig = self.application.hooks_kubeconfig();
        self.hook_command(hook, &kubeconfig).output().unwrap()
    }

    /// The same, with another way to the API server, not yet started.
    pub(crate) fn hook_command(&self, hook: &str, kubeconfig: &Path) -> Command {
        let resource = self
            .resources
            .iter()
            .filter(|resource| resource["kind"] == "Job" || resource["kind"] == "Pod")
            .find(|hooks| hooks["metadata"]["annotations"]["argocd.argoproj.io/hook"] == hook)
            .unwrap();
        let phase = hook.to_lowercase();
        let mut stand_in = resource.clone();
        let prefix = resource["metadata"]["generateName"].as_str().unwrap();
        let revision = &self.application.revision[..7];
        let name = format!("{prefix}{revision}-{phase}-{}", self.start);
        stand_in["metadata"]["name"] = json!(name);
        let (kind, pod) = if resource["kind"] == "Job" {
            stand_in["spec"]["suspend"] = json!(true);
            ("job", &resource["spec"]["template"]["spec"])
        } else {
            stand_in["spec"]["schedulingGates"] = json!([{"name": "stagelink.dev/never"}]);
            ("pod", &resource["spec"])
        };
        let application = self.application;
        application.kubectl(&["apply", "-f", "-"], Some(&stand_in.to_string()));
        let uid = application.get(kind, &name)["metadata"]["uid"].clone();
        let plan = application.folder.path().join("plan.json");
        let map = application.get("configmap", "shop-dev-stagelink-plan");
        fs::write(&plan, map["data"]["plan.json"].as_str().unwrap()).unwrap();
        let mut command = command();
        command.args(["hook", &phase]);
        let container = &pod["containers"][0];
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
            .env("KUBECONFIG", kubeconfig)
            .arg("--spans-file")
            .arg(application.spans_file());
        command
    }
}
