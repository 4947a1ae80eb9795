//! Which key of a values file: dotted paths.

use std::fmt;
use std::str::FromStr;

/// The most segments that a path may have.
const MAX_DEPTH: usize = 32;

/// The largest index into a list; a values file that needs more is not edited by a promotion.
const MAX_INDEX: usize = 9_999;

/// The way to one value: `serviceVersion`, `image.tag`, `"app.kubernetes.io/name".version`,
/// `containers[0].tag`, `a\.b`.
///
/// Segments are separated by dots. A segment in single or double quotes is taken as it is; outside
/// of quotes a backslash takes the next character as it is, as in Helm's `--set`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyPath(Vec<Segment>);

/// One step of a [`KeyPath`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Segment {
    /// A key of a map.
    Key(String),
    /// A place in a list, from 0.
    Index(usize),
}

/// Why a text is not a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyPathError {
    /// Nothing between two dots, or nothing at all.
    #[error("an empty segment; write it as \"\" if the key is really empty")]
    EmptySegment,
    /// A quote is never closed.
    #[error("a quote that is not closed")]
    OpenQuote,
    /// Something follows a closing quote or bracket that is neither a dot nor a bracket.
    #[error("after a closing quote or bracket only `.` or `[` can follow")]
    AfterClosing,
    /// `[…]` without a number from 0 to 9999.
    #[error("`[…]` needs a number from 0 to {MAX_INDEX}")]
    Index,
    /// Too deep.
    #[error("more than {MAX_DEPTH} segments")]
    TooDeep,
}

impl KeyPath {
    /// The steps, never none.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// A path from steps; `None` if there are none or too many.
    pub fn from_segments(segments: Vec<Segment>) -> Option<Self> {
        (!segments.is_empty() && segments.len() <= MAX_DEPTH).then_some(Self(segments))
    }

    /// This path with one more key; `None` if it would be too deep.
    pub fn child(&self, key: &str) -> Option<Self> {
        let mut segments = self.0.clone();
        segments.push(Segment::Key(key.to_owned()));
        Self::from_segments(segments)
    }
}

impl FromStr for KeyPath {
    type Err = KeyPathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut segments = Vec::new();
        let mut rest = text;
        loop {
            let (segment, after) = key_segment(rest)?;
            segments.push(Segment::Key(segment));
            rest = after;
            while let Some(after) = rest.strip_prefix('[') {
                let (digits, after) = after.split_once(']').ok_or(KeyPathError::Index)?;
                let index = digits
                    .bytes()
                    .all(|digit| digit.is_ascii_digit())
                    .then(|| digits.parse().ok())
                    .flatten()
                    .filter(|index| *index <= MAX_INDEX)
                    .ok_or(KeyPathError::Index)?;
                segments.push(Segment::Index(index));
                rest = after;
            }
            if segments.len() > MAX_DEPTH {
                return Err(KeyPathError::TooDeep);
            }
            match rest.strip_prefix('.') {
                Some(after) => rest = after,
                None if rest.is_empty() => return Ok(Self(segments)),
                None => return Err(KeyPathError::AfterClosing),
            }
        }
    }
}

/// Reads one key from the start of `text`; gives it and what follows.
fn key_segment(text: &str) -> Result<(String, &str), KeyPathError> {
    if let Some(quote @ ('"' | '\'')) = text.chars().next() {
        let (key, after) = text[1..].split_once(quote).ok_or(KeyPathError::OpenQuote)?;
        return Ok((key.to_owned(), after));
    }
    let mut key = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '.' | '[' => {
                if key.is_empty() {
                    return Err(KeyPathError::EmptySegment);
                }
                return Ok((key, &text[at..]));
            }
            '\\' => key.extend(characters.next().map(|(_, escaped)| escaped)),
            other => key.push(other),
        }
    }
    if key.is_empty() {
        return Err(KeyPathError::EmptySegment);
    }
    Ok((key, ""))
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) => {
                    if at > 0 {
                        f.write_str(".")?;
                    }
                    let plain = !key.is_empty()
                        && !key.starts_with(['"', '\''])
                        && !key.contains(['.', '[', '\\', '=']);
                    match (plain, key.contains('"')) {
                        (true, _) => f.write_str(key)?,
                        (false, false) => write!(f, "\"{key}\"")?,
                        (false, true) => escape(key, f)?,
                    }
                }
            }
        }
        Ok(())
    }
}

