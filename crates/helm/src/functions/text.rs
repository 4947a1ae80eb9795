//! Go's view of text: strings are bytes, characters are decoded one by one, case mapping is one to one.
//!
//! `unicode` and `strings` of Go's standard library in the few pieces that template functions need.

use std::sync::LazyLock;

use regex::Regex;

/// What Go puts in place of a byte that is not valid UTF-8.
pub(crate) const RUNE_ERROR: char = '\u{FFFD}';

/// The first character of `bytes` and its length, as `utf8.DecodeRune`: an invalid byte is [`RUNE_ERROR`] of length 1.
///
/// Empty input gives length 0.
pub(crate) fn decode_rune(bytes: &[u8]) -> (char, usize) {
    let Some(&first) = bytes.first() else {
        return (RUNE_ERROR, 0);
    };
    let length = match first {
        0x00..=0x7f => return (char::from(first), 1),
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return (RUNE_ERROR, 1),
    };
    match bytes.get(..length).map(std::str::from_utf8) {
        Some(Ok(text)) => text
            .chars()
            .next()
            .map_or((RUNE_ERROR, 1), |rune| (rune, length)),
        _ => (RUNE_ERROR, 1),
    }
}

/// The last character of `bytes` and its length, as `utf8.DecodeLastRune`.
fn decode_last_rune(bytes: &[u8]) -> (char, usize) {
    for length in 1..=bytes.len().min(4) {
        let (rune, size) = decode_rune(&bytes[bytes.len() - length..]);
        if size == length && (rune != RUNE_ERROR || length == 3) {
            return (rune, length);
        }
    }
    (RUNE_ERROR, bytes.len().min(1))
}

/// The characters of `bytes`, as Go's `range` over a string.
pub(crate) fn runes(bytes: &[u8]) -> Runes<'_> {
    Runes { rest: bytes }
}

/// See [`runes`].
pub(crate) struct Runes<'a> {
    rest: &'a [u8],
}

impl Iterator for Runes<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let (rune, size) = decode_rune(self.rest);
        if size == 0 {
            return None;
        }
        self.rest = &self.rest[size..];
        Some(rune)
    }
}

/// Appends one character.
pub(crate) fn push_rune(out: &mut Vec<u8>, rune: char) {
    let mut buffer = [0; 4];
    out.extend_from_slice(rune.encode_utf8(&mut buffer).as_bytes());
}

/// `strings.Map`: every character through `mapping`.
pub(crate) fn map_runes(bytes: &[u8], mut mapping: impl FnMut(char) -> char) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for rune in runes(bytes) {
        push_rune(&mut out, mapping(rune));
    }
    out
}

/// `strings.ToUpper`.
pub(crate) fn upper(bytes: &[u8]) -> Vec<u8> {
    if bytes.is_ascii() {
        bytes.to_ascii_uppercase()
    } else {
        map_runes(bytes, to_upper)
    }
}

/// `strings.ToLower`.
pub(crate) fn lower(bytes: &[u8]) -> Vec<u8> {
    if bytes.is_ascii() {
        bytes.to_ascii_lowercase()
    } else {
        map_runes(bytes, to_lower)
    }
}

/// `unicode.ToUpper`: the one-to-one mapping, so `ß` stays.
pub(crate) fn to_upper(rune: char) -> char {
    if rune.is_ascii() {
        return rune.to_ascii_uppercase();
    }
    // Characters whose full mapping is longer than one character but that have a simple one (Greek with iota subscript).
    let special = match u32::from(rune) {
        code @ (0x1f80..=0x1f87 | 0x1f90..=0x1f97 | 0x1fa0..=0x1fa7) => char::from_u32(code + 8),
        0x1fb3 => Some('\u{1fbc}'),
        0x1fc3 => Some('\u{1fcc}'),
        0x1ff3 => Some('\u{1ffc}'),
        _ => None,
    };
    special.unwrap_or_else(|| single(rune, rune.to_uppercase()))
}

/// `unicode.ToLower`: the one-to-one mapping.
pub(crate) fn to_lower(rune: char) -> char {
    match rune {
        '\u{130}' => 'i',
        _ if rune.is_ascii() => rune.to_ascii_lowercase(),
        _ => single(rune, rune.to_lowercase()),
    }
}

