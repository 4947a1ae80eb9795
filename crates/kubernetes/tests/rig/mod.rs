//! A real cluster for tests, a namespace of their own in it, and its API server to be tried.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, ResourceQuota};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::wait::await_condition;
use kube::{Api, Client, Config, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use stagelink_kubernetes::Cluster;
use stagelink_plan::{Plan, Workload};
use stagelink_tests::cluster::Server;

/// A namespace of a real cluster.
pub(crate) struct Rig {
    peers: stagelink_tests::cluster::Cluster,
    kubeconfig: PathBuf,
    pub(crate) namespace: String,
    /// Asks as the kubeconfig's user, without what is tested.
    pub(crate) admin: Client,
}

/// A namespace for a test, or `None` after saying that the test is skipped without a cluster. It is
/// deleted with all that is in it when the cluster is, or by hand; its name is new each time.
pub(crate) async fn rig(test: &str) -> Option<Rig> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let peers = stagelink_tests::cluster::Cluster::require(test)?;
    let kubeconfig = peers.kubeconfig().to_owned();
    let config = config(&kubeconfig).await;
    // The tested client is made first wherever there is one; here it may not have been.
    Cluster::with_config(config.clone(), None).unwrap();
    let admin = Client::try_from(config).unwrap();
    let started = jiff::Timestamp::now().as_millisecond();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let namespace = format!("test-{}-{started}-{count}", std::process::id());
    let created: Namespace =
        serde_json::from_value(json!({"metadata": {"name": namespace}})).unwrap();
    Api::all(admin.clone())
        .create(&Default::default(), &created)
        .await
        .unwrap();
    Some(Rig {
        peers,
        kubeconfig,
        namespace,
        admin,
    })
}

async fn config(kubeconfig: &Path) -> Config {
    let file = Kubeconfig::read_from(kubeconfig).unwrap();
    Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .unwrap()
}

impl Rig {
    /// The cluster as the tested code sees it.
    pub(crate) async fn cluster(&self) -> Cluster {
        Cluster::with_config(config(&self.kubeconfig).await, Some(&self.namespace)).unwrap()
    }

    /// The same, asked by a service account of the namespace.
    pub(crate) async fn cluster_as(&self, service_account: &str) -> Cluster {
        let mut config = config(&self.kubeconfig).await;
        let user = format!("system:serviceaccount:{}:{service_account}", self.namespace);
        config.auth_info.impersonate = Some(user);
        config.auth_info.impersonate_groups = Some(vec![
            "system:serviceaccounts".to_owned(),
            "system:authenticated".to_owned(),
        ]);
        Cluster::with_config(config, Some(&self.namespace)).unwrap()
    }

    /// The same, asked with a token that nobody has given.
    pub(crate) async fn cluster_with_wrong_token(&self) -> Cluster {
        let mut file = Kubeconfig::read_from(&self.kubeconfig).unwrap();
        for user in &mut file.auth_infos {
            user.auth_info = serde_json::from_value(json!({"token": "nobody"})).unwrap();
        }
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
            .await
            .unwrap();
        Cluster::with_config(config, Some(&self.namespace)).unwrap()
    }

    /// Objects of a kind in the namespace.
    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = kube::core::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.admin.clone(), &self.namespace)
    }

    /// Creates an object.
    pub(crate) async fn create<K>(&self, object: Value) -> K
    where
        K: Resource<Scope = kube::core::NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + serde::Serialize
            + DeserializeOwned,
        K::DynamicType: Default,
    {
        let object: K = serde_json::from_value(object).unwrap();
        self.api()
            .create(&Default::default(), &object)
            .await
            .unwrap()
    }

    /// Makes a quota `none` for pods, and waits until it holds: it does not before its controller has seen it.
    pub(crate) async fn let_no_pod_in(&self) {
        let quota = json!({"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}});
        self.create::<ResourceQuota>(quota).await;
        let holds = |quota: Option<&ResourceQuota>| {
            let status = quota.and_then(|quota| quota.status.as_ref());
            status.is_some_and(|status| status.hard.is_some())
        };
        let waiting = await_condition(self.api(), "none", holds);
        tokio::time::timeout(Duration::from_secs(150), waiting)
            .await
            .unwrap()
            .unwrap();
    }

    /// The API server's process.
    pub(crate) fn api_server(&self) -> Server {
        self.peers.server("kube-apiserver")
    }
}

/// A plan of an app in a namespace.
pub(crate) fn plan(namespace: &str) -> Plan {
    let digest = format!("sha256:{}", "0".repeat(64));
    serde_json::from_value(json!({
        "version": 1, "app": "shop", "appVersion": "v1", "stage": "dev", "application": "shop-dev",
        "namespace": namespace, "digest": digest,
    }))
    .unwrap()
}

/// A workload of the plan.
pub(crate) fn workload(kind: &str, name: &str, namespace: &str) -> Workload {
    serde_json::from_value(json!({
        "name": name, "version": "v1", "kind": kind, "resource": name, "namespace": namespace,
    }))
    .unwrap()
}
