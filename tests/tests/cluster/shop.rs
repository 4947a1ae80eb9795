//! An app with a task before and a task after its Deployment, whose values say how each behaves.

use serde_json::{Value, json};
use stagelink_tests::cluster::{
    Application, Cluster, Ended, LONGEST_CLUSTER_WAIT, Namespace, PROBE, Repository, parameter,
};

const CHART: &str = r#"apiVersion: lifecycle.keptn.sh/v1
kind: KeptnAppContext
metadata:
  name: shop
spec:
  preDeploymentTasks: [before]
  postDeploymentTasks: [after]
  {{- if .Values.promotes }}
  promotionTasks: [promote]
  {{- end }}
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
      - --key=version
      - --trace-parent-key=traceParent
{{- range $name := list "before" "after" }}
---
apiVersion: lifecycle.keptn.sh/v1
kind: KeptnTaskDefinition
metadata:
  name: {{ $name }}
spec:
  retries: {{ $.Values.retries }}
  timeout: 5m
  container:
    name: task
    image: @PROBE@
    command: {{ get $.Values $name | toJson }}
    {{- with $.Values.secret }}
    env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: {{ . }}, key: token}}}]
    {{- end }}
{{- end }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  version: {{ .Values.version }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels:
        app: web
        app.kubernetes.io/name: web
        app.kubernetes.io/part-of: shop
        app.kubernetes.io/version: {{ .Values.version }}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: @PROBE@
        args: [serve, ":8080", {{ .Values.readyAfter }}]
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
"#;

/// A task that passes at once.
pub(crate) const PASSES: &[&str] = &["/probe", "die", "0", "done"];
/// A task that fails at once.
pub(crate) const FAILS: &[&str] = &["/probe", "die", "3", "not today"];
/// A task that runs until somebody stops it.
pub(crate) const RUNS_ON: &[&str] = &["/probe", "sleep", "4m"];

/// What the chart's values say.
#[derive(Debug, Clone)]
pub(crate) struct Values {
    pub(crate) version: &'static str,
    pub(crate) before: &'static [&'static str],
    pub(crate) after: &'static [&'static str],
    pub(crate) ready_after: &'static str,
    /// A Secret that both tasks need.
    pub(crate) secret: Option<&'static str>,
    /// How often each task is tried again.
    pub(crate) retries: u32,
    /// Whether the version is proposed to the next stage.
    pub(crate) promotes: bool,
}

/// All goes well.
pub(crate) const WELL: Values = Values {
    version: "v1",
    before: PASSES,
    after: PASSES,
    ready_after: "0s",
    secret: None,
    retries: 0,
    promotes: false,
};

/// A repository with the chart in the folder `app`.
pub(crate) fn repository(cluster: &Cluster, values: &Values) -> Repository {
    let repository = Repository::new(cluster, "shop");
    repository.write(
        "app/Chart.yaml",
        "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
    );
    repository.write("app/templates/all.yaml", &CHART.replace("@PROBE@", PROBE));
    repository.write("prod/values.yaml", "version: v0\ntraceParent: \"\"\n");
    commit(&repository, values);
    repository
}

/// Commits values; the commit.
pub(crate) fn commit(repository: &Repository, values: &Values) -> String {
    let content = json!({
        "version": values.version,
        "before": values.before,
        "after": values.after,
        "readyAfter": values.ready_after,
        "secret": values.secret,
        "retries": values.retries,
        "promotes": values.promotes,
    });
    repository.write("app/values.yaml", &content.to_string());
    repository.push(values.version)
}

/// One stage of the app.
pub(crate) struct Shop {
    pub(crate) cluster: Cluster,
    // Deleted in this order: first what deploys.
    pub(crate) application: Application,
    pub(crate) namespace: Namespace,
}

impl Shop {
    /// A stage in a namespace of its own, which is not synced yet.
    pub(crate) fn new(cluster: &Cluster, repository: &Repository) -> Self {
        Self::with_parameters(cluster, repository, &[])
    }

    /// The same with more parameters of the plugin.
    pub(crate) fn with_parameters(
        cluster: &Cluster,
        repository: &Repository,
        more: &[Value],
    ) -> Self {
        let namespace = cluster.future_namespace("shop");
        let mut parameters = vec![parameter("stage", "dev")];
        parameters.extend_from_slice(more);
        let application = Application::new(
            cluster,
            "shop",
            repository,
            "app",
            namespace.name(),
            &parameters,
        );
        Self {
            cluster: cluster.clone(),
            application,
            namespace,
        }
    }