/// `unicode.ToTitle`: as upper case, but for digraphs and Georgian.
pub(crate) fn to_title(rune: char) -> char {
    match rune {
        '\u{1c4}'..='\u{1c6}' => '\u{1c5}',
        '\u{1c7}'..='\u{1c9}' => '\u{1c8}',
        '\u{1ca}'..='\u{1cc}' => '\u{1cb}',
        '\u{1f1}'..='\u{1f3}' => '\u{1f2}',
        '\u{10d0}'..='\u{10fa}' | '\u{10fd}'..='\u{10ff}' => rune,
        _ => to_upper(rune),
    }
}

fn single(rune: char, mut mapped: impl Iterator<Item = char>) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => rune,
    }
}

/// `unicode.IsSpace`.
pub(crate) fn is_space(rune: char) -> bool {
    rune.is_whitespace()
}

macro_rules! category {
    ($(#[$doc:meta] $name:ident, $ascii:expr, $class:literal;)*) => {
        $(#[$doc]
        pub(crate) fn $name(rune: char) -> bool {
            static CLASS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(concat!("^", $class, "$")).ok());
            if rune.is_ascii() {
                let ascii: fn(&char) -> bool = $ascii;
                return ascii(&rune);
            }
            let mut buffer = [0; 4];
            CLASS.as_ref().is_some_and(|class| class.is_match(rune.encode_utf8(&mut buffer)))
        })*
    };
}

category! {
    /// `unicode.IsUpper`: category Lu only, unlike Rust's property.
    is_upper, char::is_ascii_uppercase, r"\p{Lu}";
    /// `unicode.IsLower`: category Ll only.
    is_lower, char::is_ascii_lowercase, r"\p{Ll}";
    /// `unicode.IsTitle`: category Lt.
    is_title, |_| false, r"\p{Lt}";
    /// `unicode.IsLetter`.
    is_letter, char::is_ascii_alphabetic, r"\p{L}";
    /// `unicode.IsDigit`: category Nd.
    is_digit, char::is_ascii_digit, r"\p{Nd}";
    /// `unicode.IsNumber`: category N.
    is_number, char::is_ascii_digit, r"\p{N}";
    /// `unicode.IsPunct`: category P, so neither `$` nor `+`.
    is_punct, |rune| rune.is_ascii_punctuation() && !matches!(rune, '$' | '+' | '<' | '=' | '>' | '^' | '`' | '|' | '~'), r"\p{P}";
}

/// `strings.TrimFunc`.
pub(crate) fn trim_matches(bytes: &[u8], mut cut: impl FnMut(char) -> bool) -> &[u8] {
    let mut rest = bytes;
    while !rest.is_empty() {
        let (rune, size) = decode_rune(rest);
        if !cut(rune) {
            break;
        }
        rest = &rest[size..];
    }
    while !rest.is_empty() {
        let (rune, size) = decode_last_rune(rest);
        if !cut(rune) {
            break;
        }
        rest = &rest[..rest.len() - size];
    }
    rest
}

/// `strings.TrimSpace`.
pub(crate) fn trim_space(bytes: &[u8]) -> &[u8] {
    trim_matches(bytes, is_space)
}

/// The position of `needle` in `haystack`; an empty needle is at 0.
pub(crate) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    match needle {
        [] => Some(0),
        [byte] => haystack.iter().position(|candidate| candidate == byte),
        [byte, ..] => {
            let last = haystack.len().checked_sub(needle.len())?;
            let mut at = 0;
            while at <= last {
                at += haystack[at..=last]
                    .iter()
                    .position(|candidate| candidate == byte)?;
                if haystack[at..].starts_with(needle) {
                    return Some(at);
                }
                at += 1;
            }
            None
        }
    }
}

