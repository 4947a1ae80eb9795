//! One of the rig's own servers, to be stopped and started while something needs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Cluster;

/// The process of one of the cluster's servers, such as `kube-apiserver`, `kubelet`, or one of Argo CD's.
///
/// The other tests of a program need it too: who stops it takes turns with them.
#[derive(Debug)]
pub struct Server {
    pid: u32,
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<String>,
    init: String,
    log: PathBuf,
}

impl Cluster {
    /// The server whose program has this name. Argo CD's are one program: each is known by the name that it
    /// is told by a variable, such as `argocd-application-controller`.
    ///
    /// # Panics
    /// When not exactly one of them runs in the rig.
    pub fn server(&self, program: &str) -> Server {
        let rig = self.kubeconfig().parent().unwrap_or(Path::new("."));
        let settings = fs::read_to_string(rig.join("state/init")).unwrap_or_default();
        let init = settings.split(' ').next().unwrap_or_default();
        // Another rig on this machine has its own namespaces.
        let namespace = fs::read_link(format!("/proc/{init}/ns/pid")).ok();
        assert!(namespace.is_some(), "no rig in {}", rig.display());
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let process = entry.path();
            let name = entry.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let Ok(path) = fs::read_link(process.join("exe")) else {
                continue;
            };
            if fs::read_link(process.join("ns/pid")).ok() != namespace {
                continue;
            }
            let texts = |file: &str| -> Vec<String> {
                let text = fs::read_to_string(process.join(file)).unwrap_or_default();
                text.split_terminator('\0').map(str::to_owned).collect()
            };
            let environment = texts("environ");
            let told = format!("ARGOCD_BINARY_NAME={program}");
            let is_named = path.file_name().is_some_and(|name| name == program);
            if !is_named && !environment.contains(&told) {
                continue;
            }
            found.push(Server {
                pid,
                program: path,
                arguments: texts("cmdline").into_iter().skip(1).collect(),
                environment,
                init: init.to_owned(),
                log: rig.join(format!("logs/{program}-again.log")),
            });
        }
        match (found.pop(), found.len()) {
            (Some(server), 0) => server,
            (_, others) => unreachable!("{others} other processes of {program}"),
        }
    }
}

impl Server {
    /// Lets it hang: it keeps its connections and answers nothing.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// Ends a pause.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    /// Ends it without a chance to say goodbye.
    pub fn kill(&self) {
        self.signal("KILL");
    }

    fn signal(&self, signal: &str) {
        let mut command = Command::new("kill");
        command.args(["-s", signal, &self.pid.to_string()]);
        let output = crate::output(&mut command);
        assert!(output.status.success(), "kill: {}", crate::stderr(&output));
    }

    /// Starts it again as it was started, after it was killed.
    ///
    /// # Panics
    /// When the rig's namespaces are gone.
    pub fn start_again(&self) {
        self.start_again_with(&[]);
    }

    /// The same with other variables, `NAME=VALUE`, for as long as this process lives.
    ///
    /// # Panics
    /// When the rig's namespaces are gone.
    pub fn start_again_with(&self, variables: &[&str]) {
        let started = fs::File::create(&self.log).and_then(|log| {
            // In a session of its own: it outlives the test, as the one before it did. A child of the box's
            // first process: `nsenter` would stop with it and hold the box.
            Command::new("nsenter")
                .args(["--target", &self.init])
                .args(["--net", "--mount", "--pid", "--uts", "--ipc", "--"])
                .args(["setsid", "--fork", "env", "--ignore-environment"])
                .args(&self.environment)
                .args(variables)
                .arg(&self.program)
                .args(&self.arguments)
                .stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log)
                .status()
        });
        assert!(
            started
                .as_ref()
                .is_ok_and(std::process::ExitStatus::success),
            "{}: {started:?}",
            self.program.display()
        );
    }
}
