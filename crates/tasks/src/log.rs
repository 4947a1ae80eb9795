//! The end of a failed task's log, as its report tells it.

use crate::masked;

/// The key of [`ItemReport::details`](stagelink_delivery::ledger::ItemReport::details) with the
/// last lines of a failed task's log.
pub const LOG_DETAIL: &str = "log";

/// The last lines of a log that are told, at most.
const LINES: usize = 20;
/// The bytes of them that are told, at most: it goes into the ledger and into a span.
const BYTES: usize = 4096;
/// The bytes of the last line that are told in a message of one line, at most.
const LINE_BYTES: usize = 2000;

/// What is told of the end of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogEnd {
    /// The last line that is not blank, without white space around it; at most 2,000 bytes.
    pub last_line: String,
    /// The last 20 lines, at most 4 KiB.
    pub lines: String,
}

impl LogEnd {
    /// The end of a log, with these secrets masked.
    pub fn new(log: String, secrets: &[String]) -> Self {
        // Masked before it is cut, so that no part of a secret is left over.
        let log = masked(log, secrets);
        let log = log.trim_end();
        let last_line = log.lines().next_back().unwrap_or_default().trim();
        let start = log
            .rmatch_indices('\n')
            .nth(LINES - 1)
            .map_or(0, |(at, _)| at + 1);
        Self {
            last_line: end(last_line, LINE_BYTES).to_owned(),
            lines: end(&log[start..], BYTES).to_owned(),
        }
    }
}

/// The end of a text, at most so many bytes.
fn end(text: &str, bytes: usize) -> &str {
    let least = text.len().saturating_sub(bytes);
    let start = (least..=text.len()).find(|at| text.is_char_boundary(*at));
    start.map_or("", |start| &text[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_end(log: &str) -> LogEnd {
        LogEnd::new(log.to_owned(), &["s3cret".to_owned()])
    }

    #[test]
    fn the_end_is_bounded_and_masked() {
        assert_eq!(log_end(""), LogEnd::default());
        assert_eq!(log_end("\n \n"), LogEnd::default());
        let told = log_end("one\n  two s3cret \r\n\n");
        assert_eq!(told.last_line, "two •••");
        assert_eq!(told.lines, "one\n  two •••");

        let many: Vec<String> = (0..50).map(|number| number.to_string()).collect();
        let told = log_end(&many.join("\n"));
        assert_eq!(told.lines.lines().count(), LINES);
        assert!(told.lines.starts_with("30\n") && told.lines.ends_with("\n49"));

        let told = log_end(&"ä".repeat(10_000));
        assert_eq!(
            (told.lines.len(), told.last_line.len()),
            (BYTES, LINE_BYTES)
        );
    }

    #[test]
    fn no_part_of_a_secret_is_left_by_cutting() {
        let told = log_end(&format!("s3cret{}", "x".repeat(BYTES - 3)));
        assert!(!told.lines.contains("ret"), "{}", told.lines);
    }
}
