//! Versions and their ranges, as the Masterminds library that Helm uses reads them.
//!
//! It is laxer than the specification (`v1.2`, `1`, leading zeros) and its ranges have rules of their own (`1.x`, `~>1`,
//! `1.2 - 2.0`, `>=1 <2 || 3`), so that the `semver` crate cannot stand in for it.

use std::cmp::Ordering;
use std::fmt;

const LONGEST_VERSION: usize = 256;
const LONGEST_CONSTRAINT: usize = 512;
const MOST_GROUPS: usize = 32;
/// Longer ones first.
const OPERATORS: [&str; 11] = ["!=", ">=", "=>", "<=", "=<", "~>", "=", ">", "<", "~", "^"];

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

/// A version's text taken apart: what both versions and ranges begin with. Numbers may be `x`, `X` and `*` here.
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
        byte.is_ascii_digit() || matches!(byte, b'x' | b'X' | b'*')
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

/// A range of versions: alternatives (`||`) of conditions that must all hold.
///
/// ```
/// use stagelink_helm::semver::{Constraints, Version};
/// let range = Constraints::parse(">=1.25-0 <2 || 3.x")?;
/// assert!(range.check(&Version::parse("v1.36.0-gke.1")?));
/// assert!(!range.check(&Version::parse("2.0.0")?));
/// # Ok::<(), stagelink_helm::semver::SemverError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Constraints {
    groups: Vec<Vec<Constraint>>,
}

#[derive(Clone, Debug)]
struct Constraint {
    operator: &'static str,
    version: Version,
    /// Some number is missing or `x`.
    dirty: bool,
    minor_dirty: bool,
    patch_dirty: bool,
}

impl Constraints {
    /// Reads a range.
    ///
    /// # Errors
    /// Not a range; the empty text is none.
    pub fn parse(text: &str) -> Result<Self, SemverError> {
        if text.len() > LONGEST_CONSTRAINT {
            return Err(SemverError::ConstraintTooLong);
        }
        let text = rewrite_hyphens(text);
        let groups: Vec<&str> = text.split("||").collect();
        if groups.len() > MOST_GROUPS {
            return Err(SemverError::TooManyGroups);
        }
        let groups = groups
            .into_iter()
            .map(parse_group)
            .collect::<Result<_, _>>()?;
        Ok(Self { groups })
    }

    /// Whether a version is in the range. A pre-release is only in an alternative that names a pre-release itself.
    pub fn check(&self, version: &Version) -> bool {
        self.groups.iter().any(|group| {
            let prereleases = group
                .iter()
                .any(|constraint| !constraint.version.prerelease.is_empty());
            (version.prerelease.is_empty() || prereleases)
                && group.iter().all(|constraint| constraint.check(version))
        })
    }
}

const SPACE: [char; 5] = [' ', '\t', '\n', '\x0c', '\r'];

/// `1.2 - 2.0` is `>= 1.2, <= 2.0`.
fn rewrite_hyphens(text: &str) -> String {
    let mut written = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while !rest.is_empty() {
        let at_start = written
            .chars()
            .last()
            .is_none_or(|last| !last.is_ascii_alphanumeric() && last != '.');
        if at_start && let Some((low, high, length)) = hyphen_range(rest) {
            written.push_str(&format!(">= {low}, <= {high} "));
            rest = &rest[length..];
            continue;
        }
        let mut letters = rest.chars();
        written.extend(letters.next());
        rest = letters.as_str();
    }
    written
}

fn hyphen_range(text: &str) -> Option<(&str, &str, usize)> {
    let low = &text[..Parts::scan(text)?.length];
    let after = &text[low.len()..];
    let dash = after.trim_start_matches(SPACE).strip_prefix('-')?;
    let start = dash.trim_start_matches(SPACE);
    if !after.starts_with(SPACE) || !dash.starts_with(SPACE) {
        return None;
    }
    let high = &start[..Parts::scan(start)?.length];
    Some((low, high, text.len() - start[high.len()..].len()))
}

