//! Traces for people: a tree in the terminal, or one page for the browser.

mod model;
mod page;
mod terminal;

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use stagelink_delivery::ledger::{LEDGER_VERSION, Ledger};

use crate::reader::read_spans;
use crate::span::Span;
use crate::tree::all_spans;
pub use model::{Trace, TraceEvent, TraceLink, TraceSpan, Traces};

/// A larger file is not read.
const MAX_FILE: u64 = 512 * 1024 * 1024;

/// How `stagelink trace` shows traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceOutput {
    /// A tree for the terminal.
    Tree {
        /// With ANSI colours.
        colours: bool,
    },
    /// One self-contained HTML page.
    Html,
    /// JSON, for programs.
    Json,
}

/// Why traces cannot be shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A newer Stagelink wrote the ledger.
    #[error(
        "{}: the ledger has version {found}, but this program reads up to {LEDGER_VERSION}; update it",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version that was found.
        found: u32,
    },
    /// There is nothing to show.
    #[error(
        "{}: no spans found; give a ledger or a file of spans (one OTLP-JSON request a line, as `--spans-file` and the Collector's file exporter write)",
        path.display()
    )]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

/// Traces as text, and what a person should know about the input.
#[derive(Debug)]
pub struct TraceText {
    /// The tree, page or JSON.
    pub text: String,
    /// For example that lines were skipped.
    pub warnings: Vec<String>,
}

/// What `stagelink trace` does: reads a ledger or a `spans.jsonl` (or the folder of one) and shows
/// its traces.
///
/// # Errors
/// [`TraceError`].
pub fn trace(path: &Path, output: TraceOutput) -> Result<TraceText, TraceError> {
    let (spans, warnings) = load_spans(path)?;
    let traces = Traces::new(spans);
    let text = match output {
        TraceOutput::Tree { colours } => traces.to_tree(colours),
        TraceOutput::Html => traces.to_html(),
        TraceOutput::Json => traces.to_json(),
    };
    Ok(TraceText { text, warnings })
}

/// The spans of a ledger or of a file of spans, and warnings about it.
///
/// # Errors
/// [`TraceError`].
pub fn load_spans(path: &Path) -> Result<(Vec<Span>, Vec<String>), TraceError> {
    let mut path = path.to_path_buf();
    if path.is_dir() {
        path.push("spans.jsonl");
    }
    let failed = |source| TraceError::Read {
        path: path.clone(),
        source,
    };
    let file = std::fs::File::open(&path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(failed(io::Error::other(format!(
            "the file is larger than {} MiB",
            MAX_FILE >> 20
        ))));
    }

    let mut warnings = Vec::new();
    let spans = match ledger(&bytes) {
        Some(Ok(ledger)) => all_spans(&ledger),
        Some(Err(found)) => return Err(TraceError::Newer { path, found }),
        None => {
            let read = read_spans(bytes.as_slice()).map_err(failed)?;
            if let [first, ..] = &read.skipped[..] {
                warnings.push(format!(
                    "{}:{first}: no OTLP-JSON; {} line(s) skipped",
                    path.display(),
                    read.skipped.len()
                ));
            }
            if read.truncated {
                warnings.push(format!(
                    "{}: only the first {} spans are shown",
                    path.display(),
                    read.spans.len()
                ));
            }
            read.spans
        }
    };
    if spans.is_empty() {
        return Err(TraceError::Empty { path });
    }
    Ok((spans, warnings))
}

/// The ledger if it is one, or its version if that is too new.
fn ledger(bytes: &[u8]) -> Option<Result<Ledger, u32>> {
    #[derive(serde::Deserialize)]
    struct Head {
        version: u32,
        // Only a ledger has them.
        #[serde(rename = "deliveries")]
        _deliveries: serde::de::IgnoredAny,
    }
    let Head { version, .. } = serde_json::from_slice(bytes).ok()?;
    if version > LEDGER_VERSION {
        return Some(Err(version));
    }
    serde_json::from_slice(bytes).ok().map(Ok)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn a_ledger_and_a_file_of_spans_show_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = samples::passed();
        let as_ledger = folder.path().join("ledger.json");
        std::fs::write(&as_ledger, serde_json::to_string(&ledger).unwrap()).unwrap();
        let as_spans = folder.path().join("spans.jsonl");
        let request =
            crate::otlp_json::Request::new(&crate::Attributes::default(), &all_spans(&ledger));
        let line = serde_json::to_string(&request).unwrap();
        std::fs::write(&as_spans, format!("no JSON\n{line}\n")).unwrap();
        for output in [
            TraceOutput::Tree { colours: false },
            TraceOutput::Html,
            TraceOutput::Json,
        ] {
            let from_ledger = trace(&as_ledger, output).unwrap();
            // A folder stands for its `spans.jsonl`.
            let from_spans = trace(folder.path(), output).unwrap();
            assert_eq!(from_ledger.text, from_spans.text, "{output:?}");
            assert!(from_ledger.warnings.is_empty());
            assert_eq!(from_spans.warnings.len(), 1);
            assert!(
                from_spans.warnings[0].ends_with("spans.jsonl:1: no OTLP-JSON; 1 line(s) skipped")
            );
        }
    }

    #[test]
    fn what_cannot_be_shown_is_said() {
        let folder = tempfile::tempdir().unwrap();
        for (name, content, expected) in [
            ("empty", "", "no spans found; give a ledger or"),
            ("text", "hello", "no spans found; give a ledger or"),
            (
                "newer",
                r#"{"version":99,"deliveries":[]}"#,
                "the ledger has version 99, but this program reads up to 1; update it",
            ),
            (
                "none",
                r#"{"version":1,"id":"x","app":"a","stage":"s","namespace":"n","deliveries":[]}"#,
                "no spans found",
            ),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            let error = trace(&path, TraceOutput::Html).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("{}: {expected}", path.display())),
                "{error}"
            );
        }
        let missing = folder.path().join("missing");
        let error = trace(&missing, TraceOutput::Html).unwrap_err().to_string();
        assert!(error.contains("missing: No such file"), "{error}");
    }
}
