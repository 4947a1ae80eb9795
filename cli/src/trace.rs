//! `stagelink trace`: a tree in the terminal, or the page.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use stagelink_telemetry::view::{self, TraceError, TraceOutput};

use crate::arguments::{SummaryFormat, TraceArguments};
use crate::deliver::write_atomically;
use crate::exit::{CommandError, End, OrFault as _};
use crate::output;

/// Shows traces.
pub(crate) fn run(arguments: &TraceArguments) -> Result<End, CommandError> {
    let path = file(&arguments.path);
    if let Some(page) = &arguments.html {
        write_page(&path, page)?;
        return Ok(End::Passed);
    }
    match arguments.output {
        SummaryFormat::Table => {
            let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            output::text(&traces(&path, TraceOutput::Tree { colours })?)?;
        }
        SummaryFormat::Json => output::json(&document(&path)?)?,
        SummaryFormat::Yaml => output::yaml(&document(&path)?)?,
    }
    Ok(End::Passed)
}

/// Writes the page of all traces in a file.
pub(crate) fn write_page(spans: &Path, page: &Path) -> Result<(), CommandError> {
    let text = traces(spans, TraceOutput::Html)?;
    write_atomically(page, text.as_bytes())
}

/// The traces as a document for programs.
fn document(path: &Path) -> Result<serde_json::Value, CommandError> {
    serde_json::from_str(&traces(path, TraceOutput::Json)?).or_environment()
}

/// The traces of a demo's or a delivery's folder are in its `spans.jsonl`.
fn file(path: &Path) -> PathBuf {
    let within = path.join("spans.jsonl");
    if within.is_file() {
        within
    } else {
        path.to_owned()
    }
}

fn traces(path: &Path, form: TraceOutput) -> Result<String, CommandError> {
    let traces = view::trace(path, form).map_err(|error| match error {
        TraceError::Newer { .. } => CommandError::environment(error),
        _ => CommandError::input(error),
    })?;
    for warning in &traces.warnings {
        output::warning(warning);
    }
    Ok(traces.text)
}
