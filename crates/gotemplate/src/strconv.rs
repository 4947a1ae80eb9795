//! Numbers and quotes as Go's `strconv` reads and writes them.

use crate::parse::decode;

/// Reads a signed integer (`strconv.ParseInt`); base 0 takes prefixes and underscores.
pub fn parse_int(text: &str, base: u32) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'+' => (false, &text[1..]),
        b'-' => (true, &text[1..]),
        _ => (false, text),
    };
    let value = parse_uint(digits, base)?;
    if negative {
        if value == 1 << 63 {
            Some(i64::MIN)
        } else {
            i64::try_from(value).ok().map(|value| -value)
        }
    } else {
        i64::try_from(value).ok()
    }
}

/// Reads an unsigned integer (`strconv.ParseUint`); base 0 takes prefixes and underscores.
pub fn parse_uint(text: &str, base: u32) -> Option<u64> {
    let (base, digits, underscores) = if base == 0 {
        let lower = text.to_ascii_lowercase();
        let prefixed = |prefix| lower.starts_with(prefix) && text.len() > 2;
        if prefixed("0x") {
            (16, &text[2..], true)
        } else if prefixed("0b") {
            (2, &text[2..], true)
        } else if prefixed("0o") {
            (8, &text[2..], true)
        } else if text.starts_with('0') && text.len() > 1 {
            (8, &text[1..], true)
        } else {
            (10, text, true)
        }
    } else {
        (base, text, false)
    };
    if underscores && digits.contains('_') && !underscores_are_fine(text) {
        return None;
    }
    let mut value: u64 = 0;
    let mut any = false;
    for character in digits.chars() {
        if character == '_' && underscores {
            continue;
        }
        let digit = character.to_digit(base)?;
        value = value
            .checked_mul(u64::from(base))?
            .checked_add(u64::from(digit))?;
        any = true;
    }
    any.then_some(value)
}

/// Go allows an underscore only between digits, or between a base prefix and a digit.
fn underscores_are_fine(text: &str) -> bool {
    let text = text.trim_start_matches(['+', '-']);
    let lower = text.to_ascii_lowercase();
    let is_hexadecimal = lower.starts_with("0x");
    let prefixed = ["0x", "0b", "0o"]
        .iter()
        .any(|prefix| lower.starts_with(prefix));
    let mut last = if prefixed { '0' } else { '^' };
    for character in lower.chars().skip(if prefixed { 2 } else { 0 }) {
        let is_digit =
            character.is_ascii_digit() || (is_hexadecimal && character.is_ascii_hexdigit());
        if is_digit {
            last = '0';
        } else if character == '_' {
            if last != '0' {
                return false;
            }
            last = '_';
        } else {
            if last == '_' {
                return false;
            }
            last = '!';
        }
    }
    last != '_'
}

/// Reads a number (`strconv.ParseFloat` with 64 bits): decimal and hexadecimal, `inf`, `nan`.
/// A number that is too large is `None`, as in Go.
pub fn parse_float(text: &str) -> Option<f64> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' => (1.0, &text[1..]),
        b'-' => (-1.0, &text[1..]),
        _ => (1.0, text),
    };
    let lower = digits.to_ascii_lowercase();
    match lower.as_str() {
        "inf" | "infinity" => return Some(sign * f64::INFINITY),
        "nan" => return Some(f64::NAN),
        _ => {}
    }
    if lower.contains('_') {
        // Only constants of base 0 may have them, and those come with a prefix.
        if !lower.starts_with("0x") || !underscores_are_fine(text) {
            return None;
        }
    }
    let lower = lower.replace('_', "");
    if let Some(hexadecimal) = lower.strip_prefix("0x") {
        return parse_hexadecimal_float(hexadecimal).map(|value| sign * value);
    }
    let plain = lower
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b".e+-".contains(&byte));
    // The sign is off already; what Rust reads as a second one is no number in Go.
    if !plain || lower.starts_with(['+', '-']) || !lower.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: f64 = lower.parse().ok()?;
    value.is_finite().then_some(sign * value)
}

fn parse_hexadecimal_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once('p')?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0_f64;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let digits = i32::try_from(fraction.len()).ok()?;
    let value = value * 2.0_f64.powi(exponent.checked_sub(digits.checked_mul(4)?)?);
    value.is_finite().then_some(value)
}

