//! The provider `prometheus`, also `thanos` and `cortex`.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use stagelink_http::Options;
use stagelink_keptn::{Aggregation, MetricRange, MetricSpec};
use url::Url;

use super::{Answer, BasicAuth, Client};
use crate::aggregation::aggregate;
use crate::evaluation::Settings;
use crate::number::{general, plain};
use crate::provider::{MetricError, Provider, ProviderResource, Value};

/// Keptn's words, which people know.
const NO_VALUES: &str = "no values in query result";

/// A server that speaks Prometheus' API.
#[derive(Debug)]
pub(crate) struct Prometheus {
    client: Client,
}

impl Prometheus {
    /// The server that a resource describes, with the keys `user` and `password` of its Secret as in
    /// Keptn (`prometheus/common.go`); unlike there, `insecureSkipTlsVerify` holds.
    pub(crate) async fn new(
        resource: ProviderResource<'_>,
        settings: &Settings,
    ) -> Result<Self, MetricError> {
        let wrong = |problem: &str| {
            MetricError::Resource(format!(
                "targetServer of KeptnMetricsProvider {} {problem}",
                resource.name
            ))
        };
        let base: Url = resource
            .spec
            .target_server
            .trim()
            .parse()
            .map_err(|_| wrong("is no URL; write it like http://prometheus:9090"))?;
        let credentials = match (
            resource.secret(settings, "user").await?,
            resource.secret(settings, "password").await?,
        ) {
            (Some(user), Some(password)) => Some(BasicAuth {
                user: user.expose().trim_end().to_owned(),
                password: password.expose().trim_end().to_owned(),
            }),
            _ => None,
        };
        let options = Options {
            timeout: settings.timeout,
            insecure_skip_tls_verify: resource.spec.insecure_skip_tls_verify == Some(true),
            ..Options::default()
        };
        let client = Client::new(&base, credentials, &settings.resolve, &options)
            .map_err(|error| wrong(&format!("cannot be asked: {error}")))?;
        Ok(Self { client })
    }

    /// The value now.
    async fn instant(&self, query: &str) -> Result<Value, MetricError> {
        let number = one(self.client.query(query).await?)?;
        Ok(Value {
            number,
            text: plain(number),
        })
    }

    /// The values of the range, as one.
    async fn aggregated(
        &self,
        query: &str,
        range: &MetricRange,
        step: std::time::Duration,
        aggregation: Aggregation,
    ) -> Result<Value, MetricError> {
        let interval = range.interval().as_std();
        if interval.is_zero() || step.is_zero() {
            return Err(MetricError::Resource(
                "interval and step of a range must be longer than nothing".to_owned(),
            ));
        }
        let end = Timestamp::now();
        let start = SignedDuration::try_from(interval)
            .ok()
            .and_then(|interval| end.checked_sub(interval).ok())
            .ok_or_else(|| {
                MetricError::Resource("the interval of a range is too long".to_owned())
            })?;
        let values = series(self.client.query_range(query, start, end, step).await?)?;
        let number = aggregate(aggregation, &values)
            .ok_or_else(|| MetricError::NoData(NO_VALUES.to_owned()))?;
        Ok(Value {
            number,
            text: general(number),
        })
    }
}

#[async_trait]
impl Provider for Prometheus {
    async fn value(&self, metric: &MetricSpec) -> Result<Value, MetricError> {
        let query = metric.query.trim();
        match metric
            .range
            .as_ref()
            .map(|range| (range, range.step, range.aggregation))
        {
            // Keptn takes the value at the start of a range without step, so that of before the
            // deployment that is to be judged. This is the one at its end.
            None | Some((_, None, None)) => self.instant(query).await,
            Some((range, Some(step), Some(aggregation))) => {
                self.aggregated(query, range, step.as_std(), aggregation)
                    .await
            }
            Some(_) => Err(MetricError::Resource(
                "a range needs both step and aggregation, or neither".to_owned(),
            )),
        }
    }

    fn is_live(&self) -> bool {
        true
    }
}

/// The one value of an answer.
fn one(answer: Answer) -> Result<f64, MetricError> {
    match answer.values().as_slice() {
        _ if matches!(answer, Answer::String(_) | Answer::Matrix(_)) => Err(not_numbers()),
        [] => Err(MetricError::NoData(NO_VALUES.to_owned())),
        [value] => Ok(*value),
        values => Err(too_many(values.len())),
    }
}

/// The values of an answer's one series.
fn series(answer: Answer) -> Result<Vec<f64>, MetricError> {
    let Answer::Matrix(mut series) = answer else {
        return Err(not_numbers());
    };
    match (series.pop(), series.len()) {
        (None, _) => Err(MetricError::NoData(NO_VALUES.to_owned())),
        (Some(only), 0) => Ok(only.values),
        (Some(_), others) => Err(too_many(others + 1)),
    }
}

fn too_many(count: usize) -> MetricError {
    MetricError::TooMany(format!(
        "{count} series; make one of them in the query, for example with sum() or max()"
    ))
}

fn not_numbers() -> MetricError {
    MetricError::Resource(
        "the query gives no number for one time; correct the query of the KeptnMetric".to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(kind: &str, result: &str) -> Answer {
        serde_json::from_str(&format!(r#"{{"resultType":"{kind}","result":{result}}}"#)).unwrap()
    }

    const SAMPLE: &str = r#"{"metric":{},"value":[1,"2"]}"#;
    const SERIES: &str = r#"{"metric":{},"values":[[1,"2"],[2,"3"]]}"#;

    #[test]
    fn exactly_one_value_is_taken() {
        for (kind, result, expected) in [
            ("vector", format!("[{SAMPLE}]"), "2"),
            ("scalar", r#"[1,"2"]"#.to_owned(), "2"),
            ("vector", "[]".to_owned(), NO_VALUES),
            (
                "vector",
                format!("[{SAMPLE},{SAMPLE}]"),
                "too many values in query result: 2 series",
            ),
            ("matrix", format!("[{SERIES}]"), "no number for one time"),
            ("string", r#"[1,"2"]"#.to_owned(), "no number for one time"),
        ] {
            let told = match one(answer(kind, &result)) {
                Ok(value) => value.to_string(),
                Err(error) => error.to_string(),
            };
            assert!(told.contains(expected), "{kind} {result}: {told}");
        }
    }

    #[test]
    fn all_values_of_exactly_one_series_are_taken() {
        for (kind, result, expected) in [
            ("matrix", format!("[{SERIES}]"), "[2.0, 3.0]"),
            ("matrix", "[]".to_owned(), NO_VALUES),
            (
                "matrix",
                format!("[{SERIES},{SERIES}]"),
                "too many values in query result: 2 series",
            ),
            ("vector", format!("[{SAMPLE}]"), "no number for one time"),
        ] {
            let told = match series(answer(kind, &result)) {
                Ok(values) => format!("{values:?}"),
                Err(error) => error.to_string(),
            };
            assert!(told.contains(expected), "{kind} {result}: {told}");
        }
    }
}
