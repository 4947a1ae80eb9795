//! `spans.jsonl`: one OTLP-JSON `ExportTraceServiceRequest` a line.

use std::collections::HashSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;

use crate::export::{ExportError, Exporter};
use crate::otlp_json::{self, Request};
use crate::span::{Attributes, Span};

/// How far back it is looked for spans that are already there. The ledger knows them too; this is
/// for a hook that was killed between the file and the ledger, so the last ones matter.
const LOOK_BACK: u64 = 16 * 1024 * 1024;

/// Appends to a file. Spans that are there already (same trace id, same span id) are left out, a
/// last line that a kill has cut off is taken away, and the file is locked meanwhile.
#[derive(Debug)]
pub struct FileExporter {
    path: PathBuf,
    resource: Attributes,
}

impl FileExporter {
    /// An exporter to this file, which is made, with its folders, when there is something to write.
    pub fn new(path: impl Into<PathBuf>, resource: Attributes) -> Self {
        Self {
            path: path.into(),
            resource,
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn open(&self) -> io::Result<File> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&self.path)
    }

    /// Appends with the lock held.
    fn append(&self, file: &mut File, spans: &[Span]) -> io::Result<()> {
        let Tail {
            known,
            end,
            newline,
        } = look_back(file)?;
        let new: Vec<&Span> = spans
            .iter()
            .filter(|span| !known.contains(&(span.trace_id.to_string(), span.span_id.to_string())))
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        let mut line = if newline { Vec::new() } else { vec![b'\n'] };
        serde_json::to_writer(&mut line, &Request::new(&self.resource, new))?;
        line.push(b'\n');
        file.set_len(end)?;
        file.seek(SeekFrom::Start(end))?;
        file.write_all(&line).inspect_err(|_| {
            // A full disk must not leave half a line; if this fails too, the next hook repairs it.
            let _ = file.set_len(end);
        })
    }
}

#[async_trait]
impl Exporter for FileExporter {
    fn name(&self) -> &str {
        "file"
    }

    async fn export(&self, spans: &[Span]) -> Result<(), ExportError> {
        let failed = |error: io::Error| ExportError(format!("{}: {error}", self.path.display()));
        let mut file = self.open().map_err(failed)?;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                // Whoever holds it needs milliseconds; the caller bounds the wait.
                Err(TryLockError::WouldBlock) => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
        // Closing the file unlocks it.
        self.append(&mut file, spans).map_err(failed)
    }
}

/// What the end of the file says.
struct Tail {
    /// Trace id and span id of the last spans.
    known: HashSet<(String, String)>,
    /// Where to go on writing.
    end: u64,
    /// Whether that is the start of a line.
    newline: bool,
}

fn look_back(file: &mut File) -> io::Result<Tail> {
    let length = file.metadata()?.len();
    let start = length.saturating_sub(LOOK_BACK);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(LOOK_BACK).read_to_end(&mut bytes)?;

    let mut known = HashSet::new();
    let (mut end, mut newline) = (length, true);
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').peekable();
    if start > 0 {
        // Most likely the middle of a line.
        lines.next();
    }
    while let Some(line) = lines.next() {
        if lines.peek().is_none() && !line.ends_with(b"\n") {
            if otlp_json::is_whole(line) {
                newline = false;
            } else {
                end = length - line.len() as u64;
            }
        }
        if let Ok(request) = serde_json::from_slice::<Request>(line) {
            known.extend(
                request
                    .ids()
                    .map(|(trace, span)| (trace.to_ascii_lowercase(), span.to_ascii_lowercase())),
            );
        }
    }
    Ok(Tail {
        known,
        end,
        newline,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::read_spans_file;
    use crate::{all_spans, samples};

    async fn append(path: &Path, spans: &[Span]) {
        FileExporter::new(path, Attributes::default())
            .export(spans)
            .await
            .unwrap();
    }

    fn lines(path: &Path) -> usize {
        std::fs::read_to_string(path).unwrap().lines().count()
    }

    #[tokio::test]
    async fn spans_are_written_once_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/folder/spans.jsonl");
        let spans = all_spans(&samples::passed());
        append(&path, &spans[..5]).await;
        append(&path, &spans[3..]).await;
        append(&path, &spans).await;
        assert_eq!(lines(&path), 2, "nothing is written when all is there");
        let mut read = read_spans_file(&path).unwrap();
        read.spans.sort_by_key(|span| span.span_id);
        let mut spans = spans;
        spans.sort_by_key(|span| span.span_id);
        assert_eq!(read.spans, spans);
        assert!(read.skipped.is_empty() && !read.truncated);
    }

    #[tokio::test]
    async fn a_last_line_that_was_cut_is_repaired_wherever_it_was_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spans.jsonl");
        let (first, second) = (
            all_spans(&samples::promoted()),
            all_spans(&samples::failed()),
        );
        append(&path, &first).await;
        let begun = std::fs::read(&path).unwrap();
        append(&path, &second).await;
        let whole = std::fs::read(&path).unwrap();
        let last = whole.len() - 3..whole.len();
        for cut in (begun.len()..whole.len()).step_by(151).chain(last) {
            std::fs::write(&path, &whole[..cut]).unwrap();
            append(&path, &first).await;
            append(&path, &second).await;
            let read = read_spans_file(&path).unwrap();
            assert!(read.skipped.is_empty(), "cut at {cut}");
            assert_eq!(read.spans.len(), first.len() + second.len(), "cut at {cut}");
            assert_eq!(lines(&path), 2, "cut at {cut}");
        }
    }

    #[tokio::test]
    async fn what_others_wrote_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spans.jsonl");
        let spans = all_spans(&samples::promoted());
        for theirs in [
            "no JSON at all\n",
            "{\"resourceLogs\":[]}\n",
            // Whole, but without the line's end.
            "{\"resourceSpans\":[]}",
        ] {
            std::fs::write(&path, theirs).unwrap();
            append(&path, &spans).await;
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(text.lines().next(), theirs.lines().next());
            assert_eq!(lines(&path), 2);
        }
    }

    #[tokio::test]
    async fn many_writers_do_not_spoil_each_others_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spans.jsonl");
        let ledgers = [samples::passed(), samples::failed(), samples::promoted()];
        let writers: Vec<_> = ledgers
            .iter()
            .cycle()
            .take(12)
            .map(|ledger| {
                let (path, spans) = (path.clone(), all_spans(ledger));
                std::thread::spawn(move || {
                    tokio::runtime::Builder::new_current_thread()
                        .enable_time()
                        .build()
                        .unwrap()
                        .block_on(append(&path, &spans));
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        assert_eq!(lines(&path), 3);
        let read = read_spans_file(&path).unwrap();
        let all: usize = ledgers.iter().map(|ledger| all_spans(ledger).len()).sum();
        assert_eq!((read.spans.len(), read.skipped.len()), (all, 0));
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let blocked = folder.path().join("file");
        std::fs::write(&blocked, "").unwrap();
        for (path, cause) in [
            (folder.path().to_owned(), "Is a directory"),
            (blocked.join("spans.jsonl"), "File exists"),
        ] {
            let error = FileExporter::new(&path, Attributes::default())
                .export(&all_spans(&samples::promoted()))
                .await
                .unwrap_err()
                .to_string();
            assert!(error.starts_with(&path.display().to_string()), "{error}");
            assert!(error.contains(cause), "{error}");
        }
    }
}
