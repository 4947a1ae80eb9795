//! Go's regular expressions on top of the `regex` crate.
//!
//! Both are RE2's family with leftmost-first matching; what differs is spelling. A pattern is read by Go's grammar and written
//! anew: `\d \w \s \b` mean ASCII, `[\w-\.]` and `a{` are legal, `**` and `(?x)` are not.

mod translate;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use regex::bytes::{Captures, Regex, RegexBuilder};

use super::text::{self, decode_rune};
use translate::translate;

/// Compiled patterns that one thread keeps; a chart uses a handful.
const CACHE_LIMIT: usize = 256;

/// How large a compiled pattern may be, in bytes; `((a{100}){100}){100}` would be larger.
const MAXIMUM_SIZE: usize = 4 << 20;

/// A compiled pattern.
pub(crate) struct Pattern {
    regex: Regex,
    is_empty: bool,
}

impl Pattern {
    /// Compiles a pattern, or finds it among those compiled before.
    ///
    /// # Errors
    /// Go's `error parsing regexp: …`.
    pub(crate) fn compile(source: &[u8]) -> Result<Rc<Self>, String> {
        thread_local! {
            static CACHE: RefCell<HashMap<Vec<u8>, Rc<Pattern>>> = RefCell::new(HashMap::new());
        }
        CACHE.with_borrow_mut(|cache| {
            if let Some(pattern) = cache.get(source) {
                return Ok(Rc::clone(pattern));
            }
            let translated =
                translate(source).map_err(|fault| format!("error parsing regexp: {fault}"))?;
            let regex = RegexBuilder::new(&translated)
                .size_limit(MAXIMUM_SIZE)
                .dfa_size_limit(MAXIMUM_SIZE)
                .build()
                .map_err(|error| {
                    format!("error parsing regexp: {}", last_line(&error.to_string()))
                })?;
            let pattern = Rc::new(Self {
                regex,
                is_empty: source.is_empty(),
            });
            if cache.len() >= CACHE_LIMIT {
                cache.clear();
            }
            cache.insert(source.to_vec(), Rc::clone(&pattern));
            Ok(pattern)
        })
    }

    /// `MatchString`.
    pub(crate) fn is_match(&self, source: &[u8]) -> bool {
        self.regex.is_match(source)
    }

    /// `FindString`: the first match, or nothing.
    pub(crate) fn find<'a>(&self, source: &'a [u8]) -> &'a [u8] {
        self.regex
            .find(source)
            .map_or(b"", |found| found.as_bytes())
    }

    /// Every match in Go's order: an empty match directly after another one does not count. `limit` < 0 means all.
    fn each<'a>(
        &self,
        source: &'a [u8],
        limit: i64,
        mut deliver: impl FnMut(&Captures<'a>, usize, usize),
    ) {
        let mut at = 0;
        let mut previous_end = None;
        let mut count = 0;
        while at <= source.len() && (limit < 0 || count < limit) {
            let Some(captures) = self.regex.captures_at(source, at) else {
                break;
            };
            let Some(whole) = captures.get(0) else { break };
            let (start, end) = (whole.start(), whole.end());
            let mut accept = true;
            if end == at {
                accept = previous_end != Some(start);
                let (_, width) = decode_rune(&source[at..]);
                at = if width > 0 {
                    at + width
                } else {
                    source.len() + 1
                };
            } else {
                at = end;
            }
            previous_end = Some(end);
            if accept {
                deliver(&captures, start, end);
                count += 1;
            }
        }
    }

    /// `FindAllString`; nothing when `limit` is zero.
    pub(crate) fn find_all<'a>(&self, source: &'a [u8], limit: i64) -> Vec<&'a [u8]> {
        let mut found = Vec::new();
        self.each(source, limit, |_, start, end| {
            found.push(&source[start..end])
        });
        found
    }

    /// `ReplaceAllString`, or `ReplaceAllLiteralString` when `$1` in the replacement means nothing.
    ///
    /// Nothing when the result would be larger than `limit` bytes.
    pub(crate) fn replace_all(
        &self,
        source: &[u8],
        replacement: &[u8],
        literal: bool,
        limit: usize,
    ) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(source.len());
        let mut copied = 0;
        self.each(source, -1, |captures, start, end| {
            if out.len() > limit {
                return;
            }
            out.extend_from_slice(&source[copied..start]);
            if literal {
                out.extend_from_slice(replacement);
            } else {
                expand(captures, replacement, &mut out);
            }
            copied = end;
        });
        out.extend_from_slice(&source[copied..]);
        (out.len() <= limit).then_some(out)
    }

    /// `Split`.
    pub(crate) fn split<'a>(&self, source: &'a [u8], limit: i64) -> Vec<&'a [u8]> {
        if limit == 0 {
            return Vec::new();
        }
        if !self.is_empty && source.is_empty() {
            return vec![b""];
        }
        let mut parts = Vec::new();
        let (mut begin, mut last) = (0, 0);
        self.each(source, limit, |_, start, end| {
            if limit > 0 && parts.len() as i64 == limit - 1 {
                return;
            }
            last = start;
            if end != 0 {
                parts.push(&source[begin..start]);
            }
            begin = end;
        });
        if last != source.len() {
            parts.push(&source[begin..]);
        }
        parts
    }
}

fn last_line(message: &str) -> &str {
    message.lines().last().unwrap_or_default().trim()
}

