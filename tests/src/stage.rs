//! A small stage with shell commands for tasks, which write down that they ran.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// No wait in these tests lasts longer; a busy machine needs a small part of it.
pub const LONGEST_WAIT: Duration = Duration::from_secs(120);

const CONTEXT: &str = "apiVersion: lifecycle.keptn.sh/v1
kind: KeptnAppContext
metadata:
  name: shop
spec:
  preDeploymentTasks: [check-database, check-queue]
  postDeploymentTasks: [smoke]
  promotionTasks: [promote, announce]
";

/// The Deployment's version has random letters, as in the blog's charts: a delivery that goes on must
/// still be the same one. Tasks ignore SIGTERM, so that one that was stopped is either not begun or done.
const TASKS: &str = r#"{{- range $name := list "check-database" "check-queue" "smoke" "announce" }}
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
    image: shell
    command: [sh, -c]
    args: [{{ printf "trap '' TERM; echo %s >> '%s'; %s" $name $.Values.ran (get $.Values.commands $name | default "true") | quote }}]
{{- end }}
---
apiVersion: lifecycle.keptn.sh/v1
kind: KeptnTaskDefinition
metadata:
  name: promote
spec:
  retries: 0
  timeout: 2m
  container:
    name: promote
    image: ghcr.io/stagelink/stagelink-task:1
    args:
      - promote
      - --to-stage=prod
      - --from-file=dev/values.yaml
      - --to-file=prod/values.yaml
      - --key=version
      {{- range .Values.promote }}
      - {{ . | quote }}
      {{- end }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata:
      labels: {app: shop, app.kubernetes.io/name: shop, app.kubernetes.io/part-of: shop, app.kubernetes.io/version: {{ printf "%s-%s" .Values.version (randAlphaNum 5 | lower) | quote }}}
    spec:
      containers: [{name: shop, image: "example.com/shop:{{ .Values.version }}"}]
"#;

/// A stage `dev` in a git repository of its own, whose remote also has the values of `prod`.
#[derive(Debug)]
pub struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    /// A stage whose tasks all pass.
    ///
    /// # Panics
    /// When git or the disk does not work.
    pub fn new() -> Self {
        let folder = match tempfile::tempdir() {
            Ok(folder) => folder,
            Err(error) => unreachable!("no temporary folder: {error}"),
        };
        let stage = Self { folder };
        git(
            stage.folder.path(),
            &["init", "-q", "--bare", "-b", "main", "remote.git"],
        );
        git(stage.folder.path(), &["clone", "-q", "remote.git", "work"]);
        stage.write(
            "work/dev/Chart.yaml",
            "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
        );
        stage.write("work/dev/templates/context.yaml", CONTEXT);
        stage.write("work/dev/templates/rest.yaml", TASKS);
        stage.write(
            "work/prod/values.yaml",
            "# prod\nversion: v0\ntraceParent: \"\" # of dev\n",
        );
        stage.commit("v1", &[], &[]);
        stage
    }

    /// Writes the values of `dev` and commits and pushes all. `commands` are more shell commands of
    /// tasks, `promote` more arguments of the promotion.
    pub fn commit(&self, version: &str, commands: &[(&str, &str)], promote: &[&str]) {
        let commands: serde_json::Map<String, Value> = commands
            .iter()
            .map(|(task, command)| ((*task).to_owned(), Value::from(*command)))
            .collect();
        let values = format!(
            "version: {version}\nran: {}\ncommands: {}\npromote: {}\n",
            Value::from(self.path("ran").to_string_lossy()),
            Value::from(commands),
            Value::from(promote.to_vec()),
        );
        self.write("work/dev/values.yaml", &values);
        self.push(version);
    }

    /// Commits and pushes what is in the work tree.
    pub fn push(&self, message: &str) {
        let work = self.path("work");
        git(&work, &["add", "--all"]);
        let name = ["-c", "user.name=test", "-c", "user.email=test@example.com"];
        git(
            &work,
            &[&name[..], &["commit", "-q", "--allow-empty", "-m", message]].concat(),
        );
        git(&work, &["push", "-q", "origin", "HEAD:main"]);
    }

    /// A path in the stage's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file in the stage's folder.
    ///
    /// # Panics
    /// When the disk does not work.
    pub fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        let written = path
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&path, content));
        if let Err(error) = written {
            unreachable!("{} cannot be written: {error}", path.display());
        }
    }

    /// `stagelink deliver` of this stage, with local commands allowed.
    pub fn command(&self) -> Command {
        let mut command = crate::command();
        command
            .arg("deliver")
            .arg(self.path("work/dev"))
            .arg("--state-dir")
            .arg(self.path("state"));
        command.args(["--allow-local-commands", "--namespace", "shop"]);
        command
    }

    /// Delivers the stage to the end, with a summary in JSON.
    pub fn deliver(&self) -> Output {
        output(self.command().args(["-o", "json"]))
    }

    /// Begins to deliver it in a process group of its own.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn(&self) -> Child {
        use std::os::unix::process::CommandExt as _;
        let mut command = self.command();
        command
            .arg("--verbose")
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        match command.spawn() {
            Ok(child) => child,
            Err(error) => unreachable!("stagelink cannot be started: {error}"),
        }
    }

    /// What tasks wrote, in order.
    pub fn ran(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("ran")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The plan of the latest run.
    ///
    /// # Panics
    /// When there is none.
    pub fn plan(&self) -> String {
        match fs::read_to_string(self.path("state/dev/plan.json")) {
            Ok(plan) => plan,
            Err(error) => unreachable!("no plan: {error}"),
        }
    }

    /// The ledger.
    ///
    /// # Panics
    /// When it is no JSON.
    pub fn ledger(&self) -> Value {
        let path = self.path("state/dev/ledger.json");
        let bytes = fs::read(&path).unwrap_or_default();
        match serde_json::from_slice(&bytes) {
            Ok(ledger) => ledger,
            Err(error) => unreachable!("{}: {error}", path.display()),
        }
    }

    /// The spans that were written.
    pub fn spans(&self) -> Vec<Value> {
        crate::spans(&self.path("state/spans.jsonl"))
    }

    /// Runs git on the remote repository.
    pub fn remote(&self, arguments: &[&str]) -> String {
        git(&self.path("remote.git"), arguments)
    }
}

impl Default for Stage {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs a command to its end.
///
/// # Panics
/// When it cannot be started.
pub fn output(command: &mut Command) -> Output {
    match command.output() {
        Ok(output) => output,
        Err(error) => unreachable!("{command:?} cannot be started: {error}"),
    }
}

/// Runs git in a folder and gives what it printed.
///
/// # Panics
/// When it fails.
pub fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = output(Command::new("git").arg("-C").arg(folder).args(arguments));
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        crate::stderr(&output)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Waits until something is so.
///
/// # Panics
/// When it never is.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < LONGEST_WAIT, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
