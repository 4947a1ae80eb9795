//! Quotes.

use crate::parse::decode;

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

/// As [`quote_character`], with only ASCII in the result (`strconv.QuoteRuneToASCII`).
pub fn quote_character_to_ascii(character: char) -> String {
    let mut buffer = [0; 4];
    quote_with(character.encode_utf8(&mut buffer).as_bytes(), '\'', true)
}

/// True if a text can stand between backquotes on one line (`strconv.CanBackquote`).
pub fn can_backquote(text: &str) -> bool {
    text.chars().all(|character| match character {
        '\t' => true,
        '`' | '\u{7f}' | '\u{feff}' => false,
        character => character >= ' ',
    })
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
