//! Sending what the ledger holds and an exporter has not taken yet.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use stagelink_delivery::identity::SpanPath;
use stagelink_delivery::ledger::{Attempt, Ledger};

use crate::span::Span;
use crate::tree::span_tree;

/// How long a hook waits for all exporters together, at most.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(5);

/// Older attempts are looked at only if an exporter is known to wait for them: who begins to collect
/// spans does not want all that ever was.
const RECENT_ATTEMPTS: usize = 20;

/// Spans in one request. A collector takes 4 MiB by default; a span has about 2 KiB.
const BATCH: usize = 512;

/// Takes finished spans.
#[async_trait]
pub trait Exporter: Send + Sync {
    /// What the ledger notes it under, for example `otlp`.
    fn name(&self) -> &str;

    /// Takes all of these spans, or none: after an error they are sent again.
    ///
    /// # Errors
    /// [`ExportError`], in words for a person and without secrets.
    async fn export(&self, spans: &[Span]) -> Result<(), ExportError>;
}

/// Why spans could not be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ExportError(pub String);

/// What came of [`export_pending`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExportReport {
    /// One for each exporter, in their order.
    pub exporters: Vec<ExporterReport>,
    /// The ledger notes something else than before.
    noted: bool,
}

/// What came of one exporter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExporterReport {
    /// Name of the exporter.
    pub name: String,
    /// How many spans it took.
    pub sent: usize,
    /// How many are left for the next time.
    pub left: usize,
    /// Why.
    pub error: Option<ExportError>,
}

impl ExportReport {
    /// One line for each exporter that did not take everything, in words for a person.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        self.exporters.iter().filter_map(|report| {
            let error = report.error.as_ref()?;
            Some(format!(
                "{} spans could not be sent by {}: {error}; they are kept in the ledger and sent by the next hook",
                report.left, report.name
            ))
        })
    }

    /// True if the ledger has changed and is to be saved: something was sent, or has to be sent later.
    pub fn changed(&self) -> bool {
        self.noted
    }

    /// True if nothing is left to be sent.
    pub fn is_complete(&self) -> bool {
        self.exporters.iter().all(|report| report.left == 0)
    }
}

impl fmt::Display for ExportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, report) in self.exporters.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{} spans sent by {}", report.sent, report.name)?;
            if report.left > 0 {
                write!(f, " ({} left)", report.left)?;
            }
        }
        Ok(())
    }
}

/// Sends every finished span that an exporter has not taken yet, and notes in the ledger what it
/// took; the caller saves the ledger.
///
/// The root is finished when the attempt is closed, and goes last: once it is noted, it stands for
/// all spans of its attempt. All exporters together have `wait`; what was
/// not sent by then stays for the next call, and the ledger notes who has to take it. Attempts that
/// were put away are left out; a ledger of those alone can be given as well. Sending never fails a delivery, so there is no error:
/// the report tells what is left and why.
pub async fn export_pending(
    ledger: &mut Ledger,
    exporters: &[Box<dyn Exporter>],
    wait: Duration,
) -> ExportReport {
    let deadline = tokio::time::Instant::now() + wait;
    let names: BTreeSet<&str> = exporters.iter().map(|exporter| exporter.name()).collect();
    let finished = finished_spans(ledger, &names);
    let sendings = exporters.iter().map(|exporter| {
        let pending = pending(ledger, &finished, exporter.name());
        async move {
            let mut taken = Vec::new();
            let mut error = None;
            for batch in pending.chunks(BATCH) {
                let spans: Vec<Span> = batch.iter().map(|pending| pending.span.clone()).collect();
                let sent = tokio::time::timeout_at(deadline, exporter.export(&spans)).await;
                match sent {
                    Ok(Ok(())) => taken.extend_from_slice(batch),
                    Ok(Err(why)) => error = Some(why),
                    Err(_) => {
                        error = Some(ExportError(format!(
                            "no answer within {:.1} s",
                            wait.as_secs_f64()
                        )));
                    }
                }
                if error.is_some() {
                    break;
                }
            }
            (pending, taken, error)
        }
    });
    let results = futures::future::join_all(sendings).await;

    let mut report = ExportReport::default();
    let mut notes = Vec::new();
    let mut waiting = Vec::new();
    for (exporter, (all, taken, error)) in exporters.iter().zip(results) {
        report.exporters.push(ExporterReport {
            name: exporter.name().to_owned(),
            sent: taken.len(),
            left: all.len() - taken.len(),
            error,
        });
        report.noted |= !taken.is_empty();
        waiting.extend(
            all.into_iter()
                .skip(taken.len())
                .map(|pending| (exporter.name(), pending.delivery, pending.attempt)),
        );
        notes.extend(taken.into_iter().map(|pending| {
            (
                exporter.name(),
                pending.delivery,
                pending.attempt,
                pending.path.clone(),
            )
        }));
    }
    for (name, delivery, attempt, path) in notes {
        let attempt = ledger
            .deliveries
            .get_mut(delivery)
            .and_then(|delivery| delivery.attempts.get_mut(attempt));
        if let Some(attempt) = attempt {
            let taken = attempt.exported.entry(name.to_owned()).or_default();
            if path == SpanPath::root() {
                // One note for the whole attempt: the ledger has to stay small.
                taken.clear();
            }
            taken.insert(path);
        }
    }
    for (name, delivery, attempt) in waiting {
        let attempt = ledger
            .deliveries
            .get_mut(delivery)
            .and_then(|delivery| delivery.attempts.get_mut(attempt));
        if let Some(attempt) = attempt
            && !attempt.exported.contains_key(name)
        {
            attempt.exported.insert(name.to_owned(), BTreeSet::new());
            report.noted = true;
        }
    }
    report
}

