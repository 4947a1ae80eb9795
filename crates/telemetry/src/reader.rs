//! Reading `spans.jsonl`, ours or a Collector's.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

use crate::otlp_json::Request;
use crate::span::Span;

/// A longer line is skipped.
const MAX_LINE: u64 = 64 * 1024 * 1024;
/// What follows after so many spans is left out.
const MAX_SPANS: usize = 100_000;

/// What a file held.
#[derive(Debug, Default, PartialEq)]
pub struct SpansRead {
    /// The spans in the order of the file, each once; of two with the same ids the last.
    pub spans: Vec<Span>,
    /// Numbers of the lines, from 1, that are no OTLP-JSON.
    pub skipped: Vec<usize>,
    /// True if the file held more than is read.
    pub truncated: bool,
}

/// Reads a file. A line that cannot be understood is skipped and reported, a span without valid
/// ids is left out.
///
/// # Errors
/// Only if the file cannot be read.
pub fn read_spans_file(path: &Path) -> io::Result<SpansRead> {
    read_spans(BufReader::new(File::open(path)?))
}

/// As [`read_spans_file`], from anywhere.
///
/// # Errors
/// Only if it cannot be read.
pub fn read_spans(mut from: impl BufRead) -> io::Result<SpansRead> {
    let mut read = SpansRead::default();
    let mut places = HashMap::new();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let length = from.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)?;
        if length == 0 {
            break;
        }
        if length as u64 == MAX_LINE && !line.ends_with(b"\n") {
            read.skipped.push(number);
            skip_line(&mut from)?;
            continue;
        }
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        let Ok(request) = serde_json::from_slice::<Request>(text) else {
            read.skipped.push(number);
            continue;
        };
        for span in request.into_spans() {
            let place = *places
                .entry((span.trace_id, span.span_id))
                .or_insert(read.spans.len());
            if let Some(old) = read.spans.get_mut(place) {
                *old = span;
            } else if read.spans.len() < MAX_SPANS {
                read.spans.push(span);
            } else {
                read.truncated = true;
            }
        }
        if read.truncated {
            break;
        }
    }
    Ok(read)
}

fn skip_line(from: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = from.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        let (length, found) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (buffer.len(), false),
        };
        from.consume(length);
        if found {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(span: u64, name: &str) -> String {
        format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"{span:016x}","name":"{name}"}}]}}]}}]}}"#
        )
    }

    #[test]
    fn a_bad_line_is_skipped_and_the_last_of_two_spans_counts() {
        let text = format!(
            "{}\n\nno JSON\r\n{}\r\n{{\"resourceSpans\":7}}\n{}\n{{\"cut",
            line(1, "old"),
            line(2, "two"),
            line(1, "new"),
        );
        let read = read_spans(text.as_bytes()).unwrap();
        let names: Vec<_> = read.spans.iter().map(|span| span.name.as_str()).collect();
        assert_eq!(names, ["new", "two"]);
        assert_eq!(read.skipped, [3, 5, 7]);
        assert!(!read.truncated);
    }

    #[test]
    fn depth_length_and_number_are_bounded() {
        let deep = format!("{{\"resourceSpans\":{}", "[".repeat(1_000_000));
        let long = vec![b'x'; usize::try_from(MAX_LINE).unwrap() + 5];
        let text = [
            deep.as_bytes(),
            b"\n",
            &long,
            b"\n",
            line(1, "one").as_bytes(),
        ]
        .concat();
        let read = read_spans(text.as_slice()).unwrap();
        assert_eq!(read.skipped, [1, 2]);
        assert_eq!(read.spans.len(), 1);

        let many: String = (1..=MAX_SPANS as u64 + 1)
            .map(|span| line(span, "") + "\n")
            .collect();
        let read = read_spans(many.as_bytes()).unwrap();
        assert_eq!(read.spans.len(), MAX_SPANS);
        assert!(read.truncated);
    }

    proptest! {
        #[test]
        fn no_input_is_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), cut in 0_usize..200) {
            let mut text = line(1, "one").into_bytes();
            text.truncate(cut);
            text.extend(bytes);
            prop_assert!(read_spans(text.as_slice()).is_ok());
        }
    }
}