    /// Lets Argo CD sync each commit by itself.
    pub(crate) fn automate(&self, automated: &Value) {
        let policy = json!({"automated": automated, "syncOptions": ["CreateNamespace=true"]});
        self.application
            .patch(&json!({"spec": {"syncPolicy": policy}}));
    }

    /// Waits until a commit has been synced as a whole.
    pub(crate) fn wait_for_commit(&self, revision: &str) -> Value {
        let application = self.application.wait("synced the commit", |application| {
            let state = &application["status"]["operationState"];
            state["syncResult"]["revision"] == revision
                && state["operation"]["sync"]["resources"].is_null()
                && state["phase"] != "Running"
        });
        let state = &application["status"]["operationState"];
        assert_eq!(state["phase"], "Succeeded", "{state:#}");
        application
    }

    pub(crate) fn ledger(&self) -> Value {
        self.cluster
            .ledger(self.namespace.name(), self.application.name())
    }

    /// Waits until the ledger is as wanted.
    pub(crate) fn wait_for_ledger(&self, what: &str, mut wanted: impl FnMut(&Value) -> bool) {
        let name = format!("{}-stagelink-ledger", self.application.name());
        self.cluster
            .wait(self.namespace.name(), "configmap", &name, what, |map| {
                let ledger = map["data"]["ledger.json"].as_str().unwrap_or_default();
                serde_json::from_str(ledger).is_ok_and(|ledger| wanted(&ledger))
            });
    }

    /// Waits until the first delivery has a task in a phase.
    pub(crate) fn wait_for_phase(&self, name: &str) {
        self.wait_for_ledger(name, |ledger| {
            let phases = ledger["deliveries"][0]["attempts"][0]["phases"].as_array();
            let mut phases = phases.into_iter().flatten();
            phases.any(|phase| phase["phase"] == name && phase["items"][0].is_object())
        });
    }

    /// Waits until the Deployment is there.
    pub(crate) fn wait_until_applied(&self) {
        let namespace = self.namespace.name();
        self.cluster
            .wait(namespace, "deployment", "web", "applied", |deployment| {
                deployment["metadata"]["uid"].is_string()
            });
    }

    /// The outcome of each attempt of each delivery, in order.
    pub(crate) fn outcomes(&self) -> Vec<Vec<String>> {
        let ledger = self.ledger();
        let deliveries = ledger["deliveries"].as_array().unwrap().iter();
        deliveries
            .map(|delivery| {
                let attempts = delivery["attempts"].as_array().unwrap().iter();
                attempts
                    .map(|attempt| attempt["outcome"].as_str().unwrap_or("open").to_owned())
                    .collect()
            })
            .collect()
    }

    /// How often the tasks `before` and `after` were run: for how many pods Kubernetes tells that their
    /// Jobs made them. A task's Job itself goes with its hook's, which an automatic retry replaces.
    pub(crate) fn tasks_run(&self) -> [usize; 2] {
        let events = self.cluster.list(self.namespace.name(), "events", "");
        ["pre-before-", "post-after-"].map(|task| {
            let made = events.iter().filter(|event| {
                let job = event["involvedObject"]["name"].as_str().unwrap_or_default();
                event["reason"] == "SuccessfulCreate" && job.starts_with(task)
            });
            made.count()
        })
    }

    /// Waits until resources are gone that are chosen by the arguments of `kubectl wait`.
    pub(crate) fn wait_until_gone(&self, which: &[&str]) {
        let wait = ["--namespace", self.namespace.name(), "wait", "--for=delete"];
        let timeout = format!("--timeout={}s", LONGEST_CLUSTER_WAIT.as_secs());
        self.cluster.run(&[&wait[..], which, &[&timeout]].concat());
    }

    /// The version that the live Deployment has.
    pub(crate) fn version(&self) -> Value {
        let web = self
            .cluster
            .get(self.namespace.name(), "deployment", "web")
            .unwrap_or_default();
        web["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/version"].clone()
    }
}

pub(crate) fn assert_succeeded(ended: &Ended) {
    assert_eq!(
        ended.phase, "Succeeded",
        "{}: {:#?}",
        ended.message, ended.resources
    );
}
