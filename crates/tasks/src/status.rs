//! `--expect-status`: which HTTP statuses are good.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Which HTTP statuses are good: `200`, `2xx`, `200-299`, several separated by commas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedStatus(Vec<RangeInclusive<u16>>);

/// Why a text is no [`ExpectedStatus`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no HTTP status; for example 200, 2xx or 200-204, separated by commas")]
pub struct ExpectedStatusError(String);

impl ExpectedStatus {
    /// True if this status is good.
    pub fn holds(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

impl FromStr for ExpectedStatus {
    type Err = ExpectedStatusError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ranges = text.split(',').map(|part| {
            let part = part.trim();
            range(part).ok_or_else(|| ExpectedStatusError(part.chars().take(50).collect()))
        });
        ranges.collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for ExpectedStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match (range.start(), range.end()) {
                (start, end) if start == end => write!(f, "{comma}{start}")?,
                (start, end) => write!(f, "{comma}{start}-{end}")?,
            }
        }
        Ok(())
    }
}

fn range(text: &str) -> Option<RangeInclusive<u16>> {
    if let Some(class) = text.strip_suffix("xx") {
        let class = status(&format!("{class}00"))?;
        return Some(class..=class + 99);
    }
    let (start, end) = text.split_once('-').unwrap_or((text, text));
    let (start, end) = (status(start)?, status(end)?);
    (start <= end).then_some(start..=end)
}

fn status(text: &str) -> Option<u16> {
    let digits = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    let status = digits.then(|| text.parse().ok()).flatten()?;
    (100..=599).contains(&status).then_some(status)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn statuses_classes_and_ranges_are_read() {
        for (text, good, bad) in [
            ("200", &[200][..], &[201, 199][..]),
            ("2xx,3xx", &[200, 299, 300, 399], &[199, 400]),
            ("200-204, 404", &[200, 204, 404], &[205, 403]),
        ] {
            let expected: ExpectedStatus = text.parse().unwrap();
            assert!(good.iter().all(|status| expected.holds(*status)), "{text}");
            assert!(!bad.iter().any(|status| expected.holds(*status)), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "", "2x", "20", "600", "099", "204-200", "200,", "6xx", "+20", "200-", "xx",
        ] {
            assert!(text.parse::<ExpectedStatus>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_the_same(text in "[0-9x,-]{0,12}") {
            if let Ok(expected) = text.parse::<ExpectedStatus>() {
                prop_assert_eq!(expected.to_string().parse::<ExpectedStatus>().unwrap(), expected);
            }
        }
    }
}
