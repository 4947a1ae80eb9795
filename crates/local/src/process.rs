//! Tasks as processes that outlive the hook that started them.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use stagelink_delivery::Outcome;
use stagelink_delivery::ledger::ItemReport;
use stagelink_delivery::ports::{ItemEnd, TaskRequest};
use stagelink_keptn::TaskDefinitionSpec;
use stagelink_tasks::{LOG_DETAIL, LogEnd};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use crate::program::Program;
use crate::supervisor::{
    LOCK, LOG, ORDER, PID, RESULT, RunEnd, RunOrder, RunResult, end_orphan, tail,
};
use crate::task_runner::LocalTasks;

/// How much of a log is looked through for its last lines, in bytes.
const LOG_READ: u64 = 2 * 1024 * 1024;
/// A supervisor that was killed itself is replaced this often.
const SUPERVISORS: usize = 3;
/// How a task ends that was stopped before it had begun.
const STOPPED: RunResult = RunResult {
    end: RunEnd::Stopped,
    tries: 0,
};
/// Variables of this process that a task may have too.
const INHERITED: [&str; 5] = ["PATH", "HOME", "LANG", "TMPDIR", "TZ"];

impl LocalTasks {
    /// The folder of a task; no other task ever has it.
    pub(crate) fn folder(&self, task: &TaskRequest<'_>) -> PathBuf {
        self.settings
            .runs
            .join(task.trace_parent.trace_id().to_string())
            .join(task.name)
    }

    pub(crate) async fn run_program(
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
                    self.start(definition, program, &folder, lock)?;
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
    let mut report = ItemReport {
        reason: reason.to_owned(),
        message,
        ..ItemReport::default()
    };
    if !report.message.is_empty() {
        let log = LogEnd::new(tail(&folder.join(LOG), LOG_READ), &program.secrets);
        if !log.last_line.is_empty() {
            report.message = format!("{}: {}", report.message, log.last_line);
            report.details.insert(LOG_DETAIL.to_owned(), log.lines);
        }
    }
    ItemEnd { outcome, report }
}
