//! Deliveries that fail, each in its own way: what the user sees in Argo CD, what the ledger keeps, what ran.

use serde_json::Value;
use stagelink_tests::cluster::{
    Application, Cluster, Ended, Namespace, PROBE, Repository, parameter,
};

const CHART: &str = r#"apiVersion: lifecycle.keptn.sh/v1
kind: KeptnAppContext
metadata:
  name: shop
spec:
  preDeploymentTasks: [before]
  postDeploymentTasks: [after]
{{- range $name := list "before" "after" }}
---
apiVersion: lifecycle.keptn.sh/v1
kind: KeptnTaskDefinition
metadata:
  name: {{ $name }}
spec:
  retries: 0
  timeout: 1m
  container:
    name: task
    image: @PROBE@
    command: [/probe, die]
    args: [{{ get $.Values.exits $name | quote }}, "{{ $name }} has ended"]
{{- end }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  progressDeadlineSeconds: 8
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web, app.kubernetes.io/name: web, app.kubernetes.io/part-of: shop, app.kubernetes.io/version: v1}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: {{ .Values.image }}
        args: [serve, ":8080", {{ .Values.readyAfter }}]
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
"#;

/// What may go wrong; the rest goes well.
struct Case {
    before: u8,
    after: u8,
    image: &'static str,
    ready_after: &'static str,
}

const WELL: Case = Case {
    before: 0,
    after: 0,
    image: PROBE,
    ready_after: "0s",
};

/// A finished sync and where to look for what it left.
struct Seen {
    cluster: Cluster,
    // Deleted in this order: first what deploys.
    application: Application,
    _repository: Repository,
    namespace: Namespace,
    ended: Ended,
}

impl Seen {
    fn of(name: &str, case: &Case) -> Option<Self> {
        let cluster = Cluster::require(name)?;
        let repository = Repository::new(&cluster, "shop");
        repository.write(
            "app/Chart.yaml",
            "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
        );
        repository.write("app/templates/all.yaml", &CHART.replace("@PROBE@", PROBE));
        repository.write(
            "app/values.yaml",
            &format!(
                "exits: {{before: \"{}\", after: \"{}\"}}\nimage: {}\nreadyAfter: {}\n",
                case.before, case.after, case.image, case.ready_after
            ),
        );
        repository.push(name);
        let namespace = cluster.future_namespace("shop");
        let application = Application::new(
            &cluster,
            "shop",
            &repository,
            "app",
            namespace.name(),
            &[parameter("stage", "dev")],
        );
        let ended = application.sync();
        Some(Self {
            cluster,
            application,
            _repository: repository,
            namespace,
            ended,
        })
    }

    /// The only attempt of the only delivery.
    fn attempt(&self) -> Value {
        let ledger = self
            .cluster
            .ledger(self.namespace.name(), self.application.name());
        let attempts = ledger["deliveries"][0]["attempts"].as_array().unwrap();
        assert_eq!(ledger["deliveries"].as_array().unwrap().len(), 1);
        assert_eq!(attempts.len(), 1, "{ledger:#}");
        attempts[0].clone()
    }

    /// The names of the definitions whose tasks ran, in order, each as often as it did.
    fn ran(&self) -> Vec<String> {
        let mut jobs = self.cluster.list(self.namespace.name(), "jobs", "");
        jobs.sort_by_key(|job| job["metadata"]["creationTimestamp"].to_string());
        let names = jobs.iter().filter_map(|job| {
            let task = job["metadata"]["annotations"]["keptn.sh/task-name"].as_str()?;
            let mut known = ["before", "after"]
                .into_iter()
                .filter(|known| task.contains(known));
            Some(known.next().unwrap_or(task).to_owned())
        });
        names.collect()
    }

    /// The line in which Argo CD says why the delivery failed, whatever hook it failed in.
    fn reason(&self) -> &str {
        let hook = self.ended.hook("SyncFail");
        let message = hook.and_then(|hook| hook["message"].as_str());
        message.unwrap_or_else(|| panic!("SyncFail says nothing: {:#?}", self.ended.resources))
    }

