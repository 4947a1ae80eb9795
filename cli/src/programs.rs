//! The plugin, the hooks and the demo's service as the separate processes that they are in a
//! cluster. This binary holds them all and calls itself.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Context as _;

use crate::exit::{CommandError, OrFault as _};
use crate::stop;

/// This executable.
pub(crate) fn executable() -> Result<PathBuf, CommandError> {
    std::env::current_exe()
        .context("the path of this program is not known")
        .or_environment()
}

/// A command that calls one of the programs within this executable, without what Argo CD or an
/// earlier hook may have left in the environment.
pub(crate) fn command<I: AsRef<OsStr>>(
    words: impl IntoIterator<Item = I>,
) -> Result<Command, CommandError> {
    let mut command = Command::new(executable()?);
    command.args(words).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let inherited = ["ARGOCD_", "PARAM_", "KUBE_", "STAGELINK_"]
            .iter()
            .any(|prefix| text.starts_with(prefix));
        if inherited && text != "STAGELINK_TASK_IMAGE" {
            command.env_remove(&name);
        }
    }
    Ok(command)
}

/// Runs a command to its end and hands each line of its stderr to `line`; gives its exit code, or
/// `None` if a signal ended it.
pub(crate) fn run_with_lines(
    mut command: Command,
    mut line: impl FnMut(&str),
) -> Result<Option<i32>, CommandError> {
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("a program within this executable cannot be started")
        .or_environment()?;
    stop::under_way(Some(child.id()));
    if let Some(stderr) = child.stderr.take() {
        for text in BufReader::new(stderr).split(b'\n') {
            match text {
                Ok(text) => line(String::from_utf8_lossy(&text).trim_end()),
                Err(_) => break,
            }
        }
    }
    // Before its number is free for another process.
    stop::under_way(None);
    let status = child
        .wait()
        .context("a program's end cannot be read")
        .or_environment()?;
    Ok(status.code())
}
