//! An Argo CD Application with our plugin.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Cluster, LONGEST_CLUSTER_WAIT, Repository, unique, watch};

/// An Application that syncs when it is told to. It is deleted with what it deployed when its test ends.
#[derive(Debug)]
pub struct Application {
    cluster: Cluster,
    namespace: String,
    name: String,
}

/// How an operation ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// `Succeeded`, `Failed` or `Error`.
    pub phase: String,
    /// Argo CD's one sentence about all of it.
    pub message: String,
    /// What it says about each resource: `syncResult.resources`.
    pub resources: Vec<Value>,
    /// The whole Application at that moment.
    pub application: Value,
}

impl Ended {
    /// What Argo CD says about the hook of this type (`PreSync`, …) that is a Job or a pod.
    pub fn hook(&self, hook: &str) -> Option<&Value> {
        self.resources
            .iter()
            .rfind(|resource| resource["hookType"] == hook && is_run(resource))
    }
}

fn is_run(resource: &Value) -> bool {
    resource["kind"] == "Job" || resource["kind"] == "Pod"
}

impl Application {
    /// Makes one for a chart in a repository.
    ///
    /// # Panics
    /// When Argo CD's API refuses it.
    pub fn new(
        cluster: &Cluster,
        name: &str,
        repository: &Repository,
        path: &str,
        namespace: &str,
        parameters: &[Value],
    ) -> Self {
        let source = json!({
            "repoURL": repository.url(),
            "path": path,
            "targetRevision": "main",
            "plugin": {"name": "stagelink", "parameters": parameters},
        });
        let spec = json!({"source": source});
        Self::with_spec(cluster, "argocd", &unique(name), namespace, spec)
    }

    /// Makes one of any sources, in any namespace, that deploys to another namespace.
    ///
    /// # Panics
    /// When Argo CD's API refuses it.
    pub fn with_spec(
        cluster: &Cluster,
        namespace: &str,
        name: &str,
        destination: &str,
        mut spec: Value,
    ) -> Self {
        let rest = json!({
            "project": "default",
            "destination": {"server": "https://kubernetes.default.svc", "namespace": destination},
        });
        merge(&mut spec, &rest);
        let application = json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": name, "finalizers": ["resources-finalizer.argocd.argoproj.io"]},
            "spec": spec,
        });
        cluster.apply(namespace, &application.to_string());
        Self {
            cluster: cluster.clone(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Lets Argo CD look at the repository now, and waits until it has.
    pub fn refresh(&self) -> Value {
        let annotation = "argocd.argoproj.io/refresh";
        self.patch(&json!({"metadata": {"annotations": {annotation: "normal"}}}));
        self.wait("refreshed", |application| {
            application["metadata"]["annotations"][annotation].is_null()
        })
    }

    /// Begins to sync it to the head of the branch, after a refresh. What it says of the operation
    /// is found by the text that is given back.
    pub fn begin_sync(&self, more: &Value) -> String {
        self.refresh();
        let id = unique("sync");
        let mut operation = json!({
            "info": [{"name": "test", "value": id}],
            "initiatedBy": {"username": "test"},
            // An operation by hand does not take the Application's own options.
            "sync": {"syncOptions": ["CreateNamespace=true"]},
        });
        merge(&mut operation, more);
        self.patch(&json!({"operation": operation}));
        id
    }

    /// Waits until an operation has ended.
    pub fn end_of_sync(&self, id: &str) -> Ended {
        self.end_of_sync_within(id, LONGEST_CLUSTER_WAIT)
    }

    /// Waits until an operation has ended that may take longer than others, as there are so many.
    ///
    /// # Panics
    /// When it takes even longer.
    pub fn end_of_sync_within(&self, id: &str, patience: Duration) -> Ended {
        let which = (&*self.namespace, "applications.argoproj.io", &*self.name);
        let what = "the operation has ended";
        let application = watch::until(&self.cluster, which, what, patience, |application| {
            let state = &application["status"]["operationState"];
            state["operation"]["info"][0]["value"] == id
                && state["phase"] != "Running"
                && state["phase"] != "Terminating"
        });
        let state = &application["status"]["operationState"];
        let text = |name: &str| state[name].as_str().unwrap_or_default().to_owned();
        Ended {
            phase: text("phase"),
            message: text("message"),
            resources: state["syncResult"]["resources"]
                .as_array()
                .cloned()
                .unwrap_or_default(),
            application,
        }
    }

    /// Syncs it to the head of the branch and waits for the end.
    pub fn sync(&self) -> Ended {
        let id = self.begin_sync(&json!({}));
        self.end_of_sync(&id)
    }

    /// Waits until the Application is as wanted.
    ///
    /// # Panics
    /// When it never is.
    pub fn wait(&self, what: &str, wanted: impl FnMut(&Value) -> bool) -> Value {
        self.cluster.wait(
            &self.namespace,
            "applications.argoproj.io",
            &self.name,
            what,
            wanted,
        )
    }

    /// Changes the Application.
    pub fn patch(&self, patch: &Value) {
        self.cluster.run(&[
            "--namespace",
            &self.namespace,
            "patch",
            "applications.argoproj.io",
            &self.name,
            "--type=merge",
            "--patch",
            &patch.to_string(),
        ]);
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let arguments = [
                "--namespace",
                &self.namespace,
                "delete",
                "applications.argoproj.io",
                &self.name,
                "--wait=false",
            ];
            let _ = self.cluster.kubectl(&arguments).output();
        }
    }
}

/// Puts the fields of one map over those of another, maps within maps too.
fn merge(base: &mut Value, more: &Value) {
    match (base, more) {
        (Value::Object(base), Value::Object(more)) => {
            for (key, value) in more {
                merge(base.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (base, more) => *base = more.clone(),
    }
}
