//! The command line of `load`.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use url::Url;

use super::Rate;
use crate::ExpectedStatus;

/// The longest measurement.
const MAX_DURATION: Duration = Duration::from_secs(3600);
/// The longest wait for one answer.
const MAX_TIMEOUT: Duration = Duration::from_secs(300);
/// The most requests of one measurement, the warm-up included.
pub(super) const MAX_REQUESTS: u64 = 10_000_000;

/// Send requests at a fixed rate and measure latencies and errors.
///
/// A request is sent when it is due, however long those before it take, and its latency counts from
/// then. Results: p50, p90, p95, p99, max in milliseconds; errorRate from 0 to 1; rate, the answers
/// per second; requests. An evaluation reads them as TASK-DEFINITION.RESULT.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  load --url http://shop.dev:8080/ --rate 50/s --duration 10s
  load --url http://shop.dev:8080/cart --method POST --header 'content-type: application/json' \\
    --body '{\"item\":1}' --expect-status 201 --max-error-rate 1%")]
pub struct LoadArguments {
    /// Where the requests go.
    #[arg(long, value_name = "URL")]
    pub url: Url,

    /// How many requests in which time: 50/s, 300/m, 1000/h.
    #[arg(long, value_name = "RATE", default_value = "50/s")]
    pub rate: Rate,

    /// How long requests are sent.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration(MAX_DURATION))]
    pub duration: Duration,

    /// How long requests are sent before that without being measured.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration(MAX_DURATION))]
    pub warm_up: Duration,

    /// The method.
    #[arg(long, value_name = "METHOD", default_value = "GET")]
    pub method: Method,

    /// A header. Repeatable.
    #[arg(long = "header", value_name = "NAME: VALUE")]
    pub headers: Vec<Header>,

    /// The body.
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub body: String,

    /// The statuses that are no error: 200, 2xx, 200-204, several separated by commas. Redirects are
    /// not followed.
    #[arg(long, value_name = "STATUS", default_value = "2xx,3xx")]
    pub expect_status: ExpectedStatus,

    /// How long an answer may take, from when the request is due.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration(MAX_TIMEOUT))]
    pub timeout: Duration,

    /// The most requests that wait for an answer at a time; others wait for their turn, and the wait
    /// counts.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub max_in_flight: u32,

    /// The highest share of errors to pass, as 0.01 or 1%. By default one good answer is enough.
    #[arg(long, value_name = "SHARE")]
    pub max_error_rate: Option<Share>,
}

/// A parser of durations from 0 to `max`.
fn duration(max: Duration) -> impl Fn(&str) -> Result<Duration, String> + Clone + Send + Sync {
    move |text| {
        let duration = humantime::parse_duration(text)
            .map_err(|error| format!("{error}; for example 500ms, 10s or 1m 30s"))?;
        match duration <= max {
            true => Ok(duration),
            false => Err(format!("more than {}", humantime::format_duration(max))),
        }
    }
}

/// `NAME: VALUE`.
#[derive(Debug, Clone)]
pub struct Header {
    /// The name.
    pub name: HeaderName,
    /// The value; shown nowhere, because it may be a token.
    pub value: HeaderValue,
}

impl FromStr for Header {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The text itself is in no message: it may hold a token.
        let (name, value) = text.split_once(':').ok_or("expected NAME: VALUE")?;
        let mut value = HeaderValue::from_str(value.trim())
            .map_err(|_| "the value has characters that no header has")?;
        value.set_sensitive(true);
        Ok(Self {
            name: name
                .trim()
                .parse()
                .map_err(|_| "the name is no header's name")?,
            value,
        })
    }
}

/// A share from 0 to 1, also as per cent.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Share(pub f64);

impl FromStr for Share {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, whole) = match text.strip_suffix('%') {
            Some(number) => (number, 100.0),
            None => (text, 1.0),
        };
        let number: f64 = number.parse().map_err(|_| "expected 0.01 or 1%")?;
        let share = number / whole;
        match (0.0..=1.0).contains(&share) {
            true => Ok(Self(share)),
            false => Err("expected a share from 0 to 1, or from 0% to 100%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read() {
        for (text, share) in [
            ("0", 0.0),
            ("0.01", 0.01),
            ("1%", 0.01),
            ("100%", 1.0),
            ("1", 1.0),
        ] {
            assert_eq!(text.parse::<Share>().unwrap(), Share(share), "{text}");
        }
        for text in ["", "%", "1.1", "-1%", "101%", "NaN", "inf"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }

    #[test]
    fn headers_are_read_and_never_shown() {
        let header: Header = "Authorization:  Bearer s3cret:x ".parse().unwrap();
        assert_eq!(header.name, "authorization");
        assert_eq!(header.value.to_str().unwrap(), "Bearer s3cret:x");
        assert!(!format!("{header:?}").contains("s3cret"));
        for text in ["s3cret", "a b: s3cret", "a: s3\ncret", ": s3cret"] {
            let error = text.parse::<Header>().unwrap_err();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn durations_have_a_limit() {
        let parse = duration(Duration::from_secs(60));
        assert_eq!(parse("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse("61s"), Err("more than 1m".to_owned()));
        assert!(parse("fast").unwrap_err().contains("for example 500ms"));
        assert!(parse("-1s").is_err());
    }
}
