//! The rig of `tests/rig` as tests see it: a real Kubernetes with a real Argo CD, Jaeger and a git server.
//!
//! `tests/run` starts it where that is possible. A test asks for it with [`Cluster::require`], and gets
//! namespaces, repositories and Applications of its own, so that tests run side by side.

mod application;
mod repository;
mod server;
mod watch;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

pub use application::{Application, Ended};
pub use repository::Repository;
pub use server::Server;

/// Longer than anything in the cluster takes that a test waits for: a sync with all its hooks, with
/// other tests beside it.
pub const LONGEST_CLUSTER_WAIT: Duration = Duration::from_secs(180);

/// The image whose only program, `/probe`, does what a test lets a pod do.
pub const PROBE: &str = "rig.local/probe:1";

/// A rig that is up.
#[derive(Debug, Clone)]
pub struct Cluster {
    kubectl: PathBuf,
    addresses: BTreeMap<String, String>,
}

impl Cluster {
    /// The rig, or `None` after saying that a test is skipped without it.
    ///
    /// # Panics
    /// When there is none, and `STAGELINK_RIG=required`; in a program that `tests/run` would not run with a
    /// cluster, because it is not called `cluster…`.
    pub fn require(test: &str) -> Option<Self> {
        let program = std::env::current_exe().unwrap_or_default();
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        assert!(name.starts_with("cluster"), "{name} is no cluster…");
        let state = std::env::var_os("RIG")
            .map_or_else(|| crate::repository().join("target/rig"), PathBuf::from);
        let file = state.join("addresses");
        if let Ok(text) = std::fs::read_to_string(&file) {
            let addresses = text
                .lines()
                .filter_map(|line| line.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            let peers = std::env::var_os("RIG_PEERS")
                .map_or_else(|| crate::repository().join("target/peers"), PathBuf::from);
            return Some(Self {
                kubectl: peers.join("bin/kubectl"),
                addresses,
            });
        }
        let required = std::env::var_os("STAGELINK_RIG").is_some_and(|value| value == "required");
        assert!(!required, "{} is not there: no rig is up", file.display());
        crate::skip(&format!(
            "{test} needs a cluster; `tests/rig/rig up` starts one"
        ));
        None
    }

    /// One of the rig's addresses, by its name in the file `addresses`.
    ///
    /// # Panics
    /// When the rig has none of this name.
    pub fn address(&self, name: &str) -> &str {
        match self.addresses.get(name) {
            Some(address) => address,
            None => unreachable!("the rig says no {name}"),
        }
    }

    /// An administrator's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        Path::new(self.address("RIG_KUBECONFIG"))
    }

    /// A `kubectl` command with an administrator's rights.
    pub fn kubectl(&self, arguments: &[&str]) -> Command {
        self.kubectl_as(self.kubeconfig(), arguments)
    }

