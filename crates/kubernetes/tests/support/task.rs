//! Tasks for a real cluster, and what is there of them.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::core::NamespaceResourceScope;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use stagelink_delivery::CheckType;
use stagelink_delivery::ports::{ItemEnd, KeptnContext, TaskRequest, TaskRunner as _};
use stagelink_keptn::TaskDefinitionSpec;
use stagelink_kubernetes::{Cluster, ClusterTasks, ClusterTasksSettings};
use tokio_util::sync::CancellationToken;

use crate::rig::{Rig, plan};

/// The image of the rig: a program `/probe`, and busybox.
const IMAGE: &str = "rig.local/probe:1";
/// Another one: its entry point runs the shell script that `SCRIPT` names, as Keptn's images run theirs.
const FUNCTION_IMAGE: &str = "rig.local/function:1";

/// The service account of the hooks.
pub(crate) const HOOK: &str = "hook";

/// A definition that runs the probe once.
pub(crate) fn probe(arguments: &[&str]) -> Value {
    let command: Vec<&str> = ["/probe"].iter().chain(arguments).copied().collect();
    json!({
        "container": {
            "name": "main", "image": IMAGE, "imagePullPolicy": "IfNotPresent", "command": command,
        },
        "retries": 0,
    })
}

/// A definition that runs a script once.
pub(crate) fn shell(script: &str) -> Value {
    let mut definition = probe(&[]);
    definition["container"]["command"] = json!(["/bin/busybox", "sh", "-c", script]);
    definition
}

/// A hook's tasks.
pub(crate) struct Run<'a> {
    rig: &'a Rig,
    pub(crate) cluster: Cluster,
    settings: ClusterTasksSettings,
    told: Arc<Mutex<Vec<String>>>,
    pub(crate) cancel: CancellationToken,
    pub(crate) trace_parent: String,
    pub(crate) begun_before: Option<Timestamp>,
}

/// What a test wants to know of a pod.
#[derive(Debug)]
pub(crate) struct PodFacts {
    pub(crate) restarts: i32,
    pub(crate) is_running: bool,
}

impl<'a> Run<'a> {
    /// A hook with no more rights than the plugin's role gives it.
    pub(crate) async fn new(rig: &'a Rig) -> Self {
        Self::with_settings(rig, ClusterTasksSettings::default()).await
    }

