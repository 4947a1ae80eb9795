//! What plays the cluster on one machine: Deployments become processes on loopback, Services become
//! addresses.
//!
//! Only two kinds of Deployments are run: those of the demo's own image, and, if the user allowed
//! it, those whose container names a command that exists here. All others are taken as deployed, and
//! the user is told so.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::programs;

/// The image whose processes this executable itself provides.
pub(crate) const DEMO_SERVICE_IMAGE: &str = "ghcr.io/stagelink/demo-service";

/// How long a process may take until it is ready.
const READY_TIMEOUT: Duration = Duration::from_secs(20);

/// The processes of one stage.
#[derive(Debug, Default)]
pub(crate) struct Cluster {
    processes: BTreeMap<String, Process>,
}

#[derive(Debug)]
struct Process {
    template: Value,
    child: Child,
    address: SocketAddr,
    started_at: Timestamp,
    ready_at: Timestamp,
}

/// What came of applying a stage's manifests.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// What the hooks' workload watcher reads.
    pub(crate) workloads: Vec<WorkloadStatus>,
    /// Addresses of the services: `HOST:PORT:ADDRESS:PORT`.
    pub(crate) resolve: Vec<String>,
    /// What the user should know.
    pub(crate) notices: Vec<String>,
    /// Names, labels and addresses for Prometheus to scrape.
    pub(crate) targets: Vec<Target>,
}

impl Applied {
    /// True if every workload became healthy.
    pub(crate) fn is_healthy(&self) -> bool {
        self.workloads
            .iter()
            .all(|workload| workload.outcome == "pass")
    }
}

/// One entry of `workloads.json`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WorkloadStatus {
    kind: &'static str,
    name: String,
    namespace: String,
    version: String,
    started_at: Timestamp,
    ready_at: Timestamp,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// One entry of a Prometheus `file_sd` file.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Target {
    targets: Vec<String>,
    labels: BTreeMap<&'static str, String>,
}

/// Where a Deployment's processes come from.
enum Program {
    /// This executable's own demo service, with these arguments.
    DemoService(Vec<String>),
    /// A command of this machine.
    Local {
        command: Vec<String>,
        environment: Vec<(String, String)>,
    },
    /// Nothing that can be run here; why.
    None(String),
}

impl Cluster {
    /// Makes the processes what the manifests say: starts what is new or changed, and once it is
    /// ready stops what it replaces.
    pub(crate) fn apply(
        &mut self,
        manifests: &[Value],
        namespace: &str,
        allow_local_commands: bool,
    ) -> anyhow::Result<Applied> {
        let mut applied = Applied::default();
        let services: Vec<&Value> = manifests
            .iter()
            .filter(|document| document["kind"] == "Service")
            .collect();
        // Backends are resolved by name, so that what is already known goes to what starts next.
        let deployments: Vec<&Value> = manifests
            .iter()
            .filter(|document| document["kind"] == "Deployment")
            .collect();
        let mut pending = deployments.clone();
        pending.sort_by_key(|document| depends_on_service(document));
        for deployment in pending {
            self.apply_deployment(
                deployment,
                namespace,
                &services,
                allow_local_commands,
                &mut applied,
            )?;
        }
        let names: Vec<&str> = deployments.iter().map(|document| name(document)).collect();
        let gone: Vec<String> = self
            .processes
            .keys()
            .filter(|name| !names.contains(&name.as_str()))
            .cloned()
            .collect();
        for name in gone {
            if let Some(process) = self.processes.remove(&name) {
                process.stop();
            }
        }
        Ok(applied)
    }