/// A finished span and where in the ledger it comes from.
struct Finished {
    /// Index of the delivery.
    delivery: usize,
    /// Index of the attempt.
    attempt: usize,
    path: SpanPath,
    span: Span,
}

/// Spans of recent attempts, and of those that one of these exporters waits for.
fn finished_spans(ledger: &Ledger, exporters: &BTreeSet<&str>) -> Vec<Finished> {
    let root = SpanPath::root();
    let is_waited_for = |attempt: &Attempt| {
        let mut noted = attempt.exported.iter();
        noted.any(|(name, paths)| exporters.contains(name.as_str()) && !paths.contains(&root))
    };
    let mut recent: Vec<(usize, usize)> = ledger
        .deliveries
        .iter()
        .enumerate()
        .rev()
        .flat_map(|(index, delivery)| {
            let attempts = delivery.attempts.iter().enumerate().rev();
            attempts.map(move |(place, attempt)| ((index, place), attempt))
        })
        .enumerate()
        .filter(|(age, (_, attempt))| {
            !attempt.spooled && (*age < RECENT_ATTEMPTS || is_waited_for(attempt))
        })
        .map(|(_, (place, _))| place)
        .collect();
    recent.reverse();
    let mut finished = Vec::new();
    for (delivery, attempt) in recent {
        let record = &ledger.deliveries[delivery];
        let mut tree = span_tree(ledger, record, &record.attempts[attempt]);
        // The root last: who has taken it has taken all.
        let first = tree.len().min(1);
        tree.rotate_left(first);
        finished.extend(
            tree.into_iter()
                .filter(|placed| placed.span.end.is_some())
                .map(|placed| Finished {
                    delivery,
                    attempt,
                    path: placed.path,
                    span: placed.span,
                }),
        );
    }
    finished
}