/// Writes a number as `strconv.FormatFloat(value, 'g', -1, 64)` does, and as `{{ . }}` prints it:
/// with an exponent below -4 and from 6 on.
pub fn format_float(value: f64) -> String {
    format_shortest(value, -4, 6)
}

/// Writes a number with the shortest digits, with an exponent below one power of ten and from
/// another one on.
pub fn format_shortest(value: f64, exponent_below: i32, exponent_from: i32) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if exponent < exponent_below || exponent >= exponent_from {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    format!("{value}")
}

/// Puts bytes in double quotes with Go's escapes (`strconv.Quote`).
pub fn quote(bytes: &[u8]) -> String {
    quote_with(bytes, '"', false)
}

/// As [`quote`], with only ASCII in the result (`strconv.QuoteToASCII`).
pub fn quote_to_ascii(bytes: &[u8]) -> String {
    quote_with(bytes, '"', true)
}

/// A character in single quotes with Go's escapes (`strconv.QuoteRune`).
pub fn quote_character(character: char) -> String {
    let mut buffer = [0; 4];
    quote_with(character.encode_utf8(&mut buffer).as_bytes(), '\'', false)
}

fn quote_with(bytes: &[u8], mark: char, ascii: bool) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() + 2);
    text.push(mark);
    let mut rest = bytes;
    while let Some((character, width)) = decode(rest) {
        let invalid = character == '\u{fffd}' && width == 1;
        if invalid {
            // Writing to a String cannot fail.
            let _ = write!(text, "\\x{:02x}", rest[0]);
        } else {
            match character {
                '\\' => text.push_str("\\\\"),
                character if character == mark => {
                    text.push('\\');
                    text.push(mark);
                }
                '\u{7}' => text.push_str("\\a"),
                '\u{8}' => text.push_str("\\b"),
                '\u{c}' => text.push_str("\\f"),
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\t' => text.push_str("\\t"),
                '\u{b}' => text.push_str("\\v"),
                ' '..='~' => text.push(character),
                character if !ascii && is_printable(character) => text.push(character),
                character => {
                    let code = u32::from(character);
                    let _ = if code < 0x80 {
                        write!(text, "\\x{code:02x}")
                    } else if code < 0x1_0000 {
                        write!(text, "\\u{code:04x}")
                    } else {
                        write!(text, "\\U{code:08x}")
                    };
                }
            }
        }
        rest = &rest[width..];
    }
    text.push(mark);
    text
}

/// True for letters, marks, numbers, punctuation, symbols and the ASCII space (`strconv.IsPrint`).
pub fn is_printable(character: char) -> bool {
    if character.is_ascii() {
        return matches!(character, ' '..='~');
    }
    // Rust escapes what Unicode calls not printable in the same sense; a mark must not come first.
    let mut text = String::from("a");
    text.push(character);
    text.escape_debug().count() == 2
}

/// The beginning of a text: this many characters (`%.10s`).
pub(crate) fn first_characters(bytes: &[u8], count: usize) -> &[u8] {
    let mut end = 0;
    for _ in 0..count {
        match decode(&bytes[end..]) {
            Some((_, width)) => end += width,
            None => break,
        }
    }
    &bytes[..end]
}

/// The content of a quoted string or raw string (`strconv.Unquote`).
pub fn unquote(literal: &[u8]) -> Option<Vec<u8>> {
    match literal {
        [b'`', inner @ .., b'`'] => Some(
            inner
                .iter()
                .copied()
                .filter(|byte| *byte != b'\r')
                .collect(),
        ),
        [b'"', inner @ .., b'"'] => {
            let mut bytes = Vec::with_capacity(inner.len());
            let mut rest = inner;
            while !rest.is_empty() {
                let (unit, after) = unescape(rest, b'"')?;
                match unit {
                    Unit::Byte(byte) => bytes.push(byte),
                    // A byte that is not UTF-8 stays what it is.
                    Unit::Character('\u{fffd}') if rest.len() - after.len() == 1 => {
                        bytes.push(rest[0]);
                    }
                    Unit::Character(character) => {
                        bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                    }
                }
                rest = after;
            }
            Some(bytes)
        }
        _ => None,
    }
}

/// Why a literal in single quotes is no character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CharacterError {
    /// What is in the quotes cannot be read.
    Syntax,
    /// There is more than one character.
    Length,
}

