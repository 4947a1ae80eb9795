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

/// Go's `strconv.IsPrint`, nearly: letters, marks, numbers, punctuation, symbols and ASCII space.
fn is_printable(character: char) -> bool {
    // Rust escapes what Unicode calls not printable in the same sense.
    character.escape_debug().len() == 1
        || matches!(character, '\'' | '"' | '\\')
        || is_combining(character)
}

/// Combining marks are printable in Go; Rust escapes them where they begin a text.
fn is_combining(character: char) -> bool {
    character.is_alphanumeric()
        || matches!(u32::from(character), 0x300..=0x36f | 0x483..=0x489 | 0x20d0..=0x20f0 | 0xfe00..=0xfe0f)
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
                rest = unescape(rest, b'"', &mut bytes)?;
            }
            Some(bytes)
        }
        _ => None,
    }
}

/// The character of a literal in single quotes.
pub fn unquote_character(literal: &[u8]) -> Option<char> {
    let [b'\'', inner @ .., b'\''] = literal else {
        return None;
    };
    let mut bytes = Vec::new();
    let rest = unescape(inner, b'\'', &mut bytes)?;
    if !rest.is_empty() {
        return None;
    }
    match bytes.as_slice() {
        [byte] => Some(char::from(*byte)),
        bytes => std::str::from_utf8(bytes).ok()?.chars().next(),
    }
}

/// Takes one character or escape sequence off `text`; gives the rest.
fn unescape<'a>(text: &'a [u8], mark: u8, bytes: &mut Vec<u8>) -> Option<&'a [u8]> {
    let (escape, rest) = match text {
        [b'\n', ..] => return None,
        [byte, ..] if *byte == mark => return None,
        [b'\\', escape, rest @ ..] => (*escape, rest),
        [b'\\'] | [] => return None,
        [byte, rest @ ..] if byte.is_ascii() => {
            bytes.push(*byte);
            return Some(rest);
        }
        text => {
            let (_, width) = decode(text)?;
            bytes.extend_from_slice(&text[..width]);
            return Some(&text[width..]);
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
        bytes.push(byte);
        return Some(rest);
    }
    let number =
        |digits: &[u8], base| u32::from_str_radix(std::str::from_utf8(digits).ok()?, base).ok();
    match escape {
        b'x' => {
            bytes.push(u8::try_from(number(rest.get(..2)?, 16)?).ok()?);
            Some(&rest[2..])
        }
        b'0'..=b'7' => {
            let digits = &text[1..];
            bytes.push(u8::try_from(number(digits.get(..3)?, 8)?).ok()?);
            Some(&digits[3..])
        }
        b'u' | b'U' => {
            let length = if escape == b'u' { 4 } else { 8 };
            let character = char::from_u32(number(rest.get(..length)?, 16)?)?;
            bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            Some(&rest[length..])
        }
        _ => None,
    }
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
        assert_eq!(unquote_character(b"'a'"), Some('a'));
        assert_eq!(unquote_character(br"'\n'"), Some('\n'));
        assert_eq!(unquote_character(b"'ab'"), None);
    }
}