fn pending<'a>(ledger: &Ledger, finished: &'a [Finished], exporter: &str) -> Vec<&'a Finished> {
    let none = BTreeSet::new();
    finished
        .iter()
        .filter(|span| {
            let attempt = &ledger.deliveries[span.delivery].attempts[span.attempt];
            let taken = attempt.exported.get(exporter).unwrap_or(&none);
            !taken.contains(&SpanPath::root()) && !taken.contains(&span.path)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::samples;

    /// Takes what it is told to take.
    #[derive(Default)]
    struct Recorder {
        name: &'static str,
        answer: Option<ExportError>,
        hangs: bool,
        taken: Mutex<Vec<String>>,
    }

    #[async_trait]
    impl Exporter for std::sync::Arc<Recorder> {
        fn name(&self) -> &str {
            self.name
        }

        async fn export(&self, spans: &[Span]) -> Result<(), ExportError> {
            if self.hangs {
                std::future::pending::<()>().await;
            }
            if let Some(error) = &self.answer {
                return Err(error.clone());
            }
            let names = spans.iter().map(|span| span.name.clone());
            self.taken.lock().unwrap().extend(names);
            Ok(())
        }
    }

    fn recorder(name: &'static str) -> (std::sync::Arc<Recorder>, Vec<Box<dyn Exporter>>) {
        let recorder = std::sync::Arc::new(Recorder {
            name,
            ..Recorder::default()
        });
        (recorder.clone(), vec![Box::new(recorder)])
    }

    #[tokio::test(start_paused = true)]
    async fn every_span_is_sent_once_and_the_root_when_the_attempt_is_closed() {
        let whole = samples::passed();
        let mut ledger = whole.clone();
        // As PreSync leaves it: the app is being deployed.
        let open = &mut ledger.deliveries[0].attempts[0];
        open.ended_at = None;
        open.outcome = None;
        open.workloads.clear();
        open.phases.truncate(3);
        open.phases[2].ended_at = None;

        let (recorder, exporters) = recorder("otlp");
        let report = export_pending(&mut ledger, &exporters, DEFAULT_WAIT).await;
        assert_eq!(report.to_string(), "3 spans sent by otlp");
        assert_eq!(
            *recorder.taken.lock().unwrap(),
            [
                "AppPreDeployTasks",
                "pre-wait-11111",
                "AppPreDeployEvaluations"
            ]
        );

        // As PostSync leaves it.
        let exported = ledger.deliveries[0].attempts[0].exported.clone();
        ledger = whole;
        ledger.deliveries[0].attempts[0].exported = exported;
        let report = export_pending(&mut ledger, &exporters, DEFAULT_WAIT).await;
        assert_eq!(report.to_string(), "16 spans sent by otlp");
        let mut taken = recorder.taken.lock().unwrap().clone();
        assert_eq!(taken.last().unwrap(), "simple-go-v2-6b86b273");
        let exported = &ledger.deliveries[0].attempts[0].exported["otlp"];
        assert_eq!(exported.iter().collect::<Vec<_>>(), [&SpanPath::root()]);
        taken.sort();
        taken.dedup();
        assert_eq!(taken.len(), 19, "a span was sent twice");

        let report = export_pending(&mut ledger, &exporters, DEFAULT_WAIT).await;
        assert_eq!(report.to_string(), "0 spans sent by otlp");
        assert!(!report.changed());
    }

    #[tokio::test(start_paused = true)]
    async fn what_could_not_be_sent_stays_and_one_exporter_does_not_hold_up_another() {
        let mut ledger = samples::failed();
        let (good, mut exporters) = recorder("file");
        for (name, answer, hangs) in [
            ("refusing", Some(ExportError("refused".to_owned())), false),
            ("hanging", None, true),
        ] {
            exporters.push(Box::new(std::sync::Arc::new(Recorder {
                name,
                answer,
                hangs,
                ..Recorder::default()
            })));
        }
        let start = tokio::time::Instant::now();
        let report = export_pending(&mut ledger, &exporters, DEFAULT_WAIT).await;
        assert_eq!(start.elapsed(), DEFAULT_WAIT);
        assert_eq!(good.taken.lock().unwrap().len(), 8);
        assert_eq!(
            report.warnings().collect::<Vec<_>>(),
            [
                "8 spans could not be sent by refusing: refused; they are kept in the ledger and sent by the next hook",
                "8 spans could not be sent by hanging: no answer within 5.0 s; they are kept in the ledger and sent by the next hook",
            ]
        );
        assert!(report.changed() && !report.is_complete());
        let exported = &ledger.deliveries[0].attempts[1].exported;
        assert_eq!(
            exported.keys().collect::<Vec<_>>(),
            ["file", "hanging", "refusing"]
        );
        assert!(exported["hanging"].is_empty() && exported["refusing"].is_empty());

        let (late, exporters) = recorder("hanging");
        let report = export_pending(&mut ledger, &exporters, DEFAULT_WAIT).await;
        assert_eq!(report.warnings().count(), 0);
        assert_eq!(late.taken.lock().unwrap().len(), 8);
    }

    #[tokio::test(start_paused = true)]
    async fn old_attempts_are_sent_to_who_waits_for_them_and_what_was_put_away_is_not() {
        let sample = samples::passed();
        let mut ledger = sample.clone();
        ledger.deliveries = (1..=30)
            .map(|number| {
                let mut delivery = sample.deliveries[0].clone();
                delivery.number = number;
                delivery
            })
            .collect();
        for (index, delivery) in ledger.deliveries.iter_mut().enumerate() {
            let attempt = &mut delivery.attempts[0];
            match index {
                0 => drop(attempt.exported.insert("late".to_owned(), BTreeSet::new())),
                1 => drop(attempt.exported.insert("other".to_owned(), BTreeSet::new())),
                25 => attempt.spooled = true,
                _ => {}
            }
        }
        let (_, exporters) = recorder("late");
        let report = export_pending(&mut ledger, &exporters, DEFAULT_WAIT).await;
        assert!(report.is_complete());
        let root = SpanPath::root();
        let sent: Vec<u64> = ledger
            .deliveries
            .iter()
            .filter(|delivery| {
                let taken = delivery.attempts[0].exported.get("late");
                taken.is_some_and(|paths| paths.contains(&root))
            })
            .map(|delivery| delivery.number)
            .collect();
        let mut expected: Vec<u64> = (11..=30).filter(|number| *number != 26).collect();
        expected.insert(0, 1);
        assert_eq!(sent, expected);
    }
}