    /// The same with other settings.
    pub(crate) async fn with_settings(rig: &'a Rig, settings: ClusterTasksSettings) -> Self {
        let secrets = json!({"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]});
        let definitions = json!({
            "apiGroups": ["lifecycle.keptn.sh"], "resources": ["keptntaskdefinitions"], "verbs": ["get"],
        });
        allow(rig, HOOK, &[secrets, definitions]).await;
        Self::with(rig, rig.cluster_as(HOOK).await, settings)
    }

    pub(crate) fn with(rig: &'a Rig, cluster: Cluster, settings: ClusterTasksSettings) -> Self {
        let told = Arc::new(Mutex::new(Vec::new()));
        let lines = told.clone();
        let tell = Arc::new(move |task: &str, line: &str| {
            lines.lock().unwrap().push(format!("{task} {line}"));
        });
        Self {
            rig,
            cluster,
            settings: ClusterTasksSettings {
                deno_image: FUNCTION_IMAGE.to_owned(),
                python_image: FUNCTION_IMAGE.to_owned(),
                tell,
                ..settings
            },
            told,
            cancel: CancellationToken::new(),
            trace_parent: "00-c088f5c586bab8649159ccc39a9862f7-f862289833f1fba3-01".to_owned(),
            begun_before: None,
        }
    }

    /// The same attempt in the hook's next pod, with a connection of its own.
    pub(crate) async fn again(&self) -> Self {
        let cluster = self.rig.cluster_as(HOOK).await;
        Self {
            begun_before: Some(Timestamp::now()),
            ..Self::with(self.rig, cluster, self.settings.clone())
        }
    }

    /// Runs a task of a definition.
    pub(crate) async fn task(&self, definition_name: &str, definition: &Value) -> ItemEnd {
        let definition: TaskDefinitionSpec = serde_json::from_value(definition.clone()).unwrap();
        self.run(definition_name, Some(&definition)).await
    }

    /// Runs a task of a definition that may have to be looked for.
    pub(crate) async fn run(
        &self,
        definition_name: &str,
        definition: Option<&TaskDefinitionSpec>,
    ) -> ItemEnd {
        let plan = plan(&self.rig.namespace);
        let name = format!("pre-{definition_name}-12345");
        let task = TaskRequest {
            plan: &plan,
            name: &name,
            definition_name,
            definition,
            delivery: 1,
            attempt: 1,
            begun_before: self.begun_before,
            check_type: CheckType::Pre,
            context: KeptnContext {
                app_name: "shop".to_owned(),
                app_version: "v1".to_owned(),
                task_type: "pre".to_owned(),
                object_type: "App".to_owned(),
                metadata: [("traceparent".to_owned(), self.trace_parent.clone())].into(),
                ..KeptnContext::default()
            },
            trace_parent: self.trace_parent.parse().unwrap(),
            reports: &BTreeMap::new(),
        };
        let tasks = ClusterTasks::new(&self.cluster, self.settings.clone());
        tasks.run(&task, &self.cancel).await
    }

    /// `<task> <line>` of all that people were told.
    pub(crate) fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }

    /// The namespace's pods that are not being deleted.
    pub(crate) async fn pods(&self) -> Vec<PodFacts> {
        let pods: Vec<Pod> = self
            .rig
            .api()
            .list(&Default::default())
            .await
            .unwrap()
            .items;
        let pods = pods.into_iter();
        pods.filter(|pod| pod.metadata.deletion_timestamp.is_none())
            .map(|pod| {
                let statuses = pod.status.unwrap().container_statuses.unwrap_or_default();
                let main = statuses.first();
                PodFacts {
                    restarts: main.map_or(0, |main| main.restart_count),
                    is_running: main
                        .and_then(|main| main.state.as_ref())
                        .is_some_and(|state| state.running.is_some()),
                }
            })
            .collect()
    }

    /// Waits until a pod runs.
    pub(crate) async fn wait_for_pod(&self) {
        wait_for(|| async { self.pods().await.iter().any(|pod| pod.is_running) }).await;
    }
}

/// Waits until something holds, a minute at most.
pub(crate) async fn wait_for<F: Future<Output = bool>>(holds: impl Fn() -> F) {
    for _ in 0..600 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("waited in vain");
}

/// Waits until an object is gone.
pub(crate) async fn wait_until_gone<K>(rig: &Rig, name: &str)
where
    K: Resource<Scope = NamespaceResourceScope> + Clone + std::fmt::Debug + DeserializeOwned,
    K::DynamicType: Default,
{
    let api = rig.api::<K>();
    wait_for(|| async { api.get_opt(name).await.unwrap().is_none() }).await;
}

/// Deletes an object and what belongs to it, and waits until it is gone.
pub(crate) async fn delete<K>(rig: &Rig, name: &str)
where
    K: Resource<Scope = NamespaceResourceScope> + Clone + std::fmt::Debug + DeserializeOwned,
    K::DynamicType: Default,
{
    let parameters = kube::api::DeleteParams::background();
    rig.api::<K>().delete(name, &parameters).await.unwrap();
    wait_until_gone::<K>(rig, name).await;
}

/// Makes a service account of the rig's namespace that may run tasks, with the rules of
/// `cmp/src/resources/access.rs` and these.
pub(crate) async fn allow(rig: &Rig, name: &str, more: &[Value]) {
    let mut rules = vec![
        json!({"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "get", "list", "watch", "delete"]}),
        json!({"apiGroups": [""], "resources": ["pods", "events"], "verbs": ["list", "watch"]}),
        json!({"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]}),
        json!({"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create"]}),
    ];
    rules.extend_from_slice(more);
    rig.create::<ServiceAccount>(json!({"metadata": {"name": name}}))
        .await;
    bind(rig, &rig.namespace, name, &rules).await;
    // A role takes a moment to be known.
    let client = rig.cluster_as(name).await.client();
    let pods: Api<Pod> = Api::namespaced(client, &rig.namespace);
    wait_for(|| async { pods.list(&Default::default()).await.is_ok() }).await;
}

/// Gives a service account of the rig's namespace a role in a namespace.
pub(crate) async fn bind(rig: &Rig, namespace: &str, name: &str, rules: &[Value]) {
    let role = json!({"metadata": {"name": name}, "rules": rules});
    let role: Role = serde_json::from_value(role).unwrap();
    let roles: Api<Role> = Api::namespaced(rig.admin.clone(), namespace);
    roles.create(&Default::default(), &role).await.unwrap();
    let binding: RoleBinding = serde_json::from_value(json!({
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": rig.namespace}],
    }))
    .unwrap();
    let bindings: Api<RoleBinding> = Api::namespaced(rig.admin.clone(), namespace);
    bindings
        .create(&Default::default(), &binding)
        .await
        .unwrap();
}
