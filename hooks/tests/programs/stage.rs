//! A stage's folder, its plan, and its hooks as programs.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A stage's folder with its plan.
pub(crate) struct Stage {
    pub(crate) folder: tempfile::TempDir,
}

impl Stage {
    pub(crate) fn new(plan: &Value) -> Self {
        let stage = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        stage.plan(plan);
        stage
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn plan(&self, plan: &Value) {
        fs::write(self.path("plan.json"), plan.to_string()).unwrap();
    }

    pub(crate) fn command(&self, hook: &str, operation: &str, uid: &str) -> Command {
        let program = match hook {
            "presync" => env!("CARGO_BIN_EXE_stagelink-presync"),
            "postsync" => env!("CARGO_BIN_EXE_stagelink-postsync"),
            _ => env!("CARGO_BIN_EXE_stagelink-syncfail"),
        };
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("OTEL_") || text.starts_with("STAGELINK_") {
                command.env_remove(&name);
            }
        }
        command
            .arg("--plan")
            .arg(self.path("plan.json"))
            .arg("--ledger")
            .arg(self.path("ledger.json"))
            .arg("--spans-file")
            .arg(self.path("spans.jsonl"))
            .args([
                "--operation",
                operation,
                "--job-uid",
                &format!("{hook}-{uid}"),
            ])
            .arg("--allow-local-commands")
            .current_dir(self.folder.path());
        command
    }

    pub(crate) fn hook(&self, hook: &str, operation: &str, uid: &str) -> Output {
        self.command(hook, operation, uid).output().unwrap()
    }

    pub(crate) fn ledger(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path("ledger.json")).unwrap()).unwrap()
    }

    /// Lines that tasks wrote into `ran`.
    pub(crate) fn ran(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("ran")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    pub(crate) fn roots(&self) -> usize {
        let text = fs::read_to_string(self.path("spans.jsonl")).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("each line is whole"))
            .flat_map(|request| {
                request["resourceSpans"]
                    .as_array()
                    .cloned()
                    .unwrap_or_default()
            })
            .flat_map(|resource| {
                resource["scopeSpans"]
                    .as_array()
                    .cloned()
                    .unwrap_or_default()
            })
            .flat_map(|scope| scope["spans"].as_array().cloned().unwrap_or_default())
            .filter(|span| span["parentSpanId"].as_str().is_none_or(str::is_empty))
            .count()
    }
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn last_line(output: &Output) -> String {
    stderr(output).lines().last().unwrap_or_default().to_owned()
}

/// A task that runs a shell command on this machine.
pub(crate) fn task(command: &str) -> Value {
    json!({
        "retries": 0, "timeout": "20s",
        "container": {"name": "task", "image": "local", "command": ["sh", "-c", command]},
    })
}

pub(crate) fn plan(pre: &str, post: &str) -> Value {
    json!({
        "version": 1, "app": "shop", "appVersion": "v1", "stage": "dev", "application": "shop-dev",
        "namespace": "shop", "revision": "0123456789", "digest": "sha256:one",
        "metadata": {"commitID": "0123456789"},
        "phases": {"preDeploymentTasks": ["before"], "postDeploymentTasks": ["after"], "promotionTasks": ["promote"]},
        "taskDefinitions": {"before": task(pre), "after": task(post), "promote": task("echo promote >> ran")},
    })
}

pub(crate) fn zombie(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        stat.rsplit(')')
            .next()
            .is_some_and(|rest| rest.trim().starts_with('Z'))
    })
}

pub(crate) fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(30), "never: {what}");
        sleep(Duration::from_millis(5));
    }
}

pub(crate) fn spawn(stage: &Stage, hook: &str) -> Child {
    stage
        .command(hook, "op-1", "a")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}