    /// A failed sync leaves no pod of a hook behind but those of Jobs, which go in time.
    fn assert_tidy(&self) {
        let pods = self.cluster.list(self.namespace.name(), "pods", "");
        let alone = pods.iter().filter(|pod| {
            pod["metadata"]["ownerReferences"].is_null()
                && pod["metadata"]["deletionTimestamp"].is_null()
        });
        let alone: Vec<&Value> = alone.map(|pod| &pod["metadata"]["name"]).collect();
        assert!(alone.is_empty(), "{alone:?}");
    }

    /// Reason, type and message of our events that Argo CD shows of a resource, in the order of the reasons.
    fn events(&self, kind: &str, name: &str) -> Vec<(String, String, String)> {
        let resource = self.cluster.get(self.namespace.name(), kind, name);
        let resource = resource.unwrap_or_else(|| panic!("{kind} {name} is not there"));
        let events = self
            .cluster
            .argocd_events(self.application.name(), &resource);
        let ours = events
            .iter()
            .filter(|event| event["source"]["component"] == "stagelink");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut events: Vec<_> = ours
            .map(|event| {
                (
                    text(&event["reason"]),
                    text(&event["type"]),
                    text(&event["message"]),
                )
            })
            .collect();
        events.sort();
        events
    }

    /// The same of a hook.
    fn hook_events(&self, hook: &str) -> Vec<(String, String, String)> {
        let hook = self.ended.hook(hook).expect("the hook ran");
        let kind = hook["kind"].as_str().unwrap_or_default().to_lowercase();
        self.events(&kind, hook["name"].as_str().unwrap_or_default())
    }

    fn deployed(&self) -> bool {
        let namespace = self.namespace.name();
        self.cluster.get(namespace, "deployment", "web").is_some()
    }
}

#[test]
fn tasks_around_a_deployment_run_as_jobs_once_each() {
    let Some(seen) = Seen::of("tasks as Jobs", &WELL) else {
        return;
    };
    assert_eq!(seen.ended.phase, "Succeeded", "{:#?}", seen.ended.resources);
    assert_eq!(seen.ran(), ["before", "after"]);
    let attempt = seen.attempt();
    assert_eq!(attempt["outcome"], "pass", "{attempt:#}");

    // Argo CD shows what happened as events with Keptn's reasons, each once: of the app at the hooks, of the
    // workload at the Deployment.
    let reasons = |events: &[(String, String, String)]| -> Vec<String> {
        assert!(events.iter().all(|event| event.1 == "Normal"), "{events:?}");
        events.iter().map(|event| event.0.clone()).collect()
    };
    let before = seen.hook_events("PreSync");
    let expected = [
        "AppDeployStarted",
        "AppPreDeployTasksFinished",
        "AppPreDeployTasksStarted",
    ];
    assert_eq!(reasons(&before), expected);
    assert!(
        before[2]
            .2
            .starts_with("App Pre-Deployment Tasks: has started / Namespace: "),
        "{before:?}"
    );
    let after = seen.hook_events("PostSync");
    let expected = [
        "AppCompletedFinished",
        "AppDeployFinished",
        "AppPostDeployTasksFinished",
        "AppPostDeployTasksStarted",
    ];
    assert_eq!(reasons(&after), expected);
    let workload = seen.events("deployment", "web");
    let expected = [
        "WorkloadCompletedFinished",
        "WorkloadDeployFinished",
        "WorkloadDeployStarted",
    ];
    assert_eq!(reasons(&workload), expected);
    assert!(
        workload[1].2.ends_with("Name: shop-web-v1, Version: v1"),
        "{workload:?}"
    );
}