/// `strings.ReplaceAll`; an empty `old` matches before every character and at the end.
pub(crate) fn replace_all(source: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(source.len());
    let mut rest = source;
    if old.is_empty() {
        out.extend_from_slice(new);
        while !rest.is_empty() {
            let (_, size) = decode_rune(rest);
            out.extend_from_slice(&rest[..size]);
            out.extend_from_slice(new);
            rest = &rest[size..];
        }
        return out;
    }
    while let Some(at) = find(rest, old) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(new);
        rest = &rest[at + old.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// `strings.SplitN`: at most `limit` parts, all when it is negative, none when it is zero; an empty separator splits characters.
pub(crate) fn split<'a>(source: &'a [u8], separator: &[u8], limit: i64) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    if limit == 0 {
        return parts;
    }
    let full = |parts: &Vec<&[u8]>| limit > 0 && parts.len() as i64 >= limit - 1;
    let mut rest = source;
    if separator.is_empty() {
        while !rest.is_empty() && !full(&parts) {
            let (_, size) = decode_rune(rest);
            parts.push(&rest[..size]);
            rest = &rest[size..];
        }
        if !rest.is_empty() {
            parts.push(rest);
        }
        return parts;
    }
    while !full(&parts) {
        let Some(at) = find(rest, separator) else {
            break;
        };
        parts.push(&rest[..at]);
        rest = &rest[at + separator.len()..];
    }
    parts.push(rest);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_mapping_is_one_to_one_as_in_go() {
        for (rune, up, low, title) in [
            ('ß', 'ß', 'ß', 'ß'),
            ('é', 'É', 'é', 'É'),
            ('\u{130}', '\u{130}', 'i', '\u{130}'),
            ('\u{1f80}', '\u{1f88}', '\u{1f80}', '\u{1f88}'),
            ('ǆ', 'Ǆ', 'ǆ', 'ǅ'),
            ('ა', 'Ა', 'ა', 'ა'),
        ] {
            assert_eq!(
                (to_upper(rune), to_lower(rune), to_title(rune)),
                (up, low, title),
                "{rune}"
            );
        }
    }

    #[test]
    fn invalid_bytes_count_one_by_one() {
        assert_eq!(decode_rune(b"\xe2\x82"), (RUNE_ERROR, 1));
        assert_eq!(
            runes(b"a\xff\xe2\x82").collect::<String>(),
            "a\u{fffd}\u{fffd}\u{fffd}"
        );
        assert_eq!(decode_last_rune("x€".as_bytes()), ('€', 3));
        assert_eq!(decode_last_rune(b"x\x82"), (RUNE_ERROR, 1));
        assert_eq!(decode_last_rune("\u{fffd}".as_bytes()), (RUNE_ERROR, 3));
    }

    #[test]
    fn splits_as_go_does() {
        let cases: [(&str, &str, i64, &[&str]); 7] = [
            ("a,b", ",", -1, &["a", "b"]),
            ("", ",", -1, &[""]),
            ("", "", -1, &[]),
            ("añb", "", -1, &["a", "ñ", "b"]),
            ("añb", "", 2, &["a", "ñb"]),
            ("a,b,c", ",", 2, &["a", "b,c"]),
            ("a,b", ",", 0, &[]),
        ];
        for (source, separator, limit, expected) in cases {
            let expected: Vec<&[u8]> = expected.iter().map(|part| part.as_bytes()).collect();
            assert_eq!(
                split(source.as_bytes(), separator.as_bytes(), limit),
                expected,
                "{source:?} {separator:?} {limit}"
            );
        }
    }

    #[test]
    fn replaces_and_trims_as_go_does() {
        assert_eq!(replace_all("aé".as_bytes(), b"", b"-"), "-a-é-".as_bytes());
        assert_eq!(replace_all(b"aaa", b"aa", b"b"), b"ba");
        assert_eq!(trim_space("\u{85} x\u{3000}\n".as_bytes()), b"x");
        assert_eq!(trim_matches(b"$5.00$", |rune| rune == '$'), b"5.00");
    }

    #[test]
    fn categories_are_those_of_go() {
        assert!(is_punct('-') && is_punct('…') && !is_punct('$') && !is_punct('€'));
        assert!(is_upper('É') && !is_upper('Ⅰ') && is_number('Ⅰ') && !is_digit('Ⅰ'));
        assert!(is_lower('ß') && !is_lower('ª') && is_letter('ª') && is_title('ǅ'));
    }
}
