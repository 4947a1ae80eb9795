//! Versions and their ranges, as the Masterminds library that Helm uses reads them.
//!
//! It is laxer than the specification (`v1.2`, `1`, leading zeros) and its ranges have rules of their own (`1.x`, `~>1`,
//! `1.2 - 2.0`, `>=1 <2 || 3`), so that the `semver` crate cannot stand in for it.

mod range;

pub use range::Constraints;

use std::cmp::Ordering;
use std::fmt;

const LONGEST_VERSION: usize = 256;

/// Why a text is no version or no range; the texts are Masterminds'.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SemverError {
    /// Not even nearly a version.
    #[error("invalid semantic version")]
    Invalid,
    /// A number beyond 64 bits.
    #[error(
        "error parsing version segment: strconv.ParseUint: parsing \"{0}\": value out of range"
    )]
    TooLarge(String),
    /// A part of the pre-release is a number that starts with 0.
    #[error("version segment starts with 0")]
    SegmentStartsWithZero,
    /// Over 256 bytes.
    #[error("version string is too long (max 256 bytes)")]
    TooLong,
    /// Not a range.
    #[error("improper constraint: {0:?}")]
    ImproperConstraint(String),
    /// Nearly a range.
    #[error("constraint parser error")]
    ConstraintParser,
    /// Over 512 bytes.
    #[error("constraint string is too long (max 512 bytes)")]
    ConstraintTooLong,
    /// Over 32 alternatives.
    #[error("too many constraint groups (max 32)")]
    TooManyGroups,
}

/// A version.
///
/// ```
/// use stagelink_helm::semver::Version;
/// let version = Version::parse("v1.2")?;
/// assert_eq!((version.to_string().as_str(), version.original.as_str()), ("1.2.0", "v1.2"));
/// assert!(Version::parse("1.2.0-rc.1")? < version);
/// # Ok::<(), stagelink_helm::semver::SemverError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Version {
    /// First number.
    pub major: u64,
    /// Second number; 0 if not given.
    pub minor: u64,
    /// Third number; 0 if not given.
    pub patch: u64,
    /// What follows `-`, else empty.
    pub prerelease: String,
    /// What follows `+`, else empty. Not compared.
    pub metadata: String,
    /// The text as given.
    pub original: String,
}

impl Version {
    /// Reads a version, completing what is missing.
    ///
    /// # Errors
    /// Not a version.
    pub fn parse(text: &str) -> Result<Self, SemverError> {
        if text.len() > LONGEST_VERSION {
            return Err(SemverError::TooLong);
        }
        let is_number =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let parts = Parts::scan(text)
            .filter(|parts| parts.length == text.len())
            .ok_or(SemverError::Invalid)?;
        let mut numbers = [0; 3];
        for (number, part) in numbers.iter_mut().zip(&parts.numbers) {
            if !is_number(part) {
                return Err(SemverError::Invalid);
            }
            *number = part
                .parse()
                .map_err(|_| SemverError::TooLarge((*part).to_owned()))?;
        }
        let starts_with_zero =
            |part: &str| is_number(part) && part.len() > 1 && part.starts_with('0');
        if parts.prerelease.split('.').any(starts_with_zero) {
            return Err(SemverError::SegmentStartsWithZero);
        }
        let [major, minor, patch] = numbers;
        let (prerelease, metadata) = (parts.prerelease.to_owned(), parts.metadata.to_owned());
        Ok(Self {
            major,
            minor,
            patch,
            prerelease,
            metadata,
            original: text.to_owned(),
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.major, self.minor, self.patch)?;
        for (mark, part) in [('-', &self.prerelease), ('+', &self.metadata)] {
            if !part.is_empty() {
                write!(formatter, "{mark}{part}")?;
            }
        }
        Ok(())
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let numbers = |version: &Self| (version.major, version.minor, version.patch);
        numbers(self).cmp(&numbers(other)).then_with(|| {
            match (self.prerelease.is_empty(), other.prerelease.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => compare_prerelease(&self.prerelease, &other.prerelease),
            }
        })
    }
}

fn compare_prerelease(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.split('.'), right.split('.'));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(left), Some(right)) => match (left.parse::<u64>(), right.parse::<u64>()) {
                (Ok(left), Ok(right)) => left.cmp(&right),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => left.cmp(right),
            },
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// A version's text taken apart: what both versions and ranges begin with. Numbers may be `x`, `X` and `*` here
/// (and have `|` in them, which is a slip in Masterminds' pattern that decides which of two errors is reported).
struct Parts<'text> {
    numbers: Vec<&'text str>,
    prerelease: &'text str,
    metadata: &'text str,
    length: usize,
}

impl<'text> Parts<'text> {
    fn scan(text: &'text str) -> Option<Self> {
        let mut rest = text.strip_prefix('v').unwrap_or(text);
        let mut numbers = vec![take_number(&mut rest)?];
        while numbers.len() < 3 {
            let Some(mut after) = rest.strip_prefix('.') else {
                break;
            };
            let Some(number) = take_number(&mut after) else {
                break;
            };
            numbers.push(number);
            rest = after;
        }
        let prerelease = take_identifiers(&mut rest, '-');
        let metadata = take_identifiers(&mut rest, '+');
        Some(Self {
            numbers,
            prerelease,
            metadata,
            length: text.len() - rest.len(),
        })
    }
}