#[test]
fn a_failed_task_before_the_deployment_keeps_it_from_happening() {
    let case = Case { before: 3, ..WELL };
    let Some(seen) = Seen::of("a failing task before the deployment", &case) else {
        return;
    };
    assert_eq!(seen.ended.phase, "Failed", "{:#?}", seen.ended.resources);
    let hook = seen.ended.hook("PreSync").expect("the PreSync hook ran");
    assert_eq!(hook["hookPhase"], "Failed", "{hook:#}");
    assert_eq!(
        seen.reason(),
        "SyncFail: fail, as delivery 1 attempt 1 before: before: the container ended with exit code 3: before has ended"
    );
    seen.assert_tidy();
    assert!(!seen.deployed());
    assert_eq!(seen.ran(), ["before"]);
    let attempt = seen.attempt();
    assert_eq!(attempt["outcome"], "fail", "{attempt:#}");
    assert!(attempt["endedAt"].is_string(), "{attempt:#}");
    let task = &attempt["phases"][0]["items"][0];
    assert_eq!(task["outcome"], "fail", "{attempt:#}");
    assert!(task.to_string().contains("before has ended"), "{task:#}");

    // The hook's events say why, too.
    let warnings = seen.hook_events("PreSync");
    let warnings: Vec<_> = warnings
        .iter()
        .filter(|event| event.1 == "Warning")
        .collect();
    let reasons: Vec<&str> = warnings.iter().map(|event| event.0.as_str()).collect();
    let expected = [
        "AppCompletedFailed",
        "AppPreDeployTasksFailed",
        "ReconcileTaskFailed",
    ];
    assert_eq!(reasons, expected);
    for (_, _, message) in warnings {
        let why = "the container ended with exit code 3: before has ended";
        assert!(message.contains(why), "{message}");
    }
}

#[test]
fn a_failed_task_after_the_deployment_fails_the_delivery_of_what_runs() {
    let case = Case { after: 4, ..WELL };
    let Some(seen) = Seen::of("a failing task after the deployment", &case) else {
        return;
    };
    assert_eq!(seen.ended.phase, "Failed", "{:#?}", seen.ended.resources);
    let hook = seen.ended.hook("PostSync").expect("the PostSync hook ran");
    assert_eq!(hook["hookPhase"], "Failed", "{hook:#}");
    assert_eq!(
        seen.reason(),
        "SyncFail: fail, as delivery 1 attempt 1 before: after: the container ended with exit code 4: after has ended"
    );
    seen.assert_tidy();
    assert!(seen.deployed());
    assert_eq!(seen.ran(), ["before", "after"]);
    let attempt = seen.attempt();
    assert_eq!(attempt["outcome"], "fail", "{attempt:#}");
}

/// Argo CD gives up on the sync when the Deployment does; SyncFail closes the delivery.
fn assert_never_healthy(name: &str, case: &Case, reason: &str) {
    let Some(seen) = Seen::of(name, case) else {
        return;
    };
    assert_eq!(seen.ended.phase, "Failed", "{:#?}", seen.ended.resources);
    assert!(
        seen.ended.hook("PostSync").is_none(),
        "{:#?}",
        seen.ended.resources
    );
    let said = seen.reason();
    assert!(
        said.starts_with("SyncFail: fail, delivery 1 attempt 1: Deployment web was not deployed: ")
            && said.contains(reason),
        "{said}"
    );
    seen.assert_tidy();
    assert_eq!(seen.ran(), ["before"]);
    let attempt = seen.attempt();
    assert_eq!(attempt["outcome"], "fail", "{attempt:#}");
    assert!(attempt["endedAt"].is_string(), "{attempt:#}");
}

#[test]
fn a_workload_that_is_never_ready_fails_the_delivery() {
    let case = Case {
        ready_after: "10m",
        ..WELL
    };
    assert_never_healthy(
        "a workload that is never ready",
        &case,
        "unready status: [web]",
    );
}

#[test]
fn an_image_that_is_not_there_fails_the_delivery() {
    let case = Case {
        image: "rig.local/absent:1",
        ..WELL
    };
    assert_never_healthy("an image that is not there", &case, "rig.local/absent:1");
}
