//! Tasks on one machine: the built-in ones within the hook, all others as processes, if the user
//! allowed it.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use stagelink_delivery::Outcome;
use stagelink_delivery::ledger::ItemReport;
use stagelink_delivery::ports::{ItemEnd, TaskRequest, TaskRunner};
use stagelink_http::Resolve;
use stagelink_keptn::{Container, FunctionSource, Runtime, TaskDefinitionSpec};
use stagelink_promotion::Secret;
use stagelink_tasks::{CommandLine, Environment, builtin};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use crate::SecretFolder;
use crate::json::go_json;
use crate::supervisor::{
    LOCK, LOG, ORDER, PID, RESULT, RunEnd, RunOrder, RunResult, end_orphan, tail,
};

/// How much of a failed task's log reaches its message, in bytes.
const LOG_TAIL: usize = 2_000;
/// How much of a log is looked through for its last line, in bytes.
const LOG_READ: u64 = 2 * 1024 * 1024;
/// A part of a secret that is shorter than this, in bytes, is not hidden by itself: it may be any word.
const SHORTEST_PART: usize = 4;
/// A supervisor that was killed itself is replaced this often.
const SUPERVISORS: usize = 3;
/// How a task ends that was stopped before it had begun.
const STOPPED: RunResult = RunResult {
    end: RunEnd::Stopped,
    tries: 0,
};
/// Variables of this process that a task may have too.
const INHERITED: [&str; 5] = ["PATH", "HOME", "LANG", "TMPDIR", "TZ"];

/// How tasks are run.
#[derive(Debug, Clone)]
pub struct LocalTasksSettings {
    /// Folder for what tasks leave behind, one folder for each.
    pub runs: PathBuf,
    /// Whether commands of this machine may be run.
    pub allow_local_commands: bool,
    /// Where secrets are.
    pub secrets: SecretFolder,
    /// Servers whose requests go to another address.
    pub resolve: Resolve,
    /// Words that start [`supervise`](crate::supervise) when a folder follows them.
    pub supervisor: Vec<String>,
}

/// Runs tasks on this machine.
#[derive(Debug)]
pub struct LocalTasks {
    settings: LocalTasksSettings,
}