    fn apply_deployment(
        &mut self,
        deployment: &Value,
        namespace: &str,
        services: &[&Value],
        allow_local_commands: bool,
        applied: &mut Applied,
    ) -> anyhow::Result<()> {
        let name = name(deployment).to_owned();
        let template = &deployment["spec"]["template"];
        let namespace = deployment["metadata"]["namespace"]
            .as_str()
            .unwrap_or(namespace);
        let version = template["metadata"]["labels"]["app.kubernetes.io/version"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let mut status = WorkloadStatus {
            kind: "Deployment",
            name: name.clone(),
            namespace: namespace.to_owned(),
            version,
            started_at: Timestamp::now(),
            ready_at: Timestamp::now(),
            outcome: "pass",
            reason: None,
        };
        let unchanged = self.processes.get_mut(&name).is_some_and(|process| {
            process.template == *template && matches!(process.child.try_wait(), Ok(None))
        });
        if !unchanged {
            match program(&template["spec"], allow_local_commands) {
                Program::None(why) => {
                    applied
                        .notices
                        .push(format!("Deployment {name} is not run here: {why}"));
                    applied.workloads.push(status);
                    return Ok(());
                }
                program => match start(program, template, &applied.resolve) {
                    Ok(process) => {
                        if let Some(old) = self.processes.insert(name.clone(), process) {
                            old.stop();
                        }
                    }
                    Err(error) => {
                        status.ready_at = Timestamp::now();
                        status.outcome = "fail";
                        status.reason = Some(format!("{error:#}"));
                        applied.workloads.push(status);
                        return Ok(());
                    }
                },
            }
        }
        let Some(process) = self.processes.get(&name) else {
            bail!("Deployment {name} has no process");
        };
        status.started_at = process.started_at;
        status.ready_at = process.ready_at;
        applied.workloads.push(status);
        applied
            .resolve
            .extend(addresses(services, template, namespace, process.address));
        applied.targets.push(Target {
            targets: vec![process.address.to_string()],
            labels: BTreeMap::from([("job", name), ("namespace", namespace.to_owned())]),
        });
        Ok(())
    }

    /// Stops all processes.
    pub(crate) fn stop(&mut self) {
        for (_, process) in std::mem::take(&mut self.processes) {
            process.stop();
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Process {
    /// Asks the process to end by closing its stdin, and ends it if it does not.
    fn stop(mut self) {
        drop(self.child.stdin.take());
        let deadline = Instant::now() + Duration::from_secs(2);
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        // Nothing is left to be done if it has ended by itself in the meantime.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn name(document: &Value) -> &str {
    document["metadata"]["name"].as_str().unwrap_or_default()
}

/// Processes that call a service start after those that do not.
fn depends_on_service(deployment: &Value) -> bool {
    deployment["spec"]["template"]["spec"]["containers"][0]["args"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|argument| {
            argument
                .as_str()
                .is_some_and(|text| text.contains("http://"))
        })
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn program(pod: &Value, allow_local_commands: bool) -> Program {
    let container = &pod["containers"][0];
    let image = container["image"].as_str().unwrap_or_default();
    let repository = image.split('@').next().unwrap_or_default();
    let repository = match repository.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => repository,
    };
    if repository == DEMO_SERVICE_IMAGE {
        return Program::DemoService(strings(&container["args"]));
    }
    let mut command = strings(&container["command"]);
    command.extend(strings(&container["args"]));
    match container["command"][0].as_str() {
        Some(executable) if is_command(executable) => {
            if !allow_local_commands {
                return Program::None(format!(
                    "its command {executable} may not be run; --allow-local-commands allows it"
                ));
            }
            let environment = container["env"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|variable| {
                    Some((
                        variable["name"].as_str()?.to_owned(),
                        variable["value"].as_str()?.to_owned(),
                    ))
                })
                .collect();
            Program::Local {
                command,
                environment,
            }
        }
        Some(executable) => {
            Program::None(format!("its command {executable} is not on this machine"))
        }
        None => Program::None(format!("its image {image} needs a cluster")),
    }
}

fn is_command(executable: &str) -> bool {
    if executable.contains('/') {
        return Path::new(executable).is_file();
    }
    let paths: Vec<PathBuf> = std::env::var_os("PATH")
        .map(|paths| std::env::split_paths(&paths).collect())
        .unwrap_or_default();
    paths.iter().any(|folder| folder.join(executable).is_file())
}

fn start(program: Program, template: &Value, resolve: &[String]) -> anyhow::Result<Process> {
    let started_at = Timestamp::now();
    let (mut command, tells_address) = match program {
        Program::DemoService(arguments) => {
            let mut command = programs::command(["demo-service"])
                .map_err(|error| anyhow!("the demo service cannot be started: {error}"))?;
            command
                .args(
                    arguments
                        .iter()
                        .filter(|argument| !argument.starts_with("--listen")),
                )
                .args(["--listen=127.0.0.1:0", "--exit-on-stdin-close"])
                .env("STAGELINK_RESOLVE", resolve.join(","));
            (command, true)
        }
        Program::Local {
            command: words,
            environment,
        } => {
            let Some((executable, arguments)) = words.split_first() else {
                bail!("the container names no command");
            };
            let mut command = Command::new(executable);
            command.args(arguments).envs(environment);
            (command, false)
        }
        Program::None(why) => bail!(why),
    };
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("the process cannot be started")?;
    let address = if tells_address {
        match first_line(&mut child).and_then(|line| {
            line.trim()
                .trim_start_matches("http://")
                .trim_end_matches('/')
                .parse()
                .with_context(|| format!("the process printed no address: {line}"))
        }) {
            Ok(address) => address,
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(error);
            }
        }
    } else {
        SocketAddr::from(([127, 0, 0, 1], container_port(template).unwrap_or_default()))
    };
    Ok(Process {
        template: template.clone(),
        child,
        address,
        started_at,
        ready_at: Timestamp::now(),
    })
}

/// The first line that a process prints, waited for at most [`READY_TIMEOUT`].
fn first_line(child: &mut Child) -> anyhow::Result<String> {
    let stdout = child.stdout.take().context("the process has no output")?;
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stdout);
        let mut line = String::new();
        let read = reader.read_line(&mut line).map(|_| line);
        // The receiver may have given up.
        let _ = sender.send(read);
        // What else the process prints must not block it.
        let _ = std::io::copy(&mut reader, &mut std::io::sink());
    });
    receiver
        .recv_timeout(READY_TIMEOUT)
        .map_err(|_| anyhow!("the process was not ready within {READY_TIMEOUT:?}"))?
        .context("the process's output cannot be read")
}

fn container_port(template: &Value) -> Option<u16> {
    let port = template["spec"]["containers"][0]["ports"][0]["containerPort"].as_u64()?;
    u16::try_from(port).ok()
}

/// `HOST:PORT:ADDRESS:PORT` for each name that a cluster's DNS has for the services of a pod.
fn addresses(
    services: &[&Value],
    template: &Value,
    namespace: &str,
    address: SocketAddr,
) -> Vec<String> {
    let mut entries = Vec::new();
    for service in services {
        let selects = service["spec"]["selector"]
            .as_object()
            .is_some_and(|selector| {
                selector
                    .iter()
                    .all(|(key, value)| &template["metadata"]["labels"][key] == value)
            });
        if !selects {
            continue;
        }
        let name = name(service);
        for port in service["spec"]["ports"].as_array().into_iter().flatten() {
            let Some(port) = port["port"].as_u64() else {
                continue;
            };
            for host in [
                format!("{name}.{namespace}"),
                format!("{name}.{namespace}.svc"),
                format!("{name}.{namespace}.svc.cluster.local"),
            ] {
                entries.push(format!("{host}:{port}:{}:{}", address.ip(), address.port()));
            }
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_service_is_reached_by_each_of_its_names() {
        let service = json!({
            "kind": "Service",
            "metadata": {"name": "web"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 8080}]}
        });
        let other = json!({
            "kind": "Service",
            "metadata": {"name": "other"},
            "spec": {"selector": {"app": "other"}, "ports": [{"port": 1}]}
        });
        let template = json!({"metadata": {"labels": {"app": "web", "tier": "front"}}});
        assert_eq!(
            addresses(
                &[&service, &other],
                &template,
                "dev",
                ([127, 0, 0, 1], 4000).into()
            ),
            [
                "web.dev:8080:127.0.0.1:4000",
                "web.dev.svc:8080:127.0.0.1:4000",
                "web.dev.svc.cluster.local:8080:127.0.0.1:4000",
            ]
        );
    }

    #[test]
    fn only_what_can_and_may_run_here_is_run() {
        let pod = |container: Value| json!({"containers": [container]});
        let why = |container: Value, allow: bool| match program(&pod(container), allow) {
            Program::None(why) => why,
            Program::DemoService(_) => "demo".to_owned(),
            Program::Local { .. } => "local".to_owned(),
        };
        let demo = json!({"image": format!("{DEMO_SERVICE_IMAGE}:v1")});
        assert_eq!(why(demo, false), "demo");
        let digest = json!({"image": format!("{DEMO_SERVICE_IMAGE}@sha256:00")});
        assert_eq!(why(digest, false), "demo");
        let shell = json!({"image": "x", "command": ["sh", "-c", "true"]});
        assert_eq!(why(shell.clone(), true), "local");
        assert!(why(shell, false).contains("--allow-local-commands"));
        assert!(why(json!({"image": "x", "command": ["/no/such"]}), true).contains("/no/such"));
        assert!(why(json!({"image": "nginx:1"}), true).contains("nginx:1"));
    }
}
