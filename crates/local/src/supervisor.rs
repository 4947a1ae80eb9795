//! The process that keeps a task running when the hook that started it is gone.
//!
//! In a cluster a Job does that. Here each task has a small process of its own: it holds the lock of
//! the task's folder, keeps time limit and retries, and leaves `result.json`. A hook that is killed
//! and started again finds the lock taken and waits, or finds the result; so no task runs twice.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

/// What a task runs, in `run.json`. Holds no environment: that is inherited, so that no secret is
/// written to the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunOrder {
    /// Executable and arguments.
    pub(crate) command: Vec<String>,
    /// Where it runs.
    pub(crate) folder: Option<PathBuf>,
    /// Seconds for all tries together, as a Job's `activeDeadlineSeconds`.
    pub(crate) timeout_seconds: u64,
    /// Tries after a failure, as a Job's `backoffLimit`.
    pub(crate) retries: u32,
}

/// How a task ended, in `result.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunResult {
    pub(crate) end: RunEnd,
    /// Tries that were made.
    pub(crate) tries: u32,
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum RunEnd {
    /// Its last try ended with exit code 0.
    Succeeded,
    /// All tries failed; how the last one ended.
    Failed { how: String },
    /// The time was up.
    TimedOut,
    /// It was asked to stop.
    Stopped,
    /// Its command could not be started.
    NotStarted { why: String },
}

/// A log that is longer than this is cut, in bytes; its end is what counts.
const LOG_SIZE: u64 = 4 * 1024 * 1024;
/// What stays of a log that is cut, in bytes.
const LOG_KEPT: u64 = 64 * 1024;
/// How often it is looked how long the log is.
const LOG_INTERVAL: Duration = Duration::from_millis(200);

pub(crate) const ORDER: &str = "run.json";
pub(crate) const RESULT: &str = "result.json";
pub(crate) const LOG: &str = "log";
pub(crate) const LOCK: &str = "lock";
pub(crate) const PID: &str = "pid";

/// Runs the task in a folder to its end; the command line `stagelink-task supervise FOLDER`.
///
/// Its standard input is the folder's lock, held as long as this process lives.
pub async fn supervise(folder: &Path) -> ExitCode {
    let written = supervise_order(folder).await;
    if written.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(3)
    }
}

async fn supervise_order(folder: &Path) -> io::Result<()> {
    let order = order(folder)?;
    // From here on a request to stop ends the task too; before, there is no task.
    let mut terminate = signal(SignalKind::terminate())?;
    // Without its number nobody could stop it; the hook then waits for the time limit.
    let _ = fs::write(folder.join(PID), std::process::id().to_string());
    let result = run(&order, &folder.join(LOG), &mut terminate).await;
    write_result(folder, &result)
}

fn order(folder: &Path) -> io::Result<RunOrder> {
    Ok(serde_json::from_slice(&fs::read(folder.join(ORDER))?)?)
}

fn write_result(folder: &Path, result: &RunResult) -> io::Result<()> {
    let temporary = folder.join("result.new");
    fs::write(&temporary, serde_json::to_vec(result)?)?;
    fs::rename(temporary, folder.join(RESULT))
}

async fn run(order: &RunOrder, log: &Path, terminate: &mut Signal) -> RunResult {
    let deadline = Instant::now() + Duration::from_secs(order.timeout_seconds.max(1));
    let mut tries = 0;
    loop {
        tries += 1;
        let end = attempt(order, log, deadline, terminate).await;
        let is_last = !matches!(end, RunEnd::Failed { .. }) || tries > order.retries;
        if is_last {
            return RunResult { end, tries };
        }
        // Kubernetes waits 10 s and longer; nobody wants that beside a terminal.
        let pause = Duration::from_millis(200 * 2_u64.pow(tries.min(6)));
        if Instant::now() + pause >= deadline {
            return RunResult {
                end: RunEnd::TimedOut,
                tries,
            };
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = terminate.recv() => return RunResult { end: RunEnd::Stopped, tries },
        }
    }
}

async fn attempt(
    order: &RunOrder,
    log: &Path,
    deadline: Instant,
    terminate: &mut Signal,
) -> RunEnd {
    let mut child = match start(order, log) {
        Ok(child) => child,
        Err(error) => {
            return RunEnd::NotStarted {
                why: error.to_string(),
            };
        }
    };
    let mut look = tokio::time::interval(LOG_INTERVAL);
    loop {
        tokio::select! {
            status = child.wait() => return match status {
                Ok(status) if status.success() => RunEnd::Succeeded,
                Ok(status) => RunEnd::Failed { how: describe(status) },
                Err(error) => RunEnd::Failed { how: error.to_string() },
            },
            () = tokio::time::sleep_until(deadline) => {
                stop(&mut child).await;
                return RunEnd::TimedOut;
            }
            _ = terminate.recv() => return match stop(&mut child).await {
                // It was done anyway; a second run would do it twice.
                Some(status) if status.success() => RunEnd::Succeeded,
                _ => RunEnd::Stopped,
            },
            // A log that cannot be cut is no reason to end the task.
            _ = look.tick() => { let _ = cut(log); }
        }
    }
}

