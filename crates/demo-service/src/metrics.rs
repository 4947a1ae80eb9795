//! Counts and durations of requests, in Prometheus' text format.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of the histogram's buckets in seconds; Prometheus' own, and finer ones for fast answers.
const BUCKETS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// What was counted so far.
#[derive(Debug)]
pub(crate) struct Metrics {
    version: String,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    by_status: BTreeMap<u16, u64>,
    /// One for each bucket, each without those below it.
    buckets: [u64; BUCKETS.len()],
    seconds: f64,
    requests: u64,
}

impl Metrics {
    /// Nothing counted yet, for this version.
    pub(crate) fn new(version: &str) -> Self {
        // As the text format wants it in a label.
        let version = version
            .replace('\\', r"\\")
            .replace('"', "\\\"")
            .replace('\n', r"\n");
        Self {
            version,
            counts: Mutex::default(),
        }
    }

    /// Counts an answer.
    pub(crate) fn add(&self, status: u16, duration: Duration) {
        let seconds = duration.as_secs_f64();
        // Counts are whole after a panic as well.
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.by_status.entry(status).or_default() += 1;
        counts.requests += 1;
        counts.seconds += seconds;
        let bucket = BUCKETS.iter().position(|bound| seconds <= *bound);
        if let Some(count) = bucket.and_then(|index| counts.buckets.get_mut(index)) {
            *count += 1;
        }
    }

    /// All of it as text.
    pub(crate) fn text(&self) -> String {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let version = &self.version;
        let mut text = String::from(
            "# HELP demo_requests_total Requests that were answered.\n# TYPE demo_requests_total counter\n",
        );
        // Writing to a String does not fail.
        for (status, count) in &counts.by_status {
            let _ = writeln!(
                text,
                "demo_requests_total{{version=\"{version}\",status=\"{status}\"}} {count}"
            );
        }
        const NAME: &str = "demo_request_duration_seconds";
        let _ = writeln!(
            text,
            "# HELP {NAME} How long answers took.\n# TYPE {NAME} histogram"
        );
        let mut below = 0;
        for (bound, count) in BUCKETS.iter().zip(counts.buckets) {
            below += count;
            let _ = writeln!(
                text,
                "{NAME}_bucket{{version=\"{version}\",le=\"{bound}\"}} {below}"
            );
        }
        let _ = writeln!(
            text,
            "{NAME}_bucket{{version=\"{version}\",le=\"+Inf\"}} {}",
            counts.requests
        );
        let _ = writeln!(
            text,
            "{NAME}_sum{{version=\"{version}\"}} {}",
            counts.seconds
        );
        let _ = writeln!(
            text,
            "{NAME}_count{{version=\"{version}\"}} {}",
            counts.requests
        );
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_and_versions_are_escaped() {
        let metrics = Metrics::new("v\"2\\");
        for milliseconds in [1, 4, 5, 700, 20_000] {
            metrics.add(200, Duration::from_millis(milliseconds));
        }
        metrics.add(502, Duration::ZERO);
        let text = metrics.text();
        for line in [
            r#"demo_requests_total{version="v\"2\\",status="200"} 5"#,
            r#"demo_requests_total{version="v\"2\\",status="502"} 1"#,
            r#"demo_request_duration_seconds_bucket{version="v\"2\\",le="0.001"} 2"#,
            r#"demo_request_duration_seconds_bucket{version="v\"2\\",le="0.005"} 4"#,
            r#"demo_request_duration_seconds_bucket{version="v\"2\\",le="0.5"} 4"#,
            r#"demo_request_duration_seconds_bucket{version="v\"2\\",le="1"} 5"#,
            r#"demo_request_duration_seconds_bucket{version="v\"2\\",le="+Inf"} 6"#,
            r#"demo_request_duration_seconds_count{version="v\"2\\"} 6"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