fn parse_group(text: &str) -> Result<Vec<Constraint>, SemverError> {
    let improper = || SemverError::ImproperConstraint(text.to_owned());
    let mut constraints = Vec::new();
    let mut rest = text.trim_start_matches(SPACE);
    loop {
        let operator = OPERATORS
            .into_iter()
            .find(|operator| rest.starts_with(operator))
            .unwrap_or("");
        rest = rest[operator.len()..].trim_start_matches(SPACE);
        let parts = Parts::scan(rest).ok_or_else(improper)?;
        constraints.push(Constraint::new(operator, &parts)?);
        let after = &rest[parts.length..];
        rest = after.trim_start_matches(SPACE);
        if rest.is_empty() {
            return Ok(constraints);
        }
        match rest.strip_prefix(',') {
            Some(next) => rest = next.trim_start_matches(SPACE),
            None if after.starts_with(SPACE) => {}
            None => return Err(improper()),
        }
    }
}

impl Constraint {
    fn new(operator: &'static str, parts: &Parts<'_>) -> Result<Self, SemverError> {
        let given = |index: usize| {
            parts
                .numbers
                .get(index)
                .filter(|number| !matches!(**number, "x" | "X" | "*"))
        };
        let (major, minor, patch) = (given(0), given(1), given(2));
        let minor_dirty = major.is_some() && minor.is_none();
        let patch_dirty = major.is_some() && minor.is_some() && patch.is_none();
        let number = |part: Option<&&str>| part.map_or("0", |part| *part).to_owned();
        let (minor, patch) = if major.is_none() {
            (None, None)
        } else {
            (minor, minor.and(patch))
        };
        let mut text = format!("{}.{}.{}", number(major), number(minor), number(patch));
        if !parts.prerelease.is_empty() {
            text.push('-');
            text.push_str(parts.prerelease);
        }
        let version = Version::parse(&text).map_err(|_| SemverError::ConstraintParser)?;
        Ok(Self {
            operator,
            version,
            dirty: major.is_none() || minor_dirty || patch_dirty,
            minor_dirty,
            patch_dirty,
        })
    }

    fn check(&self, version: &Version) -> bool {
        let limit = &self.version;
        match self.operator {
            "!=" => self.differs(version),
            ">" if !self.dirty => version > limit,
            ">" => match version.major.cmp(&limit.major) {
                Ordering::Greater => true,
                Ordering::Less => false,
                Ordering::Equal if self.minor_dirty => false,
                Ordering::Equal if self.patch_dirty => version.minor > limit.minor,
                Ordering::Equal => version > limit,
            },
            "<" => version < limit,
            ">=" | "=>" => version >= limit,
            "<=" | "=<" if !self.dirty => version <= limit,
            "<=" | "=<" => {
                version.major < limit.major
                    || version.major == limit.major
                        && (version.minor <= limit.minor || self.minor_dirty)
            }
            "~" | "~>" => self.tilde(version),
            "^" => self.caret(version),
            _ if self.dirty => self.tilde(version),
            _ => version == limit,
        }
    }

    fn differs(&self, version: &Version) -> bool {
        let limit = &self.version;
        if !self.dirty {
            return version != limit;
        }
        if version.major != limit.major {
            return true;
        }
        if self.minor_dirty {
            return false;
        }
        if version.minor != limit.minor {
            return true;
        }
        if self.patch_dirty {
            return version.prerelease != limit.prerelease;
        }
        version.patch != limit.patch || version != limit
    }

    fn tilde(&self, version: &Version) -> bool {
        let limit = &self.version;
        if version < limit {
            return false;
        }
        // `*` and 0.0.0 take everything.
        let everything = (limit.major, limit.minor, limit.patch) == (0, 0, 0)
            && !self.minor_dirty
            && !self.patch_dirty;
        everything
            || version.major == limit.major && (version.minor == limit.minor || self.minor_dirty)
    }

    fn caret(&self, version: &Version) -> bool {
        let limit = &self.version;
        if version < limit {
            return false;
        }
        if limit.major > 0 || self.minor_dirty {
            return version.major == limit.major;
        }
        if version.major > 0 {
            return false;
        }
        if limit.minor > 0 || self.patch_dirty {
            return version.minor == limit.minor;
        }
        version.minor == 0 && version.patch == limit.patch
    }
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
        for text in ["", "foo", ">=", ">1<2", "1.2.3.4", ">= 1 ||"] {
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
