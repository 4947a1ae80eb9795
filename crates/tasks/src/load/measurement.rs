//! What was measured.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

/// The longest latency that is told apart: the longest timeout and then some.
const MAX_MICROSECONDS: u64 = 3_600_000_000;
/// How many kinds of failures are told apart.
const MAX_KINDS: usize = 20;

/// How one request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// With a good answer, so long after it was due.
    Good(Duration),
    /// With an answer of a status that is not expected.
    Status(u16, Duration),
    /// There was no whole answer in time; it took at least as long.
    Late(Duration),
    /// There was no connection, or it broke. How long that took tells nothing about the server.
    Broken {
        /// In a few words.
        cause: String,
        /// True if there was a connection.
        reached: bool,
    },
}

/// All requests so far.
#[derive(Debug)]
pub(super) struct Measurement {
    /// In microseconds, of all requests but the broken ones.
    latencies: Histogram<u64>,
    requests: u64,
    errors: u64,
    answers: u64,
    reached: bool,
    kinds: BTreeMap<String, u64>,
    others: u64,
}

impl Measurement {
    /// A measurement without requests.
    ///
    /// # Errors
    /// Never with these bounds; the histogram's own error otherwise.
    pub(super) fn new() -> Result<Self, hdrhistogram::CreationError> {
        Ok(Self {
            latencies: Histogram::new_with_bounds(1, MAX_MICROSECONDS, 3)?,
            requests: 0,
            errors: 0,
            answers: 0,
            reached: false,
            kinds: BTreeMap::new(),
            others: 0,
        })
    }

    /// Adds a request.
    pub(super) fn add(&mut self, end: End) {
        self.requests += 1;
        let kind = match end {
            End::Good(latency) => {
                self.answered(latency);
                return;
            }
            End::Status(status, latency) => {
                self.answered(latency);
                format!("status {status}")
            }
            End::Late(latency) => {
                self.record(latency);
                "no answer in time".to_owned()
            }
            End::Broken { cause, reached } => {
                self.reached |= reached;
                cause
            }
        };
        self.errors += 1;
        if self.kinds.len() < MAX_KINDS || self.kinds.contains_key(&kind) {
            *self.kinds.entry(kind).or_default() += 1;
        } else {
            self.others += 1;
        }
    }

    fn answered(&mut self, latency: Duration) {
        self.answers += 1;
        self.reached = true;
        self.record(latency);
    }

    fn record(&mut self, latency: Duration) {
        let microseconds = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.latencies.saturating_record(microseconds.max(1));
    }

    /// How many requests there were.
    pub(super) fn requests(&self) -> u64 {
        self.requests
    }

    /// How many of them failed.
    pub(super) fn errors(&self) -> u64 {
        self.errors
    }

    /// True if the server was reached at least once.
    pub(super) fn reached(&self) -> bool {
        self.reached
    }

    /// The share of requests that failed; none without requests.
    pub(super) fn error_rate(&self) -> Option<f64> {
        (self.requests > 0).then(|| ratio(self.errors, self.requests))
    }

    /// The results by name, for requests that took `time` from the first that was due to the last
    /// that ended. There are no latencies if nothing was reached: no data is not a short latency.
    pub(super) fn results(&self, time: Duration) -> BTreeMap<String, f64> {
        let mut results = BTreeMap::new();
        let mut put = |name: &str, value: f64| results.insert(name.to_owned(), value);
        #[allow(
            clippy::cast_precision_loss,
            reason = "bounded by the number of requests"
        )]
        put("requests", self.requests as f64);
        if let Some(rate) = self.error_rate() {
            put("errorRate", rate);
        }
        if !time.is_zero() {
            #[allow(
                clippy::cast_precision_loss,
                reason = "bounded by the number of requests"
            )]
            let rate = self.answers as f64 / time.as_secs_f64();
            put("rate", (rate * 1000.0).round() / 1000.0);
        }
        if !self.latencies.is_empty() {
            for (name, quantile) in [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)] {
                put(
                    name,
                    milliseconds(self.latencies.value_at_quantile(quantile)),
                );
            }
            put("max", milliseconds(self.latencies.max()));
        }
        results
    }

    /// The failures, the most frequent first: `3× status 503, 1× connection refused`.
    pub(super) fn failures(&self) -> String {
        let mut kinds: Vec<_> = self
            .kinds
            .iter()
            .map(|(kind, count)| (*count, kind.as_str()))
            .collect();
        if self.others > 0 {
            kinds.push((self.others, "others"));
        }
        kinds.sort_by_key(|(count, kind)| (std::cmp::Reverse(*count), *kind));
        let kinds: Vec<_> = kinds
            .iter()
            .map(|(count, kind)| format!("{count}× {kind}"))
            .collect();
        kinds.join(", ")
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "bounded by the number of requests"
)]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

#[allow(clippy::cast_precision_loss, reason = "bounded by the histogram")]
fn milliseconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(ends: impl IntoIterator<Item = End>) -> Measurement {
        let mut measurement = Measurement::new().unwrap();
        ends.into_iter().for_each(|end| measurement.add(end));
        measurement
    }

    #[test]
    fn quantiles_are_those_of_the_latencies_in_milliseconds() {
        let ends = (1..=100).map(|latency| End::Good(Duration::from_millis(latency)));
        let results = measured(ends).results(Duration::from_secs(2));
        for (name, expected) in [
            ("p50", 50.0),
            ("p90", 90.0),
            ("p95", 95.0),
            ("p99", 99.0),
            ("max", 100.0),
            ("errorRate", 0.0),
            ("rate", 50.0),
            ("requests", 100.0),
        ] {
            // Three digits of the histogram.
            assert!(
                (results[name] - expected).abs() <= expected * 0.001,
                "{name}: {results:?}"
            );
        }
    }

    #[test]
    fn a_late_answer_counts_with_the_time_waited_and_a_broken_one_does_not() {
        let second = Duration::from_secs(1);
        let broken = || End::Broken {
            cause: "connection refused".to_owned(),
            reached: false,
        };
        let measurement = measured([
            End::Good(Duration::from_millis(1)),
            End::Late(second),
            End::Status(503, Duration::from_millis(2)),
            End::Status(503, Duration::from_millis(2)),
            broken(),
        ]);
        let results = measurement.results(second);
        assert_eq!(results["errorRate"], 0.8);
        assert_eq!(results["rate"], 3.0);
        assert!((results["max"] - 1000.0).abs() <= 1.0);
        assert_eq!(
            measurement.failures(),
            "2× status 503, 1× connection refused, 1× no answer in time"
        );

        let nothing = measured([broken(), broken()]);
        assert!(!nothing.reached());
        let names: Vec<_> = nothing.results(second).into_keys().collect();
        assert_eq!(names, ["errorRate", "rate", "requests"]);
        assert_eq!(
            measured([])
                .results(Duration::ZERO)
                .into_keys()
                .collect::<Vec<_>>(),
            ["requests"]
        );
    }

    #[test]
    fn kinds_of_failures_are_bounded() {
        let ends = (100..200).map(|status| End::Status(status, Duration::ZERO));
        let failures = measured(ends).failures();
        assert!(
            failures.starts_with("80× others, 1× status 100"),
            "{failures}"
        );
    }
}