/// The code of the character of a literal in single quotes (`strconv.UnquoteChar`).
///
/// # Errors
/// [`CharacterError`].
pub fn unquote_character(literal: &[u8]) -> Result<u32, CharacterError> {
    let Some(inner) = literal.strip_prefix(b"'") else {
        return Err(CharacterError::Syntax);
    };
    match unescape(inner, b'\'') {
        Some((unit, b"'")) => Ok(match unit {
            Unit::Byte(byte) => u32::from(byte),
            Unit::Character(character) => u32::from(character),
        }),
        Some(_) => Err(CharacterError::Length),
        None => Err(CharacterError::Syntax),
    }
}

/// What a character or escape sequence stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Byte(u8),
    Character(char),
}

/// Takes one character or escape sequence off a text; gives the rest too.
fn unescape(text: &[u8], mark: u8) -> Option<(Unit, &[u8])> {
    let (escape, rest) = match text {
        [b'\n', ..] | [] | [b'\\'] => return None,
        [byte, ..] if *byte == mark => return None,
        [b'\\', escape, rest @ ..] => (*escape, rest),
        text => {
            let (character, width) = decode(text)?;
            return Some((Unit::Character(character), &text[width..]));
        }
    };
    let simple = match escape {
        b'a' => Some(7),
        b'b' => Some(8),
        b'f' => Some(12),
        b'n' => Some(b'\n'),
        b'r' => Some(b'\r'),
        b't' => Some(b'\t'),
        b'v' => Some(11),
        b'\\' => Some(b'\\'),
        escape if escape == mark => Some(mark),
        _ => None,
    };
    if let Some(byte) = simple {
        return Some((Unit::Byte(byte), rest));
    }
    let (digits, length, base) = match escape {
        b'x' => (rest, 2, 16),
        b'0'..=b'7' => (&text[1..], 3, 8),
        b'u' => (rest, 4, 16),
        b'U' => (rest, 8, 16),
        _ => return None,
    };
    let (digits, rest) = digits.split_at_checked(length)?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let number = u32::from_str_radix(std::str::from_utf8(digits).ok()?, base).ok()?;
    let unit = match escape {
        b'u' | b'U' => Unit::Character(char::from_u32(number)?),
        _ => Unit::Byte(u8::try_from(number).ok()?),
    };
    Some((unit, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_in_go() {
        for (text, value) in [
            ("0", Some(0)),
            ("017", Some(15)),
            ("0o17", Some(15)),
            ("0x10", Some(16)),
            ("-0x10", Some(-16)),
            ("0b101", Some(5)),
            ("1_000", Some(1000)),
            ("1__0", None),
            ("_1", None),
            ("08", None),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("", None),
            ("-", None),
        ] {
            assert_eq!(parse_int(text, 0), value, "{text}");
        }
        assert_eq!(parse_float("1e3"), Some(1000.0));
        assert_eq!(parse_float(".5"), Some(0.5));
        assert_eq!(parse_float("0x1p4"), Some(16.0));
        assert_eq!(parse_float("1e999"), None);
        assert_eq!(parse_float("e"), None);
        assert_eq!(parse_float("--1"), None);
        assert_eq!(parse_float("-inf"), Some(f64::NEG_INFINITY));
    }

    #[test]
    fn numbers_are_written_as_in_go() {
        for (value, text) in [
            (1e6, "1e+06"),
            (123_456_789.0, "1.23456789e+08"),
            (1e20, "1e+20"),
            (1e21, "1e+21"),
            (3.0, "3"),
            (0.1, "0.1"),
            (1e-5, "1e-05"),
            (0.0001, "0.0001"),
            (-2.5, "-2.5"),
        ] {
            assert_eq!(format_float(value), text);
        }
    }

    #[test]
    fn quotes_survive_the_round_trip() {
        for bytes in [
            b"plain".as_slice(),
            b"a\"b\\c\n\t\x00\xff",
            "é€\u{1f600}\u{200b}".as_bytes(),
        ] {
            assert_eq!(unquote(quote(bytes).as_bytes()).as_deref(), Some(bytes));
        }
        assert_eq!(quote(b"\xff\x01"), "\"\\xff\\x01\"");
        assert_eq!(quote_to_ascii("é".as_bytes()), "\"\\u00e9\"");
        assert_eq!(unquote_character(b"'a'"), Ok(97));
        assert_eq!(unquote_character(br"'\n'"), Ok(10));
        assert_eq!(unquote_character(br"'\377'"), Ok(255));
        assert_eq!(unquote_character(b"'ab'"), Err(CharacterError::Length));
        assert_eq!(unquote_character(b"''"), Err(CharacterError::Syntax));
    }
}
