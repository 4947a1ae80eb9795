//! Durations as Go writes them, for example `1m30s`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a duration: {reason}; write it like \"5m\", \"1m30s\" or \"500ms\"")]
pub struct DurationError {
    text: String,
    reason: &'static str,
}

/// A duration in Go's notation (`time.ParseDuration`), as Kubernetes' `metav1.Duration` has it.
///
/// It may be negative, and is exact to the nanosecond up to about 292 years.
///
/// ```
/// let duration: stagelink_keptn::GoDuration = "1h1.5m".parse()?;
/// assert_eq!(duration.to_string(), "1h1m30s");
/// assert_eq!(duration.as_std().as_secs(), 3690);
/// # Ok::<(), stagelink_keptn::DurationError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoDuration {
    nanoseconds: i64,
}

impl GoDuration {
    /// A duration of whole seconds.
    pub const fn from_seconds(seconds: u32) -> Self {
        Self {
            // Cannot overflow: 2^32 seconds are less than 2^63 nanoseconds.
            nanoseconds: seconds as i64 * 1_000_000_000,
        }
    }

    /// The duration in nanoseconds.
    pub const fn as_nanoseconds(self) -> i64 {
        self.nanoseconds
    }

    /// The duration as Rust has it; a negative one is zero.
    pub fn as_std(self) -> Duration {
        Duration::from_nanos(u64::try_from(self.nanoseconds).unwrap_or(0))
    }
}

impl From<GoDuration> for Duration {
    fn from(duration: GoDuration) -> Self {
        duration.as_std()
    }
}

const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000), // U+00B5 micro sign
    ("μs", 1_000), // U+03BC Greek mu
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

impl FromStr for GoDuration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text)
            .map(|nanoseconds| Self { nanoseconds })
            .map_err(|reason| DurationError {
                text: text.chars().take(64).collect(),
                reason,
            })
    }
}

fn parse(text: &str) -> Result<i64, &'static str> {
    const TOO_LONG: &str = "it is too long";
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err("it is empty");
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (whole, after_whole) = split_digits(rest);
        let (fraction, after_number) = match after_whole.strip_prefix('.') {
            Some(after_point) => split_digits(after_point),
            None => ("", after_whole),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err("a number is missing");
        }
        let unit_end = after_number
            .find(|character: char| character == '.' || character.is_ascii_digit())
            .unwrap_or(after_number.len());
        let (unit, next) = after_number.split_at(unit_end);
        let scale = match UNITS.iter().find(|(name, _)| *name == unit) {
            Some((_, scale)) => *scale,
            None if unit.is_empty() => return Err("a unit is missing (ns, us, ms, s, m or h)"),
            None => return Err("a unit is unknown (ns, us, ms, s, m or h)"),
        };
        let mut value: u64 = 0;
        for digit in whole.bytes() {
            value = value
                .checked_mul(10)
                .and_then(|value| value.checked_add(u64::from(digit - b'0')))
                .ok_or(TOO_LONG)?;
        }
        value = value.checked_mul(scale).ok_or(TOO_LONG)?;
        total = total
            .checked_add(value)
            .and_then(|total| total.checked_add(part_of(fraction, scale)))
            .ok_or(TOO_LONG)?;
        rest = next;
    }
    if negative && total == 1 << 63 {
        return Ok(i64::MIN);
    }
    let total = i64::try_from(total).map_err(|_| TOO_LONG)?;
    Ok(if negative { -total } else { total })
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

/// The decimal fraction `0.<digits>` of a unit, cut off to whole nanoseconds.
fn part_of(digits: &str, scale: u64) -> u64 {
    let mut value: u128 = 0;
    let mut divisor: u128 = 1;
    // More digits than these cannot change a nanosecond of an hour.
    for digit in digits.bytes().take(20) {
        value = value * 10 + u128::from(digit - b'0');
        divisor *= 10;
    }
    u64::try_from(value * u128::from(scale) / divisor).unwrap_or(u64::MAX)
}