    /// A `kubectl` command with the rights of a kubeconfig.
    pub fn kubectl_as(&self, kubeconfig: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.kubectl);
        command.arg("--kubeconfig").arg(kubeconfig).args(arguments);
        command
    }

    /// What `kubectl` prints.
    ///
    /// # Panics
    /// When it fails.
    pub fn run(&self, arguments: &[&str]) -> String {
        text(crate::output(&mut self.kubectl(arguments)), arguments)
    }

    /// Applies manifests, as JSON or YAML.
    ///
    /// # Panics
    /// When the cluster refuses them.
    pub fn apply(&self, namespace: &str, manifests: &str) {
        let arguments = ["--namespace", namespace, "apply", "-f", "-"];
        let mut command = self.kubectl(&arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let output = command.spawn().and_then(|mut child| {
            if let Some(mut stdin) = child.stdin.take() {
                stdin.write_all(manifests.as_bytes())?;
            }
            child.wait_with_output()
        });
        match output {
            Ok(output) => text(output, &arguments),
            Err(error) => unreachable!("kubectl: {error}"),
        };
    }

    /// A resource, or `None` if it is not there.
    pub fn get(&self, namespace: &str, kind: &str, name: &str) -> Option<Value> {
        let arguments = ["--namespace", namespace, "get", kind, name, "-o", "json"];
        let output = crate::output(&mut self.kubectl(&arguments));
        serde_json::from_slice(&output.stdout).ok()
    }

    /// All resources of a kind in a namespace, chosen by labels (`a=b,c=d`, or empty for all).
    ///
    /// # Panics
    /// When the kind is not known.
    pub fn list(&self, namespace: &str, kind: &str, labels: &str) -> Vec<Value> {
        let listed = self.run(&[
            "--namespace",
            namespace,
            "get",
            kind,
            "-l",
            labels,
            "-o",
            "json",
        ]);
        let mut listed: Value = serde_json::from_str(&listed).unwrap_or_default();
        match listed["items"].take() {
            Value::Array(items) => items,
            _ => unreachable!("kubectl lists no {kind}"),
        }
    }

    /// Waits until a resource is as wanted, and gives it as it then is. It need not be there yet.
    ///
    /// # Panics
    /// When it never is; with what it was last.
    pub fn wait(
        &self,
        namespace: &str,
        kind: &str,
        name: &str,
        what: &str,
        wanted: impl FnMut(&Value) -> bool,
    ) -> Value {
        let which = (namespace, kind, name);
        watch::until(self, which, what, LONGEST_CLUSTER_WAIT, wanted)
    }

    /// The ledger of an Application, as its hooks left it.
    ///
    /// # Panics
    /// When there is none.
    pub fn ledger(&self, namespace: &str, application: &str) -> Value {
        let name = format!("{application}-stagelink-ledger");
        let map = self.get(namespace, "configmap", &name).unwrap_or_default();
        match serde_json::from_str(map["data"]["ledger.json"].as_str().unwrap_or_default()) {
            Ok(ledger) => ledger,
            Err(error) => unreachable!("ledger {name}: {error}: {map:#}"),
        }
    }

    /// A namespace of the test's own, which goes with it.
    pub fn namespace(&self, prefix: &str) -> Namespace {
        self.named_namespace(&unique(prefix))
    }

    /// The same with a name that is chosen by the test, and that no other has.
    pub fn named_namespace(&self, name: &str) -> Namespace {
        self.run(&["create", "namespace", name]);
        Namespace {
            cluster: self.clone(),
            name: name.to_owned(),
        }
    }

    /// A name of a namespace that nobody has made yet, which goes with the test.
    pub fn future_namespace(&self, prefix: &str) -> Namespace {
        Namespace {
            cluster: self.clone(),
            name: unique(prefix),
        }
    }

    /// What Argo CD shows under "Events" of a resource of an Application in its own namespace; the resource as
    /// the cluster has it.
    ///
    /// # Panics
    /// When Argo CD says that the resource is not the Application's.
    pub fn argocd_events(&self, application: &str, resource: &Value) -> Vec<Value> {
        let field = |name: &str| resource["metadata"][name].as_str().unwrap_or_default();
        let (name, namespace, uid) = (field("name"), field("namespace"), field("uid"));
        let path = format!(
            "/api/v1/applications/{application}/events?resourceName={name}&resourceNamespace={namespace}&resourceUID={uid}"
        );
        match http_get(self.address("RIG_ARGOCD"), &path) {
            Some(mut found) => match found["items"].take() {
                Value::Array(events) => events,
                _ => Vec::new(),
            },
            None => unreachable!("Argo CD shows no events of {name} in {application}"),
        }
    }

    /// All spans of one trace in Jaeger, in its own JSON; none if it does not know the trace.
    pub fn jaeger_trace(&self, trace: &str) -> Vec<Value> {
        let found = http_get(self.address("RIG_JAEGER"), &format!("/api/traces/{trace}"));
        found
            .and_then(|found| found["data"][0]["spans"].as_array().cloned())
            .unwrap_or_default()
    }

    /// All spans of the latest traces in Jaeger of the same service as a span.
    pub fn jaeger_traces_of(&self, span: &Value) -> Vec<Value> {
        let trace = span["traceID"].as_str().unwrap_or_default();
        let server = self.address("RIG_JAEGER");
        let process = span["processID"].as_str().unwrap_or_default();
        let service = http_get(server, &format!("/api/traces/{trace}"))
            .and_then(|found| {
                let name = &found["data"][0]["processes"][process]["serviceName"];
                name.as_str().map(str::to_owned)
            })
            .unwrap_or_default();
        let found = http_get(server, &format!("/api/traces?service={service}&limit=1000"));
        let mut spans = Vec::new();
        for trace in found
            .iter()
            .flat_map(|found| found["data"].as_array())
            .flatten()
        {
            spans.extend(trace["spans"].as_array().into_iter().flatten().cloned());
        }
        spans
    }
}

/// A namespace that is deleted at the end of a test, without waiting for it.
#[derive(Debug)]
pub struct Namespace {
    cluster: Cluster,
    name: String,
}

impl Namespace {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // A failed test's objects are what its reason is found in.
        if !std::thread::panicking() {
            let arguments = [
                "delete",
                "namespace",
                &self.name,
                "--ignore-not-found",
                "--wait=false",
            ];
            let _ = self.cluster.kubectl(&arguments).output();
        }
    }
}

/// A name that no other test of this or another run has.
fn unique(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}-{}-{count}", std::process::id())
}

fn text(output: Output, arguments: &[&str]) -> String {
    assert!(
        output.status.success(),
        "kubectl {arguments:?}: {}",
        crate::stderr(&output)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The JSON that a server of the rig answers with, or `None` for any other answer.
fn http_get(server: &str, path: &str) -> Option<Value> {
    let mut stream = TcpStream::connect(server.strip_prefix("http://")?).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    if !head.lines().next()?.contains(" 200 ") {
        return None;
    }
    serde_json::from_str(body).ok()
}

/// A parameter of the plugin that is a text.
pub fn parameter(name: &str, text: &str) -> Value {
    json!({"name": name, "string": text})
}

/// The reference to the parent of a span of Jaeger's, which shows links beside it.
pub fn parent(span: &Value) -> Option<&Value> {
    let references = span["references"].as_array()?;
    references
        .iter()
        .find(|reference| reference["refType"] == "CHILD_OF")
}

/// Copies a folder with all that is in it.
///
/// # Panics
/// When the disk does not work.
fn copy(from: &Path, to: &Path) {
    let mut command = Command::new("cp");
    command.arg("-R").arg(from).arg(to);
    let output = crate::output(&mut command);
    assert!(output.status.success(), "cp: {}", crate::stderr(&output));
}