/// Writes a key with a backslash before what would mean something.
fn escape(key: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for character in key.chars() {
        if matches!(character, '.' | '[' | '\\' | '=' | '"' | '\'') {
            f.write_str("\\")?;
        }
        write!(f, "{character}")?;
    }
    Ok(())
}

/// Which value goes where: `serviceVersion`, or `backend.tag=services.backend.version` when the two
/// files name it differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyMapping {
    /// The key in the source stage's file.
    pub source: KeyPath,
    /// The key in the target stage's file.
    pub target: KeyPath,
}

impl FromStr for KeyMapping {
    type Err = KeyPathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (source, target) = match equals_sign(text) {
            Some(at) => (&text[..at], &text[at + 1..]),
            None => (text, text),
        };
        Ok(Self {
            source: source.parse()?,
            target: target.parse()?,
        })
    }
}

/// Where the `=` is that stands outside of quotes and is not escaped.
fn equals_sign(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut segment_start = true;
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match (quote, character) {
            _ if escaped => escaped = false,
            (Some(open), _) if character == open => quote = None,
            (Some(_), _) => {}
            (None, '\\') => escaped = true,
            (None, '=') => return Some(at),
            (None, '"' | '\'') if segment_start => quote = Some(character),
            _ => {}
        }
        segment_start = character == '.' && quote.is_none();
    }
    None
}

impl fmt::Display for KeyMapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.source == self.target {
            write!(f, "{}", self.source)
        } else {
            write!(f, "{}={}", self.source, self.target)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys(keys: &[&str]) -> Vec<Segment> {
        keys.iter().map(|key| Segment::Key((*key).into())).collect()
    }

    #[test]
    fn paths_are_read() {
        for (text, expected) in [
            ("serviceVersion", keys(&["serviceVersion"])),
            ("image.tag", keys(&["image", "tag"])),
            (r#""a.b".c"#, keys(&["a.b", "c"])),
            (r"'a.b'.c", keys(&["a.b", "c"])),
            (r"a\.b.c", keys(&["a.b", "c"])),
            (r#""""#, keys(&[""])),
            ("it's", keys(&["it's"])),
            ("größe", keys(&["größe"])),
        ] {
            assert_eq!(
                text.parse::<KeyPath>().unwrap().segments(),
                expected,
                "{text}"
            );
        }
        let listed: KeyPath = "a[0][12].b".parse().unwrap();
        assert_eq!(listed.segments()[2], Segment::Index(12));
    }

    #[test]
    fn what_is_no_path_is_refused() {
        use KeyPathError::{AfterClosing, EmptySegment, Index, OpenQuote, TooDeep};
        let deep = vec!["a"; 33].join(".");
        for (text, error) in [
            ("", EmptySegment),
            ("a..b", EmptySegment),
            (".a", EmptySegment),
            ("a.", EmptySegment),
            ("[0]", EmptySegment),
            ("\"a", OpenQuote),
            ("\"a\"b", AfterClosing),
            ("a[0]b", AfterClosing),
            ("a[", Index),
            ("a[]", Index),
            ("a[-1]", Index),
            ("a[+1]", Index),
            ("a[10000]", Index),
            ("a[99999999999999999999]", Index),
            (deep.as_str(), TooDeep),
        ] {
            assert_eq!(text.parse::<KeyPath>(), Err(error), "{text}");
        }
    }

    #[test]
    fn a_mapping_names_the_target_after_an_equals_sign() {
        let same: KeyMapping = "image.tag".parse().unwrap();
        assert_eq!(same.source, same.target);
        let other: KeyMapping = r#""a=b".c=d\=e"#.parse().unwrap();
        assert_eq!(other.source.segments(), keys(&["a=b", "c"]));
        assert_eq!(other.target.segments(), keys(&["d=e"]));
        assert_eq!("a=".parse::<KeyMapping>(), Err(KeyPathError::EmptySegment));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,60}") {
            let _ = text.parse::<KeyMapping>();
        }

        #[test]
        fn a_path_that_is_shown_is_the_same_path(
            segments in prop::collection::vec("[a-z.=\\[\\\\\"'ä ]{0,6}", 1..5)
        ) {
            let path = KeyPath::from_segments(
                segments.into_iter().map(Segment::Key).collect()
            ).unwrap();
            prop_assert_eq!(path.to_string().parse::<KeyPath>().unwrap(), path);
        }
    }
}
