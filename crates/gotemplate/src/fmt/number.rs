//! Integers and floats with verbs and flags.

use super::Printer;
use crate::strconv;

impl Printer {
    /// Writes an integer; false if the verb is not for integers.
    pub(super) fn integer(
        &mut self,
        magnitude: u64,
        is_negative: bool,
        is_signed: bool,
        verb: char,
    ) -> bool {
        let base = match verb {
            'v' if self.flags.go_syntax && !is_signed => {
                let sharp = std::mem::replace(&mut self.flags.sharp, true);
                self.based(magnitude, false, 16, verb);
                self.flags.sharp = sharp;
                return true;
            }
            'v' | 'd' => 10,
            'b' => 2,
            'o' | 'O' => 8,
            'x' | 'X' => 16,
            'c' | 'q' | 'U' => {
                self.character(magnitude, is_negative, verb);
                return true;
            }
            _ => return false,
        };
        self.based(magnitude, is_negative, base, verb);
        true
    }

    fn character(&mut self, magnitude: u64, is_negative: bool, verb: char) {
        let code = if is_negative {
            magnitude.wrapping_neg()
        } else {
            magnitude
        };
        let known = u32::try_from(code).ok().and_then(char::from_u32);
        let character = known.unwrap_or('\u{fffd}');
        match verb {
            'c' => self.pad(character.encode_utf8(&mut [0; 4]).as_bytes()),
            'q' if self.flags.plus => {
                let quoted = strconv::quote_character_to_ascii(character);
                self.pad(quoted.as_bytes());
            }
            'q' => self.pad(strconv::quote_character(character).as_bytes()),
            _ => {
                let digits = self.flags.precision.unwrap_or(0).max(4);
                let mut text = String::from("U+");
                push_padded(&mut text, &format!("{code:X}"), digits);
                if self.flags.sharp && known.is_some_and(strconv::is_printable) {
                    text.push_str(" '");
                    text.push(character);
                    text.push('\'');
                }
                self.pad_with_spaces(text.as_bytes());
            }
        }
    }

    fn based(&mut self, magnitude: u64, is_negative: bool, base: u32, verb: char) {
        let sign = if is_negative {
            "-"
        } else if self.flags.plus {
            "+"
        } else if self.flags.space {
            " "
        } else {
            ""
        };
        let digits = match (base, verb) {
            (2, _) => format!("{magnitude:b}"),
            (8, _) => format!("{magnitude:o}"),
            (16, 'X') => format!("{magnitude:X}"),
            (16, _) => format!("{magnitude:x}"),
            _ => magnitude.to_string(),
        };
        let least = match (self.flags.precision, self.flags.width) {
            (Some(0), _) if magnitude == 0 => return self.pad_with_spaces(b""),
            (Some(precision), _) => precision,
            (None, Some(width)) if self.flags.zero && !self.flags.minus => {
                width.saturating_sub(sign.len())
            }
            _ => 0,
        };
        let has_leading_zero = digits.starts_with('0') || least > digits.len();
        let prefix = match (base, verb) {
            _ if verb == 'O' && self.flags.sharp && !has_leading_zero => "0o0",
            _ if verb == 'O' => "0o",
            _ if !self.flags.sharp => "",
            (2, _) => "0b",
            (8, _) if !has_leading_zero => "0",
            (16, 'X') => "0X",
            (16, _) => "0x",
            _ => "",
        };
        let mut text = String::from(sign);
        text.push_str(prefix);
        push_padded(&mut text, &digits, least);
        self.pad_with_spaces(text.as_bytes());
    }

    /// Writes a float; false if the verb is not for floats.
    pub(super) fn float(&mut self, value: f64, verb: char) -> bool {
        let (format, default) = match verb {
            'v' => ('g', None),
            'b' | 'g' | 'G' | 'x' | 'X' => (verb, None),
            'f' | 'e' | 'E' => (verb, Some(6)),
            'F' => ('f', Some(6)),
            _ => return false,
        };
        let precision = self.flags.precision.or(default);
        let text = strconv::format_float_as(value.abs(), format, precision);
        if !value.is_finite() {
            let sign = if value == f64::NEG_INFINITY {
                "-"
            } else if self.flags.plus {
                "+"
            } else if self.flags.space {
                " "
            } else if value.is_nan() {
                ""
            } else {
                "+"
            };
            let text = format!("{sign}{}", text.trim_start_matches('+'));
            self.pad_with_spaces(text.as_bytes());
            return true;
        }
        let text = if self.flags.sharp && format != 'b' {
            with_point(&text, format, precision)
        } else {
            text
        };
        let sign = if value.is_sign_negative() {
            "-"
        } else if self.flags.plus {
            "+"
        } else if self.flags.space {
            " "
        } else {
            ""
        };
        let signed = format!("{sign}{text}");
        match self.flags.width {
            // The sign comes before the zeros.
            Some(width) if self.flags.zero && !self.flags.minus && !sign.is_empty() => {
                self.out.extend_from_slice(sign.as_bytes());
                self.fill(width.saturating_sub(signed.len()));
                self.out.extend_from_slice(text.as_bytes());
            }
            _ => self.pad(signed.as_bytes()),
        }
        true
    }
}

fn push_padded(text: &mut String, digits: &str, least: usize) {
    text.extend(std::iter::repeat_n('0', least.saturating_sub(digits.len())));
    text.push_str(digits);
}

/// The sharp flag: always a decimal point, and with `%g` all the digits of the precision.
fn with_point(number: &str, format: char, precision: Option<usize>) -> String {
    let is_hexadecimal = matches!(format, 'x' | 'X');
    let tail_at = number.find(|character| match character {
        'p' | 'P' => true,
        'e' | 'E' => !is_hexadecimal,
        _ => false,
    });
    let (mantissa, tail) = number.split_at(tail_at.unwrap_or(number.len()));
    let mut missing = match format {
        'g' | 'G' | 'x' => precision.unwrap_or(6),
        _ => 0,
    };
    let significant = mantissa
        .chars()
        .filter(|character| *character != '.')
        .skip_while(|character| *character == '0')
        .count();
    missing = missing.saturating_sub(significant);
    let mut text = mantissa.to_owned();
    if !mantissa.contains('.') {
        // A single zero counts as a digit.
        if mantissa == "0" {
            missing = missing.saturating_sub(1);
        }
        text.push('.');
    }
    text.extend(std::iter::repeat_n('0', missing));
    text.push_str(tail);
    text
}
