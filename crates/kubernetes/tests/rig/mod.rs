//! A real cluster for tests, a namespace of their own in it, and its API server to be tried.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use k8s_openapi::api::core::v1::Namespace;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use stagelink_kubernetes::Cluster;
use stagelink_plan::{Plan, Workload};

/// A namespace of a real cluster.
pub(crate) struct Rig {
    pub(crate) kubeconfig: PathBuf,
    pub(crate) namespace: String,
    /// Asks as the kubeconfig's user, without what is tested.
    pub(crate) admin: Client,
}

/// A namespace for a test, or `None` after saying that the test is skipped without a cluster. It is
/// deleted with all that is in it when the cluster is, or by hand; its name is new each time.
#[allow(clippy::print_stderr, reason = "a skipped test must be seen")]
pub(crate) async fn rig(test: &str) -> Option<Rig> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let Some(kubeconfig) = std::env::var_os("STAGELINK_RIG_KUBECONFIG").map(PathBuf::from) else {
        eprintln!("skipped: {test} needs a cluster; STAGELINK_RIG_KUBECONFIG names its kubeconfig");
        return None;
    };
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

    /// The API server's process, if this machine runs it and it may be stopped.
    pub(crate) fn api_server(&self) -> ApiServer {
        let program = self.kubeconfig.parent().unwrap().join("bin/kube-apiserver");
        let program = program.to_str().unwrap().to_owned();
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            else {
                continue;
            };
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let words: Vec<String> = line
                .split(|byte| *byte == 0)
                .filter(|word| !word.is_empty())
                .map(|word| String::from_utf8_lossy(word).into_owned())
                .collect();
            if words.first() == Some(&program) {
                found.push(ApiServer {
                    pid,
                    command: words,
                });
            }
        }
        assert_eq!(found.len(), 1, "processes of {program}");
        found.remove(0)
    }
}

/// The process of an API server.
pub(crate) struct ApiServer {
    pid: u32,
    command: Vec<String>,
}

impl ApiServer {
    /// Sends it a signal, by name.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.pid.to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// Starts it again in the namespaces that it ran in.
    pub(crate) fn start_again(&self, rig: &Rig) {
        let state = rig.kubeconfig.parent().unwrap().join("state/init.pid");
        let init = std::fs::read_to_string(state).unwrap();
        let log = rig
            .kubeconfig
            .parent()
            .unwrap()
            .join("logs/apiserver-again.log");
        let log = std::fs::File::create(log).unwrap();
        // In a session of its own: it outlives the test, as the one before it did.
        let started = Command::new("setsid")
            .args([
                "--fork",
                "nsenter",
                "-t",
                init.trim(),
                "-n",
                "-m",
                "-p",
                "-u",
                "-i",
                "--",
            ])
            .args(&self.command)
            .stdin(std::process::Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .status();
        assert!(started.unwrap().success());
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
