//! Ranges of versions.

use super::{Parts, SemverError, Version};
use std::cmp::Ordering;

const LONGEST_CONSTRAINT: usize = 512;
const MOST_GROUPS: usize = 32;
/// Longer ones first.
const OPERATORS: [&str; 11] = ["!=", ">=", "=>", "<=", "=<", "~>", "=", ">", "<", "~", "^"];

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
    let (mut rest, mut done) = (text, 0);
    while !rest.is_empty() {
        let at_start = written
            .chars()
            .last()
            .is_none_or(|last| !last.is_ascii_alphanumeric() && last != '.');
        if at_start && let Some((low, high, length)) = hyphen_range(rest) {
            // Masterminds swallows the space in front, so that `>1 2 - 3` is no range.
            written.truncate(written.trim_end_matches(SPACE).len().max(done));
            written.push_str(&format!(">= {low}, <= {high} "));
            rest = rest[length..].trim_start_matches(SPACE);
            done = written.len();
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
        let after = &rest[parts.length..];
        constraints.push((operator, parts));
        rest = after.trim_start_matches(SPACE);
        if rest.is_empty() {
            return constraints
                .iter()
                .map(|(operator, parts)| Constraint::new(operator, parts))
                .collect();
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