impl fmt::Display for GoDuration {
    /// As Go's `Duration.String`: `0s`, `1.5ms`, `5m0s`, `1h0m0s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.nanoseconds.unsigned_abs();
        if self.nanoseconds < 0 {
            f.write_str("-")?;
        }
        match magnitude {
            0 => f.write_str("0s"),
            1..1_000 => write!(f, "{magnitude}ns"),
            1_000..1_000_000 => write_decimal(f, magnitude, 1_000, "µs"),
            1_000_000..1_000_000_000 => write_decimal(f, magnitude, 1_000_000, "ms"),
            _ => {
                let minutes = magnitude / 60_000_000_000;
                if minutes >= 60 {
                    write!(f, "{}h", minutes / 60)?;
                }
                if minutes > 0 {
                    write!(f, "{}m", minutes % 60)?;
                }
                write_decimal(f, magnitude % 60_000_000_000, 1_000_000_000, "s")
            }
        }
    }
}

fn write_decimal(
    f: &mut fmt::Formatter<'_>,
    nanoseconds: u64,
    scale: u64,
    unit: &str,
) -> fmt::Result {
    let fraction = nanoseconds % scale;
    write!(f, "{}", nanoseconds / scale)?;
    if fraction > 0 {
        let width = scale.ilog10() as usize;
        let digits = format!("{fraction:0width$}");
        write!(f, ".{}", digits.trim_end_matches('0'))?;
    }
    f.write_str(unit)
}

impl Serialize for GoDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_as_in_go() {
        for (text, nanoseconds, written) in [
            ("0", 0, "0s"),
            ("-0", 0, "0s"),
            ("5m", 300_000_000_000, "5m0s"),
            ("5s", 5_000_000_000, "5s"),
            ("1.5s", 1_500_000_000, "1.5s"),
            (".5s", 500_000_000, "500ms"),
            ("1.s", 1_000_000_000, "1s"),
            ("1h", 3_600_000_000_000, "1h0m0s"),
            ("1h1m1s", 3_661_000_000_000, "1h1m1s"),
            ("39h9m14.425s", 140_954_425_000_000, "39h9m14.425s"),
            ("12µs", 12_000, "12µs"),
            ("12μs", 12_000, "12µs"),
            ("12us", 12_000, "12µs"),
            ("1.1ms", 1_100_000, "1.1ms"),
            ("7ns", 7, "7ns"),
            ("-1.5h", -5_400_000_000_000, "-1h30m0s"),
            ("+3ms", 3_000_000, "3ms"),
            ("0.000000001s", 1, "1ns"),
            (
                "0.3333333333333333333h",
                1_200_000_000_000 - 1,
                "19m59.999999999s",
            ),
            (
                "9223372036854775807ns",
                i64::MAX,
                "2562047h47m16.854775807s",
            ),
            (
                "-9223372036854775808ns",
                i64::MIN,
                "-2562047h47m16.854775808s",
            ),
        ] {
            let duration: GoDuration = text.parse().unwrap();
            assert_eq!(duration.as_nanoseconds(), nanoseconds, "{text}");
            assert_eq!(duration.to_string(), written, "{text}");
            assert_eq!(written.parse::<GoDuration>().unwrap(), duration, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_duration_is_refused() {
        for text in [
            "",
            "3",
            "-",
            "s",
            ".",
            "-.",
            ".s",
            "+.s",
            "1d",
            "1 s",
            " 1s",
            "1s ",
            "5min",
            "1e3s",
            "9223372036854775808ns",
            "9223372036854775.808us",
            "9223372036854ms775us808ns",
            "99999999999999999999h",
            "１s",
        ] {
            assert!(text.parse::<GoDuration>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_error_says_what_to_write() {
        assert_eq!(
            "5".parse::<GoDuration>().unwrap_err().to_string(),
            "\"5\" is not a duration: a unit is missing (ns, us, ms, s, m or h); \
             write it like \"5m\", \"1m30s\" or \"500ms\""
        );
    }
}
