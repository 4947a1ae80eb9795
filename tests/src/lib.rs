//! What the end-to-end tests share: calling our programs, finding peers, reading artefacts.
//!
//! It is no library for anybody else. The tests are in `tests/tests/`, one file for each thing that
//! a user relies on; they call the real programs and read what those leave behind.
//!
//! ```
//! let span = serde_json::json!({"attributes": [
//!     {"key": "keptn.deployment.app.name", "value": {"stringValue": "simple-go"}},
//! ]});
//! assert_eq!(stagelink_tests::attribute(&span, "keptn.deployment.app.name"), Some("simple-go"));
//! ```

pub mod cluster;
mod stage;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

pub use stage::{LONGEST_WAIT, Stage, git, output, wait_until};

/// The `stagelink` executable that was built with these tests.
///
/// # Panics
/// When it is not there; `tests/run` builds it first.
pub fn stagelink() -> PathBuf {
    let test = std::env::current_exe().unwrap_or_default();
    let folder = test
        .parent()
        .and_then(Path::parent)
        .unwrap_or(Path::new("."));
    let program = folder.join("stagelink");
    assert!(
        program.exists(),
        "{} is missing; run tests/run, or `cargo build` first",
        program.display()
    );
    program
}

/// The repository's folder.
pub fn repository() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    folder.parent().unwrap_or(folder).to_owned()
}

/// A command that runs `stagelink` without Stagelink's, Argo CD's and OpenTelemetry's variables.
pub fn command() -> Command {
    let mut command = Command::new(stagelink());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["OTEL_", "STAGELINK_", "ARGOCD_", "KUBE_", "PARAM_"]
            .iter()
            .any(|p| text.starts_with(p))
        {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs `stagelink` to its end.
///
/// # Panics
/// When it cannot be started.
pub fn run(arguments: &[&str]) -> Output {
    match command().args(arguments).output() {
        Ok(output) => output,
        Err(error) => unreachable!("stagelink cannot be started: {error}"),
    }
}

/// The end of a program's stderr, for messages of tests.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// All spans of an OTLP JSON lines file.
///
/// # Panics
/// When a line is no OTLP JSON.
pub fn spans(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let mut spans = Vec::new();
    for line in text.lines() {
        let request: Value = match serde_json::from_str(line) {
            Ok(request) => request,
            Err(error) => unreachable!("{} holds a line that is no JSON: {error}", file.display()),
        };
        for resource in request["resourceSpans"].as_array().into_iter().flatten() {
            for scope in resource["scopeSpans"].as_array().into_iter().flatten() {
                spans.extend(scope["spans"].as_array().into_iter().flatten().cloned());
            }
        }
    }
    spans
}

/// The text of a span's attribute.
pub fn attribute<'a>(span: &'a Value, key: &str) -> Option<&'a str> {
    span["attributes"]
        .as_array()?
        .iter()
        .find(|attribute| attribute["key"] == key)?["value"]["stringValue"]
        .as_str()
}

/// True if a span has no parent.
pub fn is_root(span: &Value) -> bool {
    span["parentSpanId"].as_str().is_none_or(str::is_empty)
}

/// Says that a test, or a part of it, is skipped and why; `tests/run` counts them.
///
/// # Panics
/// When `tests/run` cannot be told.
pub fn skip(what: &str) {
    // Not `eprintln!`, which is shown for tests that fail only.
    let _ = writeln!(std::io::stderr(), "skipped: {what}");
    if let Some(file) = std::env::var_os("STAGELINK_SKIPPED") {
        let written = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&file)
            .and_then(|mut file| writeln!(file, "{what}"));
        assert!(written.is_ok(), "{}: {written:?}", file.display());
    }
}

/// The path of a peer program, or `None` after saying that a test is skipped without it.
pub fn peer(program: &str, test: &str) -> Option<PathBuf> {
    let found = std::env::var_os("PATH").and_then(|paths| {
        std::env::split_paths(&paths)
            .map(|folder| folder.join(program))
            .find(|path| path.is_file())
    });
    if found.is_none() {
        skip(&format!(
            "{test} needs {program}; tests/install-peers installs it"
        ));
    }
    found
}
