//! What goes to stdout.

use std::io::Write as _;

use anyhow::Context as _;
use serde::Serialize;

use crate::exit::{CommandError, OrFault as _};

/// Prints a document as JSON.
pub(crate) fn json(document: &impl Serialize) -> Result<(), CommandError> {
    let text = serde_json::to_string_pretty(document).or_environment()?;
    self::text(&(text + "\n"))
}

/// Prints a document as YAML.
pub(crate) fn yaml(document: &impl Serialize) -> Result<(), CommandError> {
    let text = serde_yaml::to_string(document).or_environment()?;
    self::text(&text)
}

/// Prints a text as it is.
pub(crate) fn text(text: &str) -> Result<(), CommandError> {
    let mut stdout = std::io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("stdout cannot be written").or_environment(),
    }
}

/// Prints a warning to stderr.
pub(crate) fn warning(text: &str) {
    // Nobody is there to be told if stderr is closed.
    let _ = writeln!(std::io::stderr(), "warning: {text}");
}

/// Prints a line that another program wrote to stderr.
pub(crate) fn plain_line(text: &str) {
    // Nobody is there to be told if stderr is closed.
    let _ = writeln!(std::io::stderr(), "{text}");
}