fn take_while<'text>(rest: &mut &'text str, accept: impl Fn(u8) -> bool) -> &'text str {
    let length = rest.bytes().take_while(|byte| accept(*byte)).count();
    let (taken, after) = rest.split_at(length);
    *rest = after;
    taken
}

fn take_number<'text>(rest: &mut &'text str) -> Option<&'text str> {
    let number = take_while(rest, |byte| {
        byte.is_ascii_digit() || matches!(byte, b'x' | b'X' | b'*' | b'|')
    });
    (!number.is_empty()).then_some(number)
}

/// Identifiers with dots between them behind a mark; nothing is taken when there is none.
fn take_identifiers<'text>(rest: &mut &'text str, mark: char) -> &'text str {
    let Some(start) = rest.strip_prefix(mark) else {
        return "";
    };
    let mut after = start;
    let identifier = |rest: &mut &'text str| {
        take_while(rest, |byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if identifier(&mut after).is_empty() {
        return "";
    }
    while let Some(mut next) = after.strip_prefix('.') {
        if identifier(&mut next).is_empty() {
            break;
        }
        after = next;
    }
    *rest = after;
    &start[..start.len() - after.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn versions_are_read_loosely() {
        for (text, read) in [
            ("1", "1.0.0"),
            ("v1.2", "1.2.0"),
            ("01.02.03", "1.2.3"),
            ("1.2.3-rc.1+build.5", "1.2.3-rc.1+build.5"),
            ("1-alpha", "1.0.0-alpha"),
        ] {
            assert_eq!(
                Version::parse(text).map(|version| version.to_string()),
                Ok(read.into())
            );
        }
        for text in [
            "",
            "x",
            "1.2.3.4",
            "1.2.3-",
            "1.2.3-01",
            "latest",
            "1.2 ",
            "99999999999999999999",
        ] {
            assert!(Version::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ranges() {
        for (range, inside, outside) in [
            ("1.2.3", vec!["1.2.3", "1.2.3+x"], vec!["1.2.4", "1.2.3-rc"]),
            ("*", vec!["0.0.1", "9.9.9"], vec!["1.0.0-a"]),
            ("x", vec!["1.0.0"], vec![]),
            ("1.x", vec!["1.0.0", "1.9.9"], vec!["2.0.0"]),
            ("1", vec!["1.0.0", "1.9.9"], vec!["2.0.0"]),
            ("1.2", vec!["1.2.9"], vec!["1.3.0"]),
            ("~1.2.3", vec!["1.2.3", "1.2.9"], vec!["1.2.2", "1.3.0"]),
            ("~>1", vec!["1.9.0"], vec!["2.0.0"]),
            ("^1.2.3", vec!["1.9.0"], vec!["1.2.2", "2.0.0"]),
            ("^0.2.3", vec!["0.2.9"], vec!["0.3.0"]),
            ("^0.0.3", vec!["0.0.3"], vec!["0.0.4"]),
            ("^0", vec!["0.9.0"], vec!["1.0.0"]),
            (">11", vec!["12.0.0"], vec!["11.1.0", "11.0.0"]),
            (">11.1", vec!["11.2.1"], vec!["11.1.1"]),
            ("<=11.1", vec!["11.1.9"], vec!["11.2.0"]),
            ("!=1.2", vec!["1.3.0"], vec!["1.2.7"]),
            ("1.2 - 2.0", vec!["1.2.0", "2.0.0", "2.0.9"], vec!["2.1.0"]),
            (">=1.2, <2", vec!["1.9.0"], vec!["2.0.0"]),
            (">=1.2 <2 || >= 3", vec!["1.9.0", "3.1.0"], vec!["2.0.0"]),
            (">=1.25.0-0", vec!["1.25.0", "1.26.0-eks.1"], vec!["1.24.9"]),
            (">=1.25.0", vec!["1.26.0"], vec!["1.26.0-eks.1"]),
        ] {
            let range = Constraints::parse(range).expect(range);
            for version in &inside {
                assert!(
                    range.check(&Version::parse(version).expect(version)),
                    "{range:?} {version}"
                );
            }
            for version in &outside {
                assert!(
                    !range.check(&Version::parse(version).expect(version)),
                    "{range:?} {version}"
                );
            }
        }
        for text in ["", "foo", ">=", ">1<2", "1.2.3.4", ">= 1 ||", ">1 2 - 3"] {
            assert_eq!(
                Constraints::parse(text)
                    .map(|_| ())
                    .expect_err(text)
                    .to_string()
                    .split(':')
                    .next(),
                Some("improper constraint")
            );
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "\\PC{0,30}|[0-9xv.*<>=~^|, +-]{0,40}") {
            let (_, _) = (Version::parse(&text), Constraints::parse(&text));
        }

        #[test]
        fn a_version_is_in_its_own_range(major in 0_u64..99, minor in 0_u64..99, patch in 0_u64..99) {
            let version = Version::parse(&format!("{major}.{minor}.{patch}")).expect("version");
            for operator in ["", "=", ">=", "<=", "~", "^"] {
                let range = Constraints::parse(&format!("{operator}{version}")).expect("range");
                prop_assert!(range.check(&version));
            }
        }
    }
}
