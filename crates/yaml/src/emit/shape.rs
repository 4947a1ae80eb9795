//! Which style a string takes, and how its letters are written.

use super::Context;
use crate::ScalarStyle;
use crate::resolve::{Scalar, resolve_plain};

/// What there is in a string that decides how it may be written: libyaml's analysis of a scalar.
pub(super) struct Shape {
    multiline: bool,
    plain: bool,
    single_quoted: bool,
    block: bool,
}

impl Shape {
    pub(super) fn of(text: &str) -> Self {
        if text.is_empty() || is_word(text) {
            return Self {
                multiline: false,
                plain: true,
                single_quoted: true,
                block: !text.is_empty(),
            };
        }
        let is_edge = |letter: char| letter == ' ' || is_break(letter);
        let mut indicators = text.starts_with("---") || text.starts_with("...");
        let (mut multiline, mut special, mut break_space, mut space_break) =
            (false, false, false, false);
        let mut previous = None;
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            // Most are, and they change nothing.
            if letter.is_ascii_alphanumeric() {
                previous = Some(letter);
                continue;
            }
            let mut before_blank = || letters.peek().is_none_or(|next| matches!(next, ' ' | '\t'));
            indicators |= match letter {
                '#' => previous.is_none_or(|last| matches!(last, '\t' | '\0') || is_edge(last)),
                ':' => before_blank(),
                '?' | '-' => previous.is_none() && before_blank(),
                ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%'
                | '@' | '`' => previous.is_none(),
                _ => false,
            };
            special |= !is_printable(letter);
            multiline |= is_break(letter);
            break_space |= letter == ' ' && previous.is_some_and(is_break);
            space_break |= is_break(letter) && previous == Some(' ');
            previous = Some(letter);
        }
        let trailing_space = text.ends_with(' ');
        Self {
            multiline,
            plain: !(text.starts_with(is_edge)
                || text.ends_with(is_edge)
                || break_space
                || space_break
                || special
                || multiline
                || indicators),
            single_quoted: !(break_space || space_break || special),
            block: !(trailing_space || space_break || special),
        }
    }

    pub(super) fn style(&self, text: &str, context: Context) -> ScalarStyle {
        let is_key = context == Context::SimpleKey;
        if text.contains('\n') {
            return if self.block && !is_key {
                ScalarStyle::Literal
            } else {
                ScalarStyle::DoubleQuoted
            };
        }
        if is_key && self.multiline || !reads_as_string(text) {
            return ScalarStyle::DoubleQuoted;
        }
        match (self.plain, self.single_quoted) {
            (true, _) => ScalarStyle::Plain,
            (false, true) => ScalarStyle::SingleQuoted,
            (false, false) => ScalarStyle::DoubleQuoted,
        }
    }
}

/// Written plain, it is a string to go-yaml and to parsers that know numbers of base 60 (`12:30`).
fn reads_as_string(text: &str) -> bool {
    matches!(resolve_plain(text), Scalar::String(_)) && !is_base_60(text)
}

/// `[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?`
fn is_base_60(text: &str) -> bool {
    let digits = |part: &str| {
        part.bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'_')
    };
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let mut parts = whole.split(':');
    let first = parts.next().unwrap_or_default();
    let mut groups = 0;
    let all_groups = parts.all(|part| {
        groups += 1;
        match part.as_bytes() {
            [digit] | [b'0'..=b'5', digit] => digit.is_ascii_digit(),
            _ => false,
        }
    });
    all_groups
        && groups > 0
        && first.starts_with(|first: char| first.is_ascii_digit())
        && digits(first)
        && digits(fraction)
}

/// True for what most strings are: letters that mean nothing to YAML wherever they stand.
pub(super) fn is_word(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric())
        && bytes
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'/'))
}

pub(super) fn is_break(letter: char) -> bool {
    matches!(letter, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Letters that need no escape. go-yaml counts nothing beyond the basic plane, and neither tab nor carriage return.
pub(super) fn is_printable(letter: char) -> bool {
    matches!(letter, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
        && letter != '\u{feff}'
}

/// Letters that JSON passes as they are and YAML's reader refuses.
pub(super) fn is_refused(letter: char) -> bool {
    matches!(letter, '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}')
}

pub(super) fn escape(letter: char) -> String {
    let short = match letter {
        '\0' => '0',
        '\x07' => 'a',
        '\x08' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\x0b' => 'v',
        '\x0c' => 'f',
        '\r' => 'r',
        '\x1b' => 'e',
        '"' | '\\' => letter,
        '\u{85}' => 'N',
        '\u{a0}' => '_',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        _ => {
            return match u32::from(letter) {
                code @ ..=0xff => format!("\\x{code:02X}"),
                code @ ..=0xffff => format!("\\u{code:04X}"),
                code => format!("\\U{code:08X}"),
            };
        }
    };
    format!("\\{short}")
}