/// A task that cannot be run: an outcome, a short cause, and what to do.
struct Refusal(Outcome, &'static str, String);

/// A command of this machine that a task stands for.
struct Program {
    command: Vec<String>,
    folder: Option<PathBuf>,
    environment: Vec<(String, String)>,
    /// Texts that must not be seen in messages.
    secrets: Vec<String>,
    /// A script to be written before the command runs.
    script: Option<(PathBuf, String)>,
}

impl LocalTasks {
    /// A runner with these settings.
    pub fn new(settings: LocalTasksSettings) -> Self {
        Self { settings }
    }

    async fn run_builtin(
        &self,
        task: &TaskRequest<'_>,
        definition: &TaskDefinitionSpec,
        container: &Container,
        line: &CommandLine,
        cancel: &CancellationToken,
    ) -> Result<ItemEnd, Refusal> {
        let mut environment = Environment::for_task(task);
        environment.resolve = self.settings.resolve.clone();
        environment.secure_data = self
            .container_environment(task, container)?
            .into_iter()
            .find(|(name, _, _)| name == "SECURE_DATA")
            .map(|(_, value, _)| Secret::new(value));
        let limit = definition.timeout().as_std();
        let timeout = if limit.is_zero() {
            Duration::from_secs(24 * 3600)
        } else {
            limit
        };
        // What runs in the hook is stopped through a token of its own when its time is up.
        let stop = cancel.child_token();
        let run = builtin::run(line, &environment, &stop);
        tokio::pin!(run);
        Ok(tokio::select! {
            end = &mut run => end,
            () = tokio::time::sleep(timeout) => {
                stop.cancel();
                let end = run.await;
                let mut report = end.report;
                "DeadlineExceeded".clone_into(&mut report.reason);
                report.message =
                    format!("it took longer than its timeout of {}: {}", definition.timeout(), report.message);
                ItemEnd { outcome: Outcome::Error, report }
            }
        })
    }

    /// Name, value and whether it is secret, of a container's variables.
    fn container_environment(
        &self,
        task: &TaskRequest<'_>,
        container: &Container,
    ) -> Result<Vec<(String, String, bool)>, Refusal> {
        let mut variables = Vec::new();
        for variable in &container.env {
            let reference = variable
                .value_from
                .as_ref()
                .map(|from| &from["secretKeyRef"]);
            match (&variable.value, reference) {
                (_, Some(reference)) if reference.is_object() => {
                    let text = |key: &str| reference[key].as_str().unwrap_or_default();
                    let is_optional = reference["optional"].as_bool().unwrap_or(false);
                    match self.secret(text("name"), text("key"))? {
                        Some(value) => variables.push((variable.name.clone(), value, true)),
                        None if is_optional => {}
                        None => return Err(missing_secret(text("name"), text("key"))),
                    }
                }
                (_, Some(_)) => {
                    return Err(Refusal(
                        Outcome::Error,
                        "Unsupported",
                        format!(
                            "variable {} of task {} comes from a part of the cluster; on this machine only values and Secrets are known",
                            variable.name, task.definition_name
                        ),
                    ));
                }
                (Some(value), None) => {
                    variables.push((variable.name.clone(), value.clone(), false))
                }
                (None, None) => variables.push((variable.name.clone(), String::new(), false)),
            }
        }
        Ok(variables)
    }

    fn secret(&self, name: &str, key: &str) -> Result<Option<String>, Refusal> {
        match self.settings.secrets.read(name, key) {
            Ok(value) => Ok(value.map(|value| value.expose().to_owned())),
            Err(error) => Err(Refusal(
                Outcome::Error,
                "SecretUnreadable",
                error.to_string(),
            )),
        }
    }

    fn container_program(
        &self,
        task: &TaskRequest<'_>,
        container: &Container,
    ) -> Result<Program, Refusal> {
        let definition = task.definition_name;
        let Some(executable) = container.command.first() else {
            return Err(Refusal(
                Outcome::Error,
                "Unsupported",
                format!(
                    "task {definition} runs the image {}, which needs a cluster; on this machine name a command, or use Stagelink's task image",
                    container.image.as_deref().unwrap_or("of no name")
                ),
            ));
        };
        if !is_command(executable) {
            return Err(Refusal(
                Outcome::Error,
                "CommandNotFound",
                format!("the command {executable} of task {definition} is not on this machine"),
            ));
        }
        self.allowed(task, executable)?;
        let mut environment = Vec::new();
        let mut secrets = Vec::new();
        for (name, value, is_secret) in self.container_environment(task, container)? {
            if is_secret {
                secrets.push(value.clone());
            }
            environment.push((name, value));
        }
        environment.push(("KEPTN_CONTEXT".to_owned(), context(task)?));
        Ok(Program {
            command: container
                .command
                .iter()
                .chain(&container.args)
                .cloned()
                .collect(),
            folder: container.working_dir.as_ref().map(PathBuf::from),
            environment,
            secrets,
            script: None,
        })
    }

    fn allowed(&self, task: &TaskRequest<'_>, executable: &str) -> Result<(), Refusal> {
        if self.settings.allow_local_commands {
            return Ok(());
        }
        Err(Refusal(
            Outcome::Error,
            "NotAllowed",
            format!(
                "task {} wants to run {executable} on this machine; --allow-local-commands allows it",
                task.definition_name
            ),
        ))
    }

    /// A function for Deno or Python, with Keptn's environment in Keptn's order.
    fn function_program(
        &self,
        task: &TaskRequest<'_>,
        definition: &TaskDefinitionSpec,
        run: &Path,
    ) -> Result<Program, Refusal> {
        let name = task.definition_name;
        let found = definition
            .resolve_function(name, |other| task.plan.task_definitions.get(other))
            .map_err(|error| Refusal(Outcome::Error, "InvalidDefinition", error.to_string()))?;
        let Some(function) = found else {
            return Err(Refusal(
                Outcome::Error,
                "InvalidDefinition",
                format!("task definition {name} has neither container nor function"),
            ));
        };
        let FunctionSource::Inline(code) = function.source else {
            return Err(Refusal(
                Outcome::Error,
                "Unsupported",
                format!(
                    "the code of task {name} is in the cluster or on a server; on this machine only inline code runs"
                ),
            ));
        };
        let (program, file) = match function.runtime {
            Runtime::Python => ("python3", "function.py"),
            _ => ("deno", "function.ts"),
        };
        if !is_command(program) {
            return Err(Refusal(
                Outcome::Error,
                "CommandNotFound",
                format!("task {name} needs {program}, which is not on this machine"),
            ));
        }
        self.allowed(task, program)?;
        let script = run.join(file);
        let path = script.to_string_lossy().into_owned();
        let mut environment = Vec::new();
        let mut secrets = Vec::new();
        if !function.parameters.is_empty() {
            environment.push(("DATA".to_owned(), to_json(&function.parameters)?));
        }
        environment.push(("KEPTN_CONTEXT".to_owned(), context(task)?));
        environment.push(("CMD_ARGS".to_owned(), function.cmd_parameters.to_owned()));
        if let Some(secret) = function.secret {
            let value = self
                .secret(secret, "SECURE_DATA")?
                .ok_or_else(|| missing_secret(secret, "SECURE_DATA"))?;
            secrets.push(value.clone());
            environment.push(("SECURE_DATA".to_owned(), value));
        }
        environment.push(("SCRIPT".to_owned(), path.clone()));
        let mut command = vec![program.to_owned()];
        match function.runtime {
            Runtime::Python => {
                command.extend(
                    function
                        .cmd_parameters
                        .split_whitespace()
                        .map(str::to_owned),
                );
            }
            _ => command.extend(
                [
                    "run",
                    "--allow-net",
                    "--allow-write",
                    "--allow-read",
                    "--allow-env=DATA,SECURE_DATA,KEPTN_CONTEXT",
                ]
                .map(str::to_owned),
            ),
        }
        command.push(path);
        Ok(Program {
            command,
            folder: None,
            environment,
            secrets,
            script: Some((script, code.to_owned())),
        })
    }

    /// The folder of a task; no other task ever has it.
    fn folder(&self, task: &TaskRequest<'_>) -> PathBuf {
        self.settings
            .runs
            .join(task.trace_parent.trace_id().to_string())
            .join(task.name)
    }

    async fn run_program(
        &self,
        task: &TaskRequest<'_>,
        definition: &TaskDefinitionSpec,
        program: &Program,
        cancel: &CancellationToken,
    ) -> io::Result<ItemEnd> {
        let folder = self.folder(task);
        fs::create_dir_all(&folder)?;
        for _ in 0..SUPERVISORS {
            let lock = File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(folder.join(LOCK))?;
            match lock.try_lock() {
                Ok(()) => {
                    match result(&folder) {
                        // It was stopped because its hook had to end; now it is wanted again.
                        Some(RunResult {
                            end: RunEnd::Stopped,
                            ..
                        }) => {
                            fs::remove_file(folder.join(RESULT))?;
                        }
                        Some(result) => return Ok(end(&result, definition, &folder, program)),
                        None => {}
                    }
                    if cancel.is_cancelled() {
                        return Ok(end(&STOPPED, definition, &folder, program));
                    }
                    end_orphan(&folder);
                    self.start(task, definition, program, &folder, lock)?;
                }
                // A supervisor that an earlier hook started is at work.
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
            wait(&folder, cancel).await?;
            if let Some(result) = result(&folder) {
                return Ok(end(&result, definition, &folder, program));
            }
            if cancel.is_cancelled() {
                // It was stopped before it had begun.
                return Ok(end(&STOPPED, definition, &folder, program));
            }
        }
        Ok(ItemEnd {
            outcome: Outcome::Error,
            report: ItemReport {
                reason: "Killed".to_owned(),
                message: format!(
                    "the process that runs the task was killed {SUPERVISORS} times; see {}",
                    folder.display()
                ),
                ..ItemReport::default()
            },
        })
    }

    /// Starts a supervisor that takes the lock over.
    fn start(
        &self,
        task: &TaskRequest<'_>,
        definition: &TaskDefinitionSpec,
        program: &Program,
        folder: &Path,
        lock: File,
    ) -> io::Result<()> {
        if let Some((path, code)) = &program.script {
            fs::write(path, code)?;
        }
        let order = RunOrder {
            command: program.command.clone(),
            folder: program.folder.clone(),
            timeout_seconds: definition.timeout().as_std().as_secs(),
            retries: definition.retries(),
        };
        fs::write(folder.join(ORDER), serde_json::to_vec(&order)?)?;
        // The number of an earlier supervisor may be somebody else's by now.
        match fs::remove_file(folder.join(PID)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let Some((executable, words)) = self.settings.supervisor.split_first() else {
            return Err(io::Error::other(
                "no program is named that supervises tasks",
            ));
        };
        let mut command = Command::new(executable);
        command
            .args(words)
            .arg(folder)
            // The lock is the supervisor's as long as it lives, whatever becomes of this process.
            .stdin(Stdio::from(lock))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .env_clear();
        for name in INHERITED {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("TRACEPARENT", task.trace_parent.to_string());
        command.envs(
            program
                .environment
                .iter()
                .map(|(name, value)| (name, value)),
        );
        let mut child = command.spawn()?;
        if let Some(id) = child.id() {
            // It writes its number itself too, but may be wanted to stop before it does.
            let _ = fs::write(folder.join(PID), id.to_string());
        }
        tokio::spawn(async move {
            // Only so that it does not stay as a zombie; what it left is read from its folder.
            let _ = child.wait().await;
        });
        Ok(())
    }
}

/// Waits until the supervisor of a folder has ended; asks it to stop when `cancel` fires.
async fn wait(folder: &Path, cancel: &CancellationToken) -> io::Result<()> {
    let path = folder.join(LOCK);
    let waiting = tokio::task::spawn_blocking(move || File::open(path)?.lock_shared());
    tokio::pin!(waiting);
    tokio::select! {
        ended = &mut waiting => return ended.map_err(io::Error::other)?,
        () = cancel.cancelled() => {}
    }
    let pid = fs::read_to_string(folder.join(PID)).ok();
    let pid = pid
        .and_then(|text| text.parse().ok())
        .and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended by itself in the meantime.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    waiting.await.map_err(io::Error::other)?
}

fn result(folder: &Path) -> Option<RunResult> {
    serde_json::from_slice(&fs::read(folder.join(RESULT)).ok()?).ok()
}

fn end(
    result: &RunResult,
    definition: &TaskDefinitionSpec,
    folder: &Path,
    program: &Program,
) -> ItemEnd {
    let tries = if result.tries > 1 {
        format!(" after {} tries", result.tries)
    } else {
        String::new()
    };
    let (outcome, reason, message) = match &result.end {
        RunEnd::Succeeded => (Outcome::Pass, "", String::new()),
        RunEnd::Failed { how } => (
            Outcome::Fail,
            "BackoffLimitExceeded",
            format!("the command ended with {how}{tries}"),
        ),
        RunEnd::TimedOut => (
            Outcome::Fail,
            "DeadlineExceeded",
            format!(
                "the command took longer than its timeout of {}",
                definition.timeout()
            ),
        ),
        RunEnd::Stopped => (
            Outcome::Error,
            "Cancelled",
            "the command was stopped".to_owned(),
        ),
        RunEnd::NotStarted { why } => (
            Outcome::Error,
            "NotStarted",
            format!("the command cannot be started: {why}"),
        ),
    };
    let mut message = message;
    if !message.is_empty() {
        // Masked before it is cut, so that no part of a secret is left over.
        let log = masked(tail(&folder.join(LOG), LOG_READ), &program.secrets);
        let last = log.lines().rev().find(|line| !line.trim().is_empty());
        if let Some(last) = last {
            let last = last.trim();
            let start = last.len().saturating_sub(LOG_TAIL);
            let start = (start..=last.len()).find(|at| last.is_char_boundary(*at));
            let last = start.map_or("", |start| &last[start..]);
            message = format!("{message}: {last}");
        }
    }
    ItemEnd {
        outcome,
        report: ItemReport {
            reason: reason.to_owned(),
            message,
            ..ItemReport::default()
        },
    }
}

/// A text without secrets: neither as a whole, nor a line of one, nor a value of one that is JSON.
fn masked(text: String, secrets: &[String]) -> String {
    let mut hidden: Vec<String> = Vec::new();
    for secret in secrets {
        hidden.push(secret.clone());
        hidden.extend(
            secret
                .lines()
                .map(|line| line.trim().to_owned())
                .filter(|line| line.len() >= SHORTEST_PART),
        );
        if let Ok(document) = serde_json::from_str::<serde_json::Value>(secret) {
            values(&document, &mut hidden);
        }
    }
    hidden.retain(|part| !part.is_empty());
    // The longest first: a part may be within another one.
    hidden.sort_by_key(|part| std::cmp::Reverse(part.len()));
    hidden.dedup();
    hidden
        .iter()
        .fold(text, |text, part| text.replace(part, "•••"))
}

/// Texts in a JSON document that may be secrets.
fn values(document: &serde_json::Value, found: &mut Vec<String>) {
    match document {
        serde_json::Value::String(text) if text.len() >= SHORTEST_PART => {
            found.push(text.clone());
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| values(item, found)),
        serde_json::Value::Object(fields) => fields.values().for_each(|item| values(item, found)),
        _ => {}
    }
}

fn missing_secret(name: &str, key: &str) -> Refusal {
    Refusal(
        Outcome::Error,
        "SecretNotFound",
        format!(
            "Secret {name} has no key {key} here; put it into FOLDER/{name}/{key} and name the folder by --secrets"
        ),
    )
}

fn to_json(document: &BTreeMap<String, String>) -> Result<String, Refusal> {
    go_json(document)
        .map_err(|error| Refusal(Outcome::Error, "InvalidDefinition", error.to_string()))
}

fn context(task: &TaskRequest<'_>) -> Result<String, Refusal> {
    go_json(&task.context)
        .map_err(|error| Refusal(Outcome::Error, "InvalidDefinition", error.to_string()))
}

fn is_command(executable: &str) -> bool {
    if executable.contains('/') {
        return Path::new(executable).is_file();
    }
    std::env::var_os("PATH").is_some_and(|paths| {
        std::env::split_paths(&paths).any(|folder| folder.join(executable).is_file())
    })
}

fn refused(Refusal(outcome, reason, message): Refusal) -> ItemEnd {
    ItemEnd {
        outcome,
        report: ItemReport {
            reason: reason.to_owned(),
            message,
            ..ItemReport::default()
        },
    }
}

#[async_trait]
impl TaskRunner for LocalTasks {
    async fn run(&self, task: &TaskRequest<'_>, cancel: &CancellationToken) -> ItemEnd {
        let Some(definition) = task.definition else {
            return refused(Refusal(
                Outcome::Error,
                "DefinitionNotFound",
                format!(
                    "there is no KeptnTaskDefinition {} in the chart; add it (definitions of a cluster are not known on this machine)",
                    task.definition_name
                ),
            ));
        };
        let program = match &definition.container {
            Some(container) => match builtin::parse(container) {
                Ok(Some(line)) => {
                    let run = self.run_builtin(task, definition, container, &line, cancel);
                    return run.await.unwrap_or_else(refused);
                }
                Ok(None) => self.container_program(task, container),
                Err(error) => Err(Refusal(
                    Outcome::Fail,
                    "InvalidArguments",
                    error.to_string(),
                )),
            },
            None => self.function_program(task, definition, &self.folder(task)),
        };
        match program {
            Ok(program) => match self.run_program(task, definition, &program, cancel).await {
                Ok(end) => end,
                Err(error) => refused(Refusal(
                    Outcome::Error,
                    "NotStarted",
                    format!("task {} cannot be run here: {error}", task.definition_name),
                )),
            },
            Err(refusal) => refused(refusal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_in_whole_and_in_part() {
        let secrets = [
            "s3cret".to_owned(),
            "-----BEGIN KEY-----\nMIIabc\n-----END KEY-----".to_owned(),
            r#"{"token": "t0ken", "n": 1, "deep": [{"password": "pass\"word"}], "short": "no"}"#
                .to_owned(),
            String::new(),
        ];
        for (text, expected) in [
            ("the s3cret is out", "the ••• is out"),
            ("MIIabc", "•••"),
            ("t0ken and pass\"word, no 1", "••• and •••, no 1"),
            ("nothing here", "nothing here"),
        ] {
            assert_eq!(masked(text.to_owned(), &secrets), expected);
        }
    }
}