/// Forgets the beginning of a log that has become too long; its last lines stay.
fn cut(log: &Path) -> io::Result<()> {
    if fs::metadata(log)?.len() <= LOG_SIZE {
        return Ok(());
    }
    let last = tail(log, LOG_KEPT);
    // The task appends, so it goes on behind this.
    let mut file = File::options().append(true).open(log)?;
    file.set_len(0)?;
    writeln!(file, "{last}")
}

fn start(order: &RunOrder, log: &Path) -> io::Result<Child> {
    let Some((executable, arguments)) = order.command.split_first() else {
        return Err(io::Error::other("the task names no command"));
    };
    let output = File::options().create(true).append(true).open(log)?;
    let errors = output.try_clone()?;
    let mut command = Command::new(executable);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        // A group of its own, so that its children end with it.
        .process_group(0);
    if let Some(folder) = &order.folder {
        command.current_dir(folder);
    }
    command.spawn()
}

/// Ends what is left of a task whose supervisor was killed, so that it never runs beside itself.
///
/// A task is known by the log that it writes to: that holds from its first moment on, and of no
/// later process with the same number. Where there is no `/proc` it is left alone.
pub(crate) fn end_orphan(folder: &Path) {
    let Ok(log) = fs::canonicalize(folder.join(LOG)) else {
        return;
    };
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let writes = ["1", "2"].iter().any(|number| {
            let file = process.path().join("fd").join(number);
            fs::read_link(file).is_ok_and(|file| file == log)
        });
        let pid = || process.file_name().to_str()?.parse().ok();
        if writes && let Some(pid) = pid().and_then(rustix::process::Pid::from_raw) {
            // It may have ended by itself in the meantime.
            let group = rustix::process::getpgid(Some(pid)).unwrap_or(pid);
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

/// Ends a task and its children: SIGTERM, and after a moment SIGKILL. Gives how it ended by itself.
async fn stop(child: &mut Child) -> Option<ExitStatus> {
    let group = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(rustix::process::Pid::from_raw);
    if let Some(group) = group {
        // It may have ended by itself in the meantime.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::TERM);
        let graceful = tokio::time::timeout(Duration::from_secs(2), child.wait()).await;
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        if let Ok(status) = graceful {
            return status.ok();
        }
    }
    let _ = child.kill().await;
    None
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown end".to_owned(),
    }
}

/// The last lines of a log, as UTF-8, at most this many bytes.
pub(crate) fn tail(log: &Path, bytes: u64) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(bytes)))?;
        let mut content = Vec::new();
        file.take(bytes).read_to_end(&mut content)?;
        Ok(content)
    };
    let content = read().unwrap_or_default();
    String::from_utf8_lossy(&content).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_is_cut_and_keeps_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        fs::write(&log, "short").unwrap();
        cut(&log).unwrap();
        assert_eq!(fs::read_to_string(&log).unwrap(), "short");
        let mut writer = File::options().append(true).open(&log).unwrap();
        for number in 0..600_000 {
            writeln!(writer, "line {number}").unwrap();
        }
        cut(&log).unwrap();
        assert!(fs::metadata(&log).unwrap().len() <= LOG_KEPT + 1);
        writeln!(writer, "and on").unwrap();
        let text = fs::read_to_string(&log).unwrap();
        assert!(
            text.ends_with("line 599999\nand on\n"),
            "{}",
            tail(&log, 100)
        );
    }

    #[test]
    fn what_writes_to_the_log_is_ended_with_its_group() {
        use std::os::unix::process::CommandExt as _;

        if !Path::new("/proc/self/fd").exists() {
            return;
        }
        let start = |folder: &Path| {
            let log = File::create(folder.join(LOG)).unwrap();
            std::process::Command::new("sh")
                .args(["-c", "sleep 60 >/dev/null 2>&1 & wait"])
                .stdout(log)
                .process_group(0)
                .spawn()
                .unwrap()
        };
        let (orphan, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (mut first, mut second) = (start(orphan.path()), start(other.path()));
        end_orphan(orphan.path());
        assert_eq!(describe(first.wait().unwrap()), "signal 9");
        assert_eq!(second.try_wait().unwrap(), None);
        end_orphan(other.path());
        second.wait().unwrap();
        end_orphan(&other.path().join("none"));
    }
}
