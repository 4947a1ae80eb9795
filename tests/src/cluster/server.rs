//! One of the rig's own servers, to be stopped and started while something needs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Cluster;

/// The process of one of the cluster's servers, such as `kube-apiserver` or `kubelet`.
///
/// The other tests of a program need it too: who stops it takes turns with them.
#[derive(Debug)]
pub struct Server {
    pid: u32,
    program: PathBuf,
    arguments: Vec<String>,
    init: String,
    log: PathBuf,
}

impl Cluster {
    /// The server whose program has this name.
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
            if path.file_name().is_none_or(|name| name != program)
                || fs::read_link(process.join("ns/pid")).ok() != namespace
            {
                continue;
            }
            let line = fs::read_to_string(process.join("cmdline")).unwrap_or_default();
            found.push(Server {
                pid,
                program: path,
                arguments: line
                    .split_terminator('\0')
                    .skip(1)
                    .map(str::to_owned)
                    .collect(),
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
        let started = fs::File::create(&self.log).and_then(|log| {
            // In a session of its own: it outlives the test, as the one before it did. A child of the box's
            // first process: `nsenter` would stop with it and hold the box.
            Command::new("nsenter")
                .args(["--target", &self.init])
                .args(["--net", "--mount", "--pid", "--uts", "--ipc", "--"])
                .args(["setsid", "--fork"])
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
