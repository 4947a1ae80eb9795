//! `--rate`: how many requests in which time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The highest rate in requests per second; more is no measurement with one process any more.
const MAX_PER_SECOND: f64 = 100_000.0;

/// An arrival rate: `50/s`, `50` (the same), `0.5/s`, `300/m`, `1000/h`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    per_second: f64,
}

/// Why a text is no [`Rate`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no rate ({problem}); for example 50/s, 0.5/s, 300/m or 1000/h")]
pub struct RateError {
    text: String,
    problem: &'static str,
}

impl Rate {
    /// Requests per second.
    pub fn per_second(self) -> f64 {
        self.per_second
    }

    /// How long after the start request number `index`, from 0, is due.
    pub fn due(self, index: u64) -> Duration {
        // Exact enough: 53 bits hold years in microseconds.
        #[allow(
            clippy::cast_precision_loss,
            reason = "bounded by the number of requests"
        )]
        let seconds = index as f64 / self.per_second;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    /// How many requests are due in `duration`, the first at its start; at least one.
    pub fn requests_in(self, duration: Duration) -> u64 {
        let exact = self.per_second * duration.as_secs_f64();
        // 0.3 s at 10/s are 3 requests, though the product may be a little more.
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a cast of a float saturates, and this one is positive"
        )]
        let whole = (exact - 1e-6).ceil() as u64;
        whole.max(1)
    }
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |problem| RateError {
            text: text.chars().take(50).collect(),
            problem,
        };
        let (number, unit) = text.split_once('/').unwrap_or((text, "s"));
        let seconds = match unit {
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            _ => return Err(wrong("the unit is s, m or h")),
        };
        // Rust's own parser takes `inf`, `NaN`, signs and exponents.
        if number.is_empty()
            || !number
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.')
        {
            return Err(wrong("it begins with a number"));
        }
        let number: f64 = number
            .parse()
            .map_err(|_| wrong("it begins with a number"))?;
        let per_second = number / seconds;
        if number <= 0.0 {
            return Err(wrong("it is zero"));
        }
        if per_second < 1.0 / 3600.0 {
            return Err(wrong("less than 1/h"));
        }
        if per_second > MAX_PER_SECOND {
            return Err(wrong("more than 100000/s"));
        }
        Ok(Self { per_second })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.per_second)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rates_are_read() {
        for (text, per_second) in [
            ("50/s", 50.0),
            ("50", 50.0),
            ("0.5/s", 0.5),
            (".5/s", 0.5),
            ("300/m", 5.0),
            ("300/min", 5.0),
            ("1/h", 1.0 / 3600.0),
            ("100000/s", 100_000.0),
        ] {
            assert_eq!(
                text.parse::<Rate>().unwrap().per_second(),
                per_second,
                "{text}"
            );
        }
    }

    #[test]
    fn other_texts_are_refused_with_the_reason() {
        for (text, reason) in [
            ("", "begins with a number"),
            ("/s", "begins with a number"),
            ("-1/s", "begins with a number"),
            ("1e3/s", "begins with a number"),
            ("inf", "begins with a number"),
            ("1.2.3", "begins with a number"),
            ("0/s", "zero"),
            ("0.0", "zero"),
            ("5/d", "unit"),
            ("5/", "unit"),
            ("5/s/s", "unit"),
            ("0.9/h", "less than 1/h"),
            ("100001/s", "more than"),
        ] {
            let error = text.parse::<Rate>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn the_number_of_requests_is_rate_times_duration() {
        for (rate, milliseconds, expected) in [
            ("50/s", 5_000, 250),
            ("10/s", 300, 3),
            ("40/s", 2_000, 80),
            ("3/s", 1_000, 3),
            ("1/m", 1_000, 1),
        ] {
            let rate: Rate = rate.parse().unwrap();
            assert_eq!(
                rate.requests_in(Duration::from_millis(milliseconds)),
                expected
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[0-9./smh e+-]{0,12}") {
            if let Ok(rate) = text.parse::<Rate>() {
                prop_assert!(rate.per_second() > 0.0 && rate.per_second() <= MAX_PER_SECOND);
                let again: Rate = rate.to_string().parse().unwrap();
                prop_assert!((again.per_second() - rate.per_second()).abs() < 1e-12);
            }
        }

        #[test]
        fn requests_are_due_in_order_and_within_the_duration(
            rate in 1u32..5_000, milliseconds in 1u64..20_000
        ) {
            let rate: Rate = format!("{rate}/s").parse().unwrap();
            let duration = Duration::from_millis(milliseconds);
            let requests = rate.requests_in(duration);
            prop_assert!(rate.due(requests - 1) < duration + Duration::from_micros(1));
            prop_assert!(rate.due(requests) + Duration::from_micros(1) >= duration);
        }
    }
}
