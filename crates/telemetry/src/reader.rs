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