/// `Regexp.Expand`: `$1`, `${name}`, `$$`; the longest name counts, so `$1x` is the group `1x`.
fn expand(captures: &Captures<'_>, template: &[u8], out: &mut Vec<u8>) {
    let mut rest = template;
    while let Some(at) = text::find(rest, b"$") {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        if let [b'$', tail @ ..] = rest {
            out.push(b'$');
            rest = tail;
            continue;
        }
        let Some((name, tail)) = group_name(rest) else {
            out.push(b'$');
            continue;
        };
        rest = tail;
        let has_leading_zero = name.len() > 1 && name.starts_with('0');
        let group = match name.parse::<usize>() {
            Ok(index) if !has_leading_zero => captures.get(index),
            _ => captures.name(name),
        };
        if let Some(group) = group {
            out.extend_from_slice(group.as_bytes());
        }
    }
    out.extend_from_slice(rest);
}

fn group_name(rest: &[u8]) -> Option<(&str, &[u8])> {
    let (braced, body) = match rest {
        [b'{', body @ ..] => (true, body),
        body => (false, body),
    };
    let mut length = 0;
    while length < body.len() {
        let (rune, size) = decode_rune(&body[length..]);
        if !(text::is_letter(rune) || text::is_digit(rune) || rune == '_') {
            break;
        }
        length += size;
    }
    if length == 0 || braced && body.get(length) != Some(&b'}') {
        return None;
    }
    let name = std::str::from_utf8(&body[..length]).ok()?;
    Some((name, &body[length + usize::from(braced)..]))
}

/// `regexp.QuoteMeta`.
pub(crate) fn quote_meta(source: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(source.len());
    for &byte in source {
        if br"\.+*?()|[]{}^$".contains(&byte) {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_go_match() {
        for (pattern, source, expected) in [
            (r"[\w-\.]+", "a-b.c", "a-b.c"),
            (r"\d+", "x٣42", "42"),
            (r"[[:alpha:]]+", "12ab", "ab"),
            (r"\Qa.b\E+", "a.bb", "a.bb"),
            (r"a{,2}", "a{,2}", "a{,2}"),
            (r"a{2}", "aaa", "aa"),
            (r"[a&&b]+", "&&", "&&"),
            (r"[]a]+", "]a", "]a"),
            (r"(?i)ABC", "xabc", "abc"),
            (r"\x41\x{42}\103", "ABC", "ABC"),
            (r"\p{Greek}+", "abγδ", "γδ"),
            (r"^v?(\d+)\.(\d+)", "v1.28.3", "v1.28"),
            (r"[^\s/]+$", "a/b c", "c"),
            (r"\-\_\/", "-_/", "-_/"),
        ] {
            let compiled = Pattern::compile(pattern.as_bytes()).unwrap();
            assert_eq!(
                String::from_utf8_lossy(compiled.find(source.as_bytes())),
                expected,
                "{pattern}"
            );
        }
    }

    #[test]
    fn refuses_with_the_words_of_go() {
        for (pattern, message) in [
            ("(", "missing closing ): `(`"),
            ("a)", "unexpected ): `a)`"),
            ("[a", "missing closing ]: `[a`"),
            ("*a", "missing argument to repetition operator: `*`"),
            ("a**", "invalid nested repetition operator: `**`"),
            ("[z-a]", "invalid character class range: `z-a`"),
            (r"\8", r"invalid escape sequence: `\8`"),
            ("a\\", "trailing backslash at end of expression: ``"),
            ("a{1001}", "invalid repeat count: `{1001}`"),
            ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
            (r"\p{Nope}", r"invalid character class range: `\p{Nope}`"),
        ] {
            let fault = Pattern::compile(pattern.as_bytes()).err();
            assert_eq!(
                fault,
                Some(format!("error parsing regexp: {message}")),
                "{pattern}"
            );
        }
    }

    #[test]
    fn replaces_as_go_does() {
        for (pattern, source, replacement, expected) in [
            ("a(x*)b", "-ab-axxb-", "${1}W", "-W-xxW-"),
            ("a(x*)b", "-ab-axxb-", "$1W", "---"),
            ("x*", "abxc", "-", "-a-b-c-"),
            ("b", "abc", "$$", "a$c"),
            ("b", "abc", "${", "a${c"),
            ("", "é", "-", "-é-"),
        ] {
            let compiled = Pattern::compile(pattern.as_bytes()).unwrap();
            let replaced = compiled
                .replace_all(source.as_bytes(), replacement.as_bytes(), false, 100)
                .unwrap();
            assert_eq!(
                String::from_utf8_lossy(&replaced),
                expected,
                "{pattern} {source} {replacement}"
            );
        }
    }

    #[test]
    fn splits_and_finds_all() {
        let comma = Pattern::compile(b"z+").unwrap();
        assert_eq!(comma.split(b"pizza", -1), [b"pi".as_slice(), b"a"]);
        assert_eq!(comma.split(b"pizza", 1), [b"pizza".as_slice()]);
        assert_eq!(comma.split(b"", -1), [b"".as_slice()]);
        assert!(comma.split(b"pizza", 0).is_empty());
        let even = Pattern::compile(b"[2,4,6,8]").unwrap();
        assert_eq!(even.find_all(b"123456789", 2), [b"2".as_slice(), b"4"]);
        assert_eq!(quote_meta(b"1.2[3]"), br"1\.2\[3\]");
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_translated_compiles_or_is_refused(source in r"[a-c\\\[\](){}|*+?.^$:<>=!PQEpdswbB,0-9-]{0,24}", text in "[a-c0-9]{0,12}") {
            if let Ok(translated) = translate::translate(source.as_bytes()) {
                let compiled = Pattern::compile(source.as_bytes());
                assert!(compiled.is_ok() || translated.len() > 4, "{source:?} {translated:?}");
                if let Ok(pattern) = compiled {
                    let replaced = pattern.replace_all(text.as_bytes(), b"$0", false, 1000);
                    assert_eq!(replaced.as_deref(), Some(text.as_bytes()), "{source:?}");
                }
            }
        }
    }
}
