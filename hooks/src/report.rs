//! What a person sees: a short line for each phase and task, on stderr.

use std::io::Write as _;
use std::path::Path;

use stagelink_delivery::engine::Observer;
use stagelink_delivery::{Outcome, Phase};

/// Kubernetes keeps this much of a termination message.
const TERMINATION_MESSAGE: usize = 4096;

/// Prints lines to stderr.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lines;

impl Lines {
    pub(crate) fn line(self, text: &str) {
        // Nobody is left to be told if stderr is closed.
        let _ = writeln!(std::io::stderr(), "{}", one_line(text));
    }
}

impl Observer for Lines {
    fn phase_started(&self, phase: Phase, workload: Option<&str>) {
        self.line(&match workload {
            Some(workload) => format!("{}: {workload}", phase.long_name()),
            None => phase.long_name().to_owned(),
        });
    }

    fn phase_ended(&self, phase: Phase, workload: Option<&str>, outcome: Outcome) {
        if outcome == Outcome::Pass {
            return;
        }
        self.line(&match workload {
            Some(workload) => format!("{}: {workload}: {outcome}", phase.long_name()),
            None => format!("{}: {outcome}", phase.long_name()),
        });
    }

    fn item_started(&self, name: &str) {
        self.line(&format!("  {name}"));
    }

    fn item_ended(&self, name: &str, outcome: Outcome, message: &str) {
        self.line(&if message.is_empty() {
            format!("  {name}: {outcome}")
        } else {
            format!("  {name}: {outcome}, {message}")
        });
    }
}

/// Writes why a hook did not pass where Kubernetes looks for it.
pub(crate) fn terminate(file: Option<&Path>, text: &str) {
    let Some(file) = file else { return };
    let mut line = one_line(text);
    let mut end = line.len().min(TERMINATION_MESSAGE);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    line.truncate(end);
    if let Err(error) = std::fs::write(file, line) {
        Lines.line(&format!(
            "warning: {} cannot be written: {error}",
            file.display()
        ));
    }
}

/// Line feeds and other control characters would break what reads lines.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_termination_message_is_one_line_and_short() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("termination-log");
        terminate(Some(&file), &format!("a\nb{}", "é".repeat(4000)));
        let text = std::fs::read_to_string(file).unwrap();
        assert!(text.starts_with("a b"));
        assert!(text.len() <= TERMINATION_MESSAGE);
        terminate(Some(Path::new("/no/such/folder/file")), "text");
    }
}
